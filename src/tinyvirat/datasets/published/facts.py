"""What the authors of each data set say of it: its clips a split, its classes, its name.

The paper's Table I gives TinyVIRAT 12,829 videos, which is 7,663 + 5,166. Its row `JHMDB-51` (51
classes, about 7,000 videos) describes HMDB-51: JHMDB has 21 classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinyvirat.datasets.tubes import TINYVIRAT_CLASSES

__all__ = ["HMDB51", "TINYVIRAT", "TINYVIRAT_CLASSES", "TINYVIRAT_V2", "UCF101", "Facts"]


@dataclass(frozen=True)
class Facts:
    """What is published of a data set, or of one of its splits.

    Attributes:
        name: what reports call it.
        clips: number of clips by `train`, `val` and `test`; a split that it has not is left out.
        classes: number of classes.
        unused: clips that belong to it and to neither side of this split.
    """

    name: str
    clips: Mapping[str, int]
    classes: int
    unused: int = 0


def _facts(name: str, classes: int, unused: int = 0, **clips: int) -> Facts:
    return Facts(name, MappingProxyType(clips), classes, unused)


TINYVIRAT = _facts("TinyVIRAT", 26, train=7_663, test=5_166)
TINYVIRAT_V2 = _facts("TinyVIRAT-v2", 26, train=16_950, val=3_308, test=6_097)
UCF101 = {
    1: _facts("UCF-101, split 1", 101, train=9_537, test=3_783),
    2: _facts("UCF-101, split 2", 101, train=9_586, test=3_734),
    3: _facts("UCF-101, split 3", 101, train=9_624, test=3_696),
}
HMDB51 = {
    split: _facts(f"HMDB-51, split {split}", 51, 1_666, train=3_570, test=1_530)
    for split in (1, 2, 3)
}
UCF101_TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}
"""The groups of clips that each split of UCF-101 tests on."""
