"""What became of a data set's clips: every one that is missing, too many or otherwise, by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.common.plain import from_plain, to_plain
from tinyvirat.common.words import counted
from tinyvirat.datasets.published.listing import PublishedError

SUFFIX = ".report.json"
FORMAT = "tinyvirat-prepared"
# Names shown in a line of text; the report's file has all.
SHOWN = 3
LARGEST_REPORT = 1 << 28


@dataclass(frozen=True)
class SplitCount:
    """The clips of one split.

    Attributes:
        split: `train`, `val` or `test`.
        published: as many as its authors say; `None` where they have no such split.
        listed: as many as the lists name.
        found: as many as have a file.
        unreadable: as many of these as do not decode.
        kept: as many as are in the manifest, where validation clips may come from training.
    """

    split: str
    published: int | None
    listed: int
    found: int
    unreadable: int
    kept: int


@dataclass(frozen=True)
class LeftOut:
    """A clip of the lists that is not in the manifest.

    Attributes:
        id: the clip.
        split: `train`, `val` or `test`.
        path: its file, as the list writes it.
        reason: why; `there is no such file`, or what the decoder said.
    """

    id: str
    split: str
    path: str
    reason: str


@dataclass(frozen=True)
class Report:
    """All that is to be known about a manifest made of a published data set.

    Attributes:
        dataset: its name.
        classes: number of its classes.
        splits: counts of its splits.
        missing: listed clips without a file.
        unreadable: listed clips whose file does not decode.
        unlisted: video files that no list names.
        unused: clips that the lists name and leave out.
        unused_published: as many as that should be.
        other_size: clips that decode otherwise than their list claims, as `ID: what`.
        shared: recordings from which clips in several splits are cut.
        shared_clips: clips of `val` and `test` cut from a recording that is trained on.
        dropped: clips left out so that no recording is in several splits.
        differences: where the lists are not as published, in words.
        notes: what a user of this data set has to know, in words.
        format: of this file.
    """

    dataset: str
    classes: int
    splits: tuple[SplitCount, ...]
    missing: tuple[LeftOut, ...]
    unreadable: tuple[LeftOut, ...]
    unlisted: tuple[str, ...]
    unused: int
    unused_published: int
    other_size: tuple[str, ...]
    shared: tuple[str, ...]
    shared_clips: int
    dropped: tuple[str, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    format: str = FORMAT

    def unlike_published(self) -> list[str]:
        """Everything in which the data set is not as it was published, in words; none is well."""
        lines = [
            f"{count.split}: the lists name {counted(count.listed, 'clip')}, "
            f"{count.published or 0:,} were published ({_more(count.listed, count.published or 0)})"
            for count in self.splits
            if count.listed != (count.published or 0)
        ]
        if self.unused != self.unused_published:
            lines.append(
                f"the lists leave {counted(self.unused, 'clip')} unused, "
                f"{self.unused_published:,} were published"
            )
        if self.missing:
            names = _some([left.path for left in self.missing])
            lines.append(
                f"missing: {counted(len(self.missing), 'listed clip')} without a file{names}"
            )
        if self.unreadable:
            lines.append(
                f"unreadable: {counted(len(self.unreadable), 'clip')}; the first: "
                f"{self.unreadable[0].reason}"
            )
        if self.unlisted:
            names = _some(self.unlisted)
            lines.append(f"extra: {counted(len(self.unlisted), 'video file')} in no list{names}")
        return [*lines, *self.differences]

    def remarks(self) -> list[str]:
        """What is so with the published data set too, in words."""
        lines = []
        if self.unused:
            lines.append(f"unused: {counted(self.unused, 'clip')} on no side of this split")
        if self.other_size:
            lines.append(
                f"other size: {counted(len(self.other_size), 'clip')} decode otherwise than "
                f"listed{_some(self.other_size)}; the manifest has what decodes"
            )
        if self.shared:
            lines.append(
                f"shared: {counted(len(self.shared), 'recording')} in several splits"
                f"{_some(self.shared)}; {counted(self.shared_clips, 'clip')} of val and test are "
                "cut from what is trained on (--disjoint leaves training clips out instead)"
            )
        if self.dropped:
            lines.append(
                f"left out: {counted(len(self.dropped), 'clip')}, so that no recording is in "
                f"several splits{_some(self.dropped)}"
            )
        return [*lines, *self.notes]


def report_path(manifest: Path) -> Path:
    """Where the report of a manifest lies: beside it, with the suffix `.report.json`."""
    return manifest.with_name(manifest.stem + SUFFIX)


def write_report(path: Path, report: Report) -> None:
    """Writes a report whole or not at all."""
    write_text(path, json.dumps(to_plain(report), indent=1, ensure_ascii=False) + "\n")


def read_report(path: Path) -> Report:
    """Reads what `write_report` wrote.

    Raises:
        PublishedError: the file cannot be read, or is no such report.
        PlainDataError: a value in it is not what it should be.
    """
    try:
        if path.stat().st_size > LARGEST_REPORT:
            raise PublishedError(f"{path}: is larger than any report ({LARGEST_REPORT} bytes)")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise PublishedError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PublishedError(f"{path}: not JSON ({error}); prepare the manifest again") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise PublishedError(f"{path}: is no report of `tinyvirat data prepare`; prepare again")
    return from_plain(Report, data, where=str(path))


def _more(number: int, published: int) -> str:
    return f"{abs(number - published):,} {'more' if number > published else 'fewer'}"


def _some(names: tuple[str, ...] | list[str]) -> str:
    rest = f", and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f" ({', '.join(names[:SHOWN])}{rest})"
