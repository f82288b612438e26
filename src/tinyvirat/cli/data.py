"""`tinyvirat data`: from what people have to manifests."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tinyvirat.common.progress import say
from tinyvirat.common.words import counted


def prepare_folder(
    root: Path,
    *,
    out: Path | None = None,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    group: str | None = None,
    workers: int | None = None,
) -> None:
    """Makes a manifest of a folder with one sub-folder a class.

    Where ROOT has the sub-folders train, val and test, these hold the classes and are the splits.
    Else the clips are split here, those of one source always together. Each file is decoded once to
    measure it; files that cannot be read are named and left out.

    Args:
        root: The folder of clips.
        out: The manifest to write, .jsonl or .csv; manifest.jsonl in ROOT by default.
        fractions: Shares of the clips for train, val and test.
        seed: Another number splits otherwise.
        group: Regular expression that finds the source of a clip in its path, such as
            'v_(.+_g[0-9]+)_c' for UCF-101; by default each file is a source.
        workers: Files decoded at once; one a core by default, eight at most.
    """
    from tinyvirat.datasets.folder import relative_to, scan_folder
    from tinyvirat.datasets.manifest import write_manifest

    target = root / "manifest.jsonl" if out is None else out
    found = scan_folder(root, fractions=fractions, seed=seed, group=group, workers=workers)
    records = relative_to(target.parent, root, found.records)
    write_manifest(target, records)
    for line in found.unreadable:
        say(f"left out: {line}")
    splits = Counter(record.split for record in records)
    classes = {label for record in records for label in record.labels}
    sources = {record.source for record in records}
    sys.stdout.write(
        f"{target}: {counted(len(records), 'clip')} of {counted(len(classes), 'class', 'classes')} "
        f"from {counted(len(sources), 'source')}: "
        + ", ".join(f"{splits[split]} {split}" for split in ("train", "val", "test"))
        + f"\nleft out: {counted(len(found.unreadable), 'unreadable clip')}; "
        f"ignored, as no video: {counted(found.ignored, 'file')}\n"
    )
    if not root.resolve().is_relative_to(target.resolve().parent):
        sys.stdout.write(
            f"its paths are relative to {root}: name that with --root where it is read\n"
        )
