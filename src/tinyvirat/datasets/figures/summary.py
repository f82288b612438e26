"""The numbers of a data set: the paper's Table I, and what its figures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinyvirat.datasets.figures.actors import ActorSizes, actor_sizes
from tinyvirat.datasets.frames import clip_size
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.datasets.tubes.statistics import Statistics, samples_of_records, statistics


@dataclass(frozen=True)
class TableRow:
    """A row of the paper's Table I.

    Attributes:
        name: of the data set.
        resolution: width and height in pixels, `10x10 - 128x128` where they differ.
        mean_frames: of a clip (ANF).
        multi_label: whether a clip can show several classes (ML).
        classes: how many (NC).
        videos: clips (NV: the paper's word for them).
    """

    name: str
    resolution: str
    mean_frames: float
    multi_label: bool
    classes: int
    videos: int


TABLE_1 = (
    TableRow("UCF-101", "320x240", 186.50, False, 101, 13_320),
    TableRow("JHMDB-51", "320x240", 94.49, False, 51, 7_000),
    TableRow("AVA", "264x440 - 360x640", 127_081.66, True, 80, 272),
    TableRow("TinyVIRAT", "10x10 - 128x128", 93.93, True, 26, 12_829),
)
"""The paper's Table I, as printed."""


@dataclass(frozen=True)
class Summary:
    """A data set in numbers.

    Attributes:
        row: of Table I.
        statistics: what was counted.
        actors: how large the actors are; None where the rows do not tell.
        absent: classes of the manifest that no clip shows.
        quarantined: clips that are left out.
    """

    row: TableRow
    statistics: Statistics
    actors: ActorSizes | None
    absent: tuple[str, ...]
    quarantined: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        actors = None
        if self.actors is not None:
            actors = {
                "measure": self.actors.measure,
                "mean_ratio": self.actors.mean_ratio,
                "clips_without": self.actors.without,
                "clips": [
                    {
                        "id": one.id,
                        "actor": [one.width, one.height],
                        "frame": [one.frame_width, one.frame_height],
                        "ratio": one.ratio,
                    }
                    for one in self.actors.sizes
                ],
            }
        return {
            "table_1": vars(self.row),
            "statistics": self.statistics.to_plain(),
            "actors": actors,
            "absent_classes": list(self.absent),
            "quarantined": self.quarantined,
        }


def summary(manifest: Manifest, name: str) -> Summary:
    """Counts a manifest's clips.

    Args:
        manifest: the clips.
        name: what the data set is called.
    """
    records = manifest.records
    counted = statistics(samples_of_records(records))
    shown = {label for record in records for label in record.labels}
    return Summary(
        row=TableRow(
            name=name,
            resolution=_resolution([clip_size(record) for record in records]),
            mean_frames=counted.mean_frames,
            multi_label=counted.multi_label,
            classes=counted.classes,
            videos=counted.clips,
        ),
        statistics=counted,
        actors=actor_sizes(records),
        absent=tuple(label for label in manifest.labels if label not in shown),
        quarantined=len(manifest.quarantined),
    )


def _resolution(sizes_HW: Sequence[tuple[int, int]]) -> str:
    """Width and height of the smallest and the largest clip, by area."""
    ends = [end(sizes_HW, key=lambda size: (size[0] * size[1], size[1])) for end in (min, max)]
    texts = [f"{width}x{height}" for height, width in ends]
    return texts[0] if texts[0] == texts[1] else " - ".join(texts)
