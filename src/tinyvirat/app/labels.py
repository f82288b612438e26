"""The labels that visitors give to tubes: a manifest with its clips, that training takes as it is.

Several visitors, pages and servers may save into one folder: whoever writes holds its lock, and the
manifest is written anew beside the old one and renamed, so that no row is ever lost or half there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tinyvirat.app.clips import Piece, write_clip
from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import Upload
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets.build.cut import LARGEST_DENOMINATOR
from tinyvirat.datasets.manifest import read_manifest, write_manifest
from tinyvirat.datasets.records import ClipRecord, check_label
from tinyvirat.datasets.tubes.rules import BuildRules

MANIFEST, CLIPS, LOCK = "manifest.jsonl", "clips", ".lock"
VAL_SHARE = 0.25
LONGEST_LABEL, MOST_LABELS = 100, 20


class LabelError(TinyviratError):
    """Labels that cannot be saved."""


class LabelStore:
    """A folder of labelled clips with their manifest.

    Args:
        folder: made when the first label is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.manifest = self.folder / MANIFEST

    def saved(self) -> tuple[ClipRecord, ...]:
        """Every clip, the oldest first.

        Raises:
            ManifestError: the manifest is damaged.
        """
        if not self.manifest.is_file():
            return ()
        return read_manifest(self.manifest, check_files=False, quarantine=False).records

    def save(
        self,
        upload: Upload,
        tube: int,
        pieces: Sequence[Piece],
        labels: Sequence[str],
        limits: AppLimits,
        recognised: Mapping[str, object],
    ) -> tuple[ClipRecord, ...]:
        """Cuts the clips of a tube and adds them; the same ones with other labels are corrected.

        Args:
            upload: the video.
            tube: its number.
            pieces: of the tube.
            labels: what is done in all of them; none says that nothing is.
            limits: for the reading of the video.
            recognised: what a model said of it, as JSON values; kept with the clips.

        Returns:
            The rows that were added or corrected.

        Raises:
            LabelError: a label is no name, or the folder cannot be written to.
            ManifestError: the manifest that is there is damaged, or has a list of other labels.
            UploadError: the video cannot be read.
        """
        named = checked_labels(labels)
        with self._locked():
            before = self.saved()
            rows = [_row(upload, tube, piece, named, recognised) for piece in pieces]
            for row, piece in zip(rows, pieces, strict=True):
                write_clip(upload, piece, self.folder / row.path, limits)
            new = {row.id: row for row in rows}
            kept = [new.pop(row.id, row) for row in before]
            records = _with_split([*kept, *new.values()], rows[0].source, before)
            write_manifest(self.manifest, records)
        ids = {row.id for row in rows}
        return tuple(record for record in records if record.id in ids)

    def remove(self, clip: str) -> bool:
        """Takes a clip and its row out; says whether it was there.

        Raises:
            LabelError: the folder cannot be written to.
            ManifestError: the manifest is damaged.
        """
        with self._locked():
            before = self.saved()
            kept = [row for row in before if row.id != clip]
            gone = [row for row in before if row.id == clip]
            if not gone:
                return False
            if kept:
                write_manifest(self.manifest, kept)
            else:
                self.manifest.unlink()
            # Of a manifest that was here before, only the rows are ours to take out.
            if gone[0].path == f"{CLIPS}/{clip}.mp4" and "sha256" in gone[0].extra:
                (self.folder / gone[0].path).unlink(missing_ok=True)
        return True

    def command(self, model: str) -> str:
        """The command line that trains `model` on what is saved."""
        words = ["tinyvirat", "finetune", model, "--data", str(self.manifest)]
        words += ["--out", "runs/mine"]
        counts = {len(row.labels) for row in self.saved()}
        if 0 in counts and max(counts) < 2:  # otherwise it is seen without being said
            words += ["--set", "labels=multi"]
        return shlex.join(words)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise LabelError(f"{self.folder}: labels cannot be saved there: {reason}") from error


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Names as they are saved: each once, sorted, without spaces around.

    Raises:
        LabelError: too many, or one too long.
        ManifestError: one that a manifest cannot hold.
    """
    names = sorted({label.strip() for label in labels} - {""})
    for name in names:
        check_label(name)
        if len(name) > LONGEST_LABEL:
            raise LabelError(
                f"the label {name[:30]!r}... has {len(name)} letters; {LONGEST_LABEL} are taken"
            )
    if len(names) > MOST_LABELS:
        raise LabelError(f"{len(names)} labels for one tube; {MOST_LABELS} are taken")
    return tuple(names)


def _row(
    upload: Upload,
    tube: int,
    piece: Piece,
    labels: tuple[str, ...],
    recognised: Mapping[str, object],
) -> ClipRecord:
    """The row of one clip, in the training split for now."""
    windows = None if piece.windows_T4 is None else piece.windows_T4.tolist()
    height, width = upload.height, upload.width
    if windows is not None:
        height = width = windows[0][2] - windows[0][0]
    # The same video is the same source whatever it is called, and the same part of it is one clip.
    digest = hashlib.sha256(json.dumps(windows).encode()).hexdigest()[:8]
    name = f"{upload.digest[:12]}-{piece.start:06d}-{piece.stop:06d}-{digest}"
    return ClipRecord(
        id=name,
        path=f"{CLIPS}/{name}.mp4",
        frames=piece.stop - piece.start,
        height=height,
        width=width,
        fps=upload.fps.limit_denominator(LARGEST_DENOMINATOR),
        labels=labels,
        split="train",
        source=upload.digest[:16],
        extra={
            "video": upload.name,
            "sha256": upload.digest,
            "frame": [upload.width, upload.height],
            "span": [piece.start, piece.stop],
            "windows": windows,
            "tube": tube,
            "recognised": dict(recognised),
            **BuildRules().provenance(),
        },
    )


def _with_split(
    records: list[ClipRecord], source: str, before: Sequence[ClipRecord]
) -> list[ClipRecord]:
    """Gives all clips of the source that was saved to one split; other sources stay in theirs.

    A new source goes to validation where that has fewer than a quarter of them, and only while
    training knows every label of it: what only validation shows cannot be learnt.
    """
    others = {row.source: row.split for row in records if row.source != source}
    split = next((row.split for row in before if row.source == source), None)
    if split is None:
        held_out = list(others.values()).count("val")
        split = "val" if VAL_SHARE * (len(others) + 1) - held_out > 0.5 else "train"
    if split == "val":
        learnt = {k for row in records if others.get(row.source) == "train" for k in row.labels}
        here = {label for row in records if row.source == source for label in row.labels}
        split = "val" if here <= learnt else "train"
    return [replace(row, split=split) if row.source == source else row for row in records]
