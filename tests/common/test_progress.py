"""What is said on standard error."""

from __future__ import annotations

import pytest

from tinyvirat.common.progress import say


def test_a_name_cannot_steer_the_terminal_or_look_like_two_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("left out: a\x1b[2J\nb.mp4: caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    said = capsys.readouterr()
    assert said.err == "left out: a\\x1b[2J\\nb.mp4: caf\N{LATIN SMALL LETTER E WITH ACUTE}\n"
    assert said.out == ""
