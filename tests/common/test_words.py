"""Numbers with the word that goes with them."""

from __future__ import annotations

import pytest

from tinyvirat.common.words import counted, one_line, shown_command, shown_name


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 tubes"), (1, "1 tube"), (2, "2 tubes"), (1204, "1,204 tubes")]
)
def test_a_number_has_the_right_word(number: int, text: str) -> None:
    assert counted(number, "tube") == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 classes"), (1, "1 class"), (26, "26 classes")])
def test_a_word_may_have_a_plural_of_its_own(number: int, text: str) -> None:
    assert counted(number, "class", "classes") == text


def test_lines_are_short_and_printable() -> None:
    assert one_line("a\nb\x07") == "a b "
    assert len(one_line("x" * 99)) == 32 and one_line("x" * 99).endswith("…")
    assert one_line("x" * 32) == "x" * 32
    assert one_line("x\n" * 99, None) == "x " * 99


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\clips\\a.mp4", "a.mp4"),
        ("a\x1b[2J.mp4", "a?[2J.mp4"),
        ("x" * 1000, "x" * 20),
        ("folder/", "video"),
        ("", "video"),
    ],
)
def test_a_file_is_shown_by_its_name_alone(given: str, shown: str) -> None:
    assert shown_name(given, 20) == shown


def test_a_command_names_no_folder_of_this_machine() -> None:
    words = ["/opt/bin/tinyvirat", "train", "table4/dvsr_14", "--data", "/home/me/clips.jsonl"]
    assert shown_command(words) == "tinyvirat train table4/dvsr_14 --data clips.jsonl"
