"""The outputs by name: all of them side by side, and names that are none."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.outputs.files import OutputError
from tinyvirat.recognition.outputs.opening import ALL, open_sinks

NOBODY = cast(ActionRecognizer, None)


def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"'jsnol' is no output \(did you mean 'jsonl'\?\)") as e:
        open_sinks(tmp_path, NOBODY, ("csv", "jsnol"))
    assert all(name in str(e.value) for name in ALL)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="out: is a file"):
        open_sinks(tmp_path / "out", NOBODY, ("csv",))


def test_what_is_wanted_comes_in_the_order_of_all(tmp_path: Path) -> None:
    sinks = open_sinks(tmp_path, NOBODY, ("csv", "jsonl", "csv"))
    assert [type(sink).__name__ for sink in sinks] == ["JsonlSink", "TablesSink"]
    assert open_sinks(tmp_path, NOBODY, ()) == []
