"""The TinyAction challenge's answer: which of the 26 classes each test clip of TinyVIRAT-v2 shows.

`answer.txt` has one line a clip, sorted: the clip's number in five digits, then 26 zeros or ones in
the order of `class_map.json`. Entries are ranked by the F1 averaged over the classes. The server
takes it in a ZIP.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tinyvirat.common.files import write_text, written_beside
from tinyvirat.datasets.published.facts import TINYVIRAT_CLASSES, TINYVIRAT_V2
from tinyvirat.datasets.published.listing import PublishedError

TEST_CLIPS = TINYVIRAT_V2.clips["test"]
ANSWER = "answer.txt"
CLIP_ID = re.compile(r"(?:test/)?([0-9]{5})")
LINE = re.compile(rf"([0-9]{{5}})(?: [01]){{{len(TINYVIRAT_CLASSES)}}}")
# The same answers give the same archive.
ZIP_DATE = (2021, 1, 1, 0, 0, 0)


class AnswerError(PublishedError):
    """An answer that the challenge would not take."""


def clip_number(clip: str, *, where: str) -> int:
    """The number of a test clip out of its id, `test/00042` or `00042`.

    Args:
        clip: the id in a manifest.
        where: what errors begin with.

    Raises:
        AnswerError: it is no test clip of TinyVIRAT-v2.
    """
    match = CLIP_ID.fullmatch(clip)
    if match is None:
        raise AnswerError(
            f"{where}: {clip!r} is no test clip of TinyVIRAT-v2 (test/00000 and so on); answer the "
            "test split of a manifest made by `tinyvirat data prepare tinyvirat-v2`"
        )
    return int(match[1])


def class_columns(classes: Sequence[str], *, where: str) -> list[int]:
    """For each of the 26 classes in the challenge's order, which of a model's classes it is.

    Args:
        classes: the model's.
        where: what errors begin with.

    Raises:
        AnswerError: the model has not exactly the 26.
    """
    missing = [name for name in TINYVIRAT_CLASSES if name not in classes]
    other = [name for name in classes if name not in TINYVIRAT_CLASSES]
    if missing or other:
        what = f"lacks {missing[0]!r}" if missing else f"has {other[0]!r} too"
        raise AnswerError(
            f"{where}: answers {len(classes)} classes and {what}; the challenge has TinyVIRAT's "
            f"{len(TINYVIRAT_CLASSES)}: train on a manifest of TinyVIRAT"
        )
    return [list(classes).index(name) for name in TINYVIRAT_CLASSES]


def answer_text(shown: Mapping[int, Sequence[bool]], clips: int = TEST_CLIPS) -> str:
    """The answer file's text; it has been checked.

    Args:
        shown: for each clip's number whether it shows each of the 26 classes, in their order; a
            clip that is not in it is answered with no class at all.
        clips: number of test clips.

    Raises:
        AnswerError: a number that no clip has, or other than 26 answers for one.
    """
    none = (False,) * len(TINYVIRAT_CLASSES)
    wrong = [number for number in shown if not 0 <= number < clips]
    if wrong:
        raise AnswerError(f"clip {min(wrong):05d} is answered, and there are {clips} test clips")
    lines = (
        f"{number:05d} {' '.join(str(int(one)) for one in shown.get(number, none))}\n"
        for number in range(clips)
    )
    text = "".join(lines)
    check_answer(text.splitlines(), clips, where="the answer")
    return text


def check_answer(lines: Iterable[str], clips: int = TEST_CLIPS, *, where: str) -> None:
    """Makes sure that a file is what the challenge takes.

    Args:
        lines: of the file, without their ends.
        clips: number of test clips.
        where: what errors begin with, such as the file's name.

    Raises:
        AnswerError: a line that is malformed, out of order or twice, or not one for every clip;
            names the line.
    """
    number = 0
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        if match is None:
            raise AnswerError(
                f"{where}, line {number}: {line[:80]!r} is not a clip's five digits and "
                f"{len(TINYVIRAT_CLASSES)} zeros or ones with one space before each"
            )
        if int(match[1]) != number - 1:
            raise AnswerError(
                f"{where}, line {number}: clip {match[1]}, not {number - 1:05d}; every clip has "
                "one line, in order"
            )
    if number != clips:
        raise AnswerError(f"{where}: {number} lines for {clips} test clips; each has one")


def write_answer(path: Path, text: str) -> None:
    """Writes the answer whole or not at all: as text, or within a ZIP where `path` ends so.

    Raises:
        AnswerError: it cannot be written.
    """
    try:
        if path.suffix.lower() != ".zip":
            write_text(path, text)
            return
        with written_beside(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
            info = zipfile.ZipInfo(ANSWER, ZIP_DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, text)
    except OSError as error:
        raise AnswerError(f"{path}: cannot be written: {error.strerror}") from error
