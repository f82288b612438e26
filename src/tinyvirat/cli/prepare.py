"""`tinyvirat data prepare`: manifests of the paper's data sets, as they are downloaded."""

from __future__ import annotations

import json as json_module
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.progress import say
from tinyvirat.common.words import counted

if TYPE_CHECKING:
    from tinyvirat.datasets.published import Listing, Prepared


def tinyvirat(
    root: Path,
    *,
    out: Path,
    val_fraction: float = 0.0,
    seed: int = 0,
    disjoint: bool = False,
    strict: bool = False,
    unpack: Path | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Makes a manifest of TinyVIRAT, version 1.

    ROOT is the unpacked folder, or one around it, or the archive itself. Every clip is decoded once
    and measured; an interrupted run goes on. Counts are compared with the published 7,663 and
    5,166, and what differs is named, in full in the report beside the manifest. All labels of a
    clip are kept; labels.txt beside the manifest has the 26 classes in order.

    Args:
        root: the data set's folder, or its archive (ZIP or tar).
        out: the manifest to write, .jsonl or .csv; best in ROOT or in a folder above it.
        val_fraction: share of the training clips to hold out for validation, whole videos at a
            time; 0 holds out none, as published.
        seed: another number holds out other videos.
        disjoint: leave out training clips of videos that are also tested on.
        strict: write nothing, and fail, when anything is not as published.
        unpack: the folder to unpack an archive into.
        workers: clips decoded at once; by default one a core, eight at most.
        json: print the report as JSON.
    """
    from tinyvirat.datasets.published import list_tinyvirat

    (folder,) = _opened(unpack, root)
    listing = list_tinyvirat(folder, 1)
    return _finish(listing, out, val_fraction, seed, disjoint, strict, workers, json)


def tinyvirat_v2(
    root: Path,
    *,
    out: Path,
    disjoint: bool = False,
    strict: bool = False,
    unpack: Path | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Makes a manifest of TinyVIRAT-v2, the TinyAction challenge's data, with its unlabelled test.

    As `tinyvirat data prepare tinyvirat`; the published counts are 16,950, 3,308 and 6,097. Test
    clips have no labels and are answered with `tinyvirat data submit`.

    Args:
        root: the data set's folder, or its archive (ZIP or tar).
        out: the manifest to write, .jsonl or .csv; best in ROOT or in a folder above it.
        disjoint: leave out training clips of videos that are also in the validation split; the
            published split has such.
        strict: write nothing, and fail, when anything is not as published.
        unpack: the folder to unpack an archive into.
        workers: clips decoded at once; by default one a core, eight at most.
        json: print the report as JSON.
    """
    from tinyvirat.datasets.published import list_tinyvirat

    (folder,) = _opened(unpack, root)
    listing = list_tinyvirat(folder, 2)
    return _finish(listing, out, 0.0, 0, disjoint, strict, workers, json)


def ucf101(
    root: Path,
    *,
    out: Path,
    split: Literal[1, 2, 3] = 1,
    lists: Path | None = None,
    val_fraction: float = 0.0,
    seed: int = 0,
    strict: bool = False,
    unpack: Path | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Makes a manifest of UCF-101 from its official lists.

    A group of clips cut from one video is a source and never on both sides. Every clip is decoded
    once and measured, for all three splits together where their manifests are in one folder. Which
    low resolutions the tables compare, and how to get them: `tinyvirat data protocols`.

    Args:
        root: the folder UCF-101, or one around it, or an archive of it (ZIP or tar).
        out: the manifest to write, .jsonl or .csv; best in ROOT or in a folder above it.
        split: which of the three official splits.
        lists: the folder of classInd.txt, trainlist01.txt and so on, or their archive; by default
            looked for in ROOT and beside it.
        val_fraction: share of the training clips to hold out for validation, whole groups at a
            time; 0 holds out none, as published.
        seed: another number holds out other groups.
        strict: write nothing, and fail, when anything is not as published.
        unpack: the folder to unpack archives into.
        workers: clips decoded at once; by default one a core, eight at most.
        json: print the report as JSON.
    """
    from tinyvirat.datasets.published import list_ucf101

    folder, *given = _opened(unpack, root, lists)
    listing = list_ucf101(folder, split, lists=given[0] if given else None)
    return _finish(listing, out, val_fraction, seed, False, strict, workers, json)


def hmdb51(
    root: Path,
    *,
    out: Path,
    split: Literal[1, 2, 3] = 1,
    lists: Path | None = None,
    val_fraction: float = 0.0,
    seed: int = 0,
    disjoint: bool = False,
    strict: bool = False,
    unpack: Path | None = None,
    workers: int | None = None,
    json: bool = False,
) -> int:
    """Makes a manifest of HMDB-51 from its official lists.

    Clips that a split does not use are left out and counted. Clips of one class from one film are a
    source; the official splits test on films that other classes are trained on, which is said and
    counted. Every clip is decoded once and measured, for all three splits together where their
    manifests are in one folder.

    Args:
        root: the folder with one sub-folder a class, or one around it, or an archive of it (ZIP or
            tar).
        out: the manifest to write, .jsonl or .csv; best in ROOT or in a folder above it.
        split: which of the three official splits.
        lists: the folder of brush_hair_test_split1.txt and so on, or their archive; by default
            looked for in ROOT and beside it.
        val_fraction: share of the training clips to hold out for validation, whole films at a
            time; 0 holds out none, as published.
        seed: another number holds out other films.
        disjoint: leave out training clips of films that are also tested on.
        strict: write nothing, and fail, when anything is not as published.
        unpack: the folder to unpack archives into.
        workers: clips decoded at once; by default one a core, eight at most.
        json: print the report as JSON.
    """
    from tinyvirat.datasets.published import list_hmdb51

    folder, *given = _opened(unpack, root, lists)
    listing = list_hmdb51(folder, split, lists=given[0] if given else None)
    return _finish(listing, out, val_fraction, seed, disjoint, strict, workers, json)


def protocols(*, json: bool = False) -> int:
    """Lists the low resolutions of Tables III and IV, and the recipe's settings for each.

    Args:
        json: print JSON instead of a table.
    """
    from tinyvirat.common.plain import to_plain
    from tinyvirat.datasets.published.protocols import PROTOCOLS
    from tinyvirat.evaluation.tables import Column, Table, as_text

    if json:
        print(json_module.dumps(to_plain(PROTOCOLS), indent=1))
        return 0
    columns = [Column(name) for name in ("protocol", "height x width", "recipe", "from")]
    rows = [
        (
            name,
            "{} x {}".format(*one.size_HW),
            one.recipe or (f"none; most like it: {one.nearest}" if one.nearest else "none"),
            one.source,
        )
        for name, one in PROTOCOLS.items()
    ]
    title = "Low resolutions of Tables III and IV"
    notes = [f"{name}: {one.words}" for name, one in PROTOCOLS.items()]
    print(as_text(Table(title, tuple(columns), tuple(rows), tuple(notes))), end="")
    return 0


def _opened(into: Path | None, *paths: Path | None) -> list[Path]:
    """The folders that are given, those of archives after unpacking them."""
    from tinyvirat.datasets.published import PublishedError
    from tinyvirat.datasets.published.archives import unpack

    given = [path for path in paths if path is not None]
    archives = [path for path in given if path.is_file()]
    if into is None and archives:
        raise PublishedError(
            f"{archives[0]}: is a file; say where to unpack it with --unpack, or name the folder "
            "that it was unpacked into"
        )
    if into is not None and not archives:
        raise PublishedError(f"--unpack {into}: {given[0]} is no archive; leave --unpack out")
    for archive in archives:
        if into is not None:
            say(f"{archive}: {counted(unpack(archive, into), 'file')} in {into}")
    return [into if path in archives and into is not None else path for path in given]


def _finish(
    listing: Listing,
    out: Path,
    val_fraction: float,
    seed: int,
    disjoint: bool,
    strict: bool,
    workers: int | None,
    json: bool,
) -> int:
    from tinyvirat.common.plain import to_plain
    from tinyvirat.datasets.published import PublishedError, prepare, report_path, write_prepared

    prepared = prepare(
        listing, out, val_fraction=val_fraction, seed=seed, disjoint=disjoint, workers=workers
    )
    sys.stderr.write(_told(prepared))
    differences = prepared.report.unlike_published()
    if strict and differences:
        raise PublishedError(
            f"{listing.root}: not as published in {counted(len(differences), 'way')}, the first: "
            f"{differences[0]}; nothing was written (leave --strict out to write it all the same)"
        )
    write_prepared(out, prepared)
    if json:
        print(json_module.dumps(to_plain(prepared.report), indent=1))
        return 0
    splits = Counter(record.split for record in prepared.records)
    sources = {record.source for record in prepared.records}
    print(
        f"{out}: {counted(len(prepared.records), 'clip')} of "
        f"{counted(len(prepared.classes), 'class', 'classes')} from "
        f"{counted(len(sources), 'source')}: "
        + ", ".join(f"{splits[split]} {split}" for split in ("train", "val", "test"))
        + f"\nreport: {report_path(out)}"
    )
    if not listing.root.resolve().is_relative_to(out.resolve().parent):
        print(
            f"its paths are relative to {listing.root}: move it there with its labels.txt, or name "
            "that folder with --root where it is read"
        )
    return 0


def _told(prepared: Prepared) -> str:
    """The report as text for a terminal."""
    from tinyvirat.evaluation.tables import Column, Table, as_text

    report = prepared.report
    names = ("published", "listed", "with a file", "unreadable", "in the manifest")
    columns = (Column("split"), *(Column(name, "count") for name in names))
    rows = tuple(
        (one.split, one.published, one.listed, one.found, one.unreadable, one.kept)
        for one in report.splits
    )
    notes = [f"not as published: {line}" for line in report.unlike_published()]
    notes += [f"note: {line}" for line in report.remarks()]
    return as_text(Table(report.dataset, columns, rows, tuple(notes)))
