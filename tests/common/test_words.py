"""Numbers with the word that goes with them."""

from __future__ import annotations

import pytest

from tinyvirat.common.words import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 tubes"), (1, "1 tube"), (2, "2 tubes"), (1204, "1,204 tubes")]
)
def test_a_number_has_the_right_word(number: int, text: str) -> None:
    assert counted(number, "tube") == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 classes"), (1, "1 class"), (26, "26 classes")])
def test_a_word_may_have_a_plural_of_its_own(number: int, text: str) -> None:
    assert counted(number, "class", "classes") == text
