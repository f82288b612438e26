"""A data set in the folders and files of TinyVIRAT (v1) or TinyVIRAT-v2.

```
v1: tiny_train.json, tiny_test.json     {"tubes": [{"path", "dim", "label"}, ...]}
    videos/{train,test}/<video>/<n>.mp4, n from 0 in each video
v2: tiny_{train,val,test}_v2.json       [{"id", "video_id", "path", "dim", "label"}, ...]
    videos/{train,val,test}/<video>/<id>.mp4, ids from 0 in each split; 6 digits in train, else 5
```

`path` is relative to `videos/<split>`, `dim` is frames, height and width. In v1 the side that is
not trained on is called `test`: it is VIRAT's validation. Both get `class_map.json`, which v1 as
published has not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from tinyvirat.common.files import write_text
from tinyvirat.datasets.records import SPLITS, ClipRecord, ManifestError
from tinyvirat.datasets.tubes import TINYVIRAT_CLASSES, VIRAT_EVENTS, PlannedClip

Layout = Literal["v1", "v2"]

VIDEOS = "videos"
CLASS_MAP = "class_map.json"
SPLITS_OF_V1 = {"train": "train", "val": "test"}
FILES = {
    "v1": {"train": "tiny_train.json", "test": "tiny_test.json"},
    "v2": {split: f"tiny_{split}_v2.json" for split in SPLITS},
}
"""The file of each split."""


def split_in(layout: Layout, split: str) -> str:
    """What a layout calls a split.

    Raises:
        ManifestError: v1 has two sides only.
    """
    if layout == "v2":
        return split
    if split not in SPLITS_OF_V1:
        raise ManifestError(
            f"the layout v1 has no place for the split {split!r}: its test split is VIRAT's "
            "validation; use the layout v2"
        )
    return SPLITS_OF_V1[split]


def names_of(clips: Iterable[PlannedClip], layout: Layout) -> list[str]:
    """The files of clips, without suffix, in the order of the clips."""
    counts = Counter[str]()
    names = []
    for clip in clips:
        within = clip.tube.video if layout == "v1" else clip.split
        digits = 0 if layout == "v1" else 6 if clip.split == "train" else 5
        names.append(f"{counts[within]:0{digits}d}")
        counts[within] += 1
    return names


def folder_of(split: str, video: str) -> str:
    """The folder of a video's clips below that of the data set; the split as the layout calls
    it."""
    return f"{VIDEOS}/{split}/{video}"


def classes_of(records: Iterable[ClipRecord]) -> tuple[str, ...]:
    """The classes that occur: TinyVIRAT's in their published order, VIRAT's events, the others."""
    present = {label for record in records for label in record.labels}
    known = TINYVIRAT_CLASSES + VIRAT_EVENTS
    others = sorted(present.difference(known))
    return (*(label for label in known if label in present), *others)


def write_layout(out: Path, layout: Layout, records: Sequence[ClipRecord]) -> None:
    """Writes the JSON files of a data set whose clips lie where `folder_of` says.

    A file of a split without clips is written too, empty, so that none from before is left.
    """
    for split, name in FILES[layout].items():
        entries = [_entry(record, layout) for record in records if record.split == split]
        data: object = entries if layout == "v2" else {"tubes": entries}
        write_text(out / name, json.dumps(data, indent=1) + "\n")
    numbers = {label: number for number, label in enumerate(classes_of(records))}
    write_text(out / CLASS_MAP, json.dumps(numbers, indent=1) + "\n")


def _entry(record: ClipRecord, layout: Layout) -> dict[str, object]:
    path = PurePosixPath(record.path)
    entry: dict[str, object] = {
        "path": path.relative_to(PurePosixPath(VIDEOS, record.split)).as_posix(),
        "dim": [record.frames, record.height, record.width],
        "label": list(record.labels),
    }
    return entry if layout == "v1" else {"id": path.stem, "video_id": record.source, **entry}
