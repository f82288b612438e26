"""Everything about a data set into one folder: numbers as JSON, figures as PNG."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.datasets.figures import pictures
from tinyvirat.datasets.figures.sheet import strips
from tinyvirat.datasets.figures.summary import Summary
from tinyvirat.datasets.manifest import Manifest

STATISTICS = "statistics.json"


@dataclass(frozen=True)
class Written:
    """What was written, and what was not.

    Attributes:
        files: the files.
        left_out: figures that cannot be drawn, and why.
    """

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def write_statistics(folder: Path, manifest: Manifest, found: Summary) -> Written:
    """Writes `statistics.json` and the figures that the data set has the numbers for.

    Args:
        folder: made where it does not exist; files of the same names are replaced.
        manifest: the clips, from which the contact sheet is made.
        found: what `summary` gave for them.
    """
    shown = strips(manifest)
    files, left_out = [folder / STATISTICS], []
    plain = found.to_plain() | {"contact_sheet": [strip.record.id for strip in shown]}
    write_text(files[0], json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
    if shown:
        files.append(pictures.contact_sheet_picture(folder / "contact_sheet.png", shown))
    else:
        left_out.append("contact sheet (Fig. 1): no clip can be read")
    if found.actors is not None:
        files.append(pictures.actor_ratio_picture(folder / "actor_ratio.png", found.actors))
        files.append(pictures.actor_size_picture(folder / "actor_size.png", found.actors))
    else:
        left_out.append(
            "actors in their frames (Fig. 2 and 3): no row tells the size of actor and source "
            "video, in extra.actor and extra.frame"
        )
    if found.statistics.by_class:
        files.append(pictures.samples_picture(folder / "samples.png", found.statistics))
    else:
        left_out.append("samples by class (Fig. 4): no clip has a label")
    if found.statistics.multi_label:
        files.append(pictures.together_picture(folder / "together.png", found.statistics))
    else:
        left_out.append("classes shown together: no clip shows two")
    return Written(tuple(files), tuple(left_out))
