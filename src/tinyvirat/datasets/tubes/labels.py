"""Which activities the construction looks at.

TinyVIRAT's 26 classes are 26 of the 40 activities of the DIVA annotation of VIRAT. The other 14 are
left out before anything is merged, so that no clip is split where one of them begins: published
clips are labelled as though they were not there. VIRAT's own text annotations know 12 other events,
which are a vocabulary of their own and are kept as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tinyvirat.annotations import Activity
from tinyvirat.annotations.virat_text import EVENT_NAMES
from tinyvirat.datasets.records import ManifestError, check_label
from tinyvirat.datasets.tubes.rules import LabelRule

TINYVIRAT_CLASSES = (
    "Opening",
    "Interacts",
    "Pull",
    "activity_carrying",
    "Entering",
    "vehicle_moving",
    "Exiting",
    "Loading",
    "Talking",
    "activity_running",
    "vehicle_turning_left",
    "vehicle_stopping",
    "Riding",
    "Closing",
    "activity_walking",
    "Push",
    "specialized_using_tool",
    "vehicle_starting",
    "specialized_miscellaneous",
    "activity_standing",
    "Transport_HeavyCarry",
    "activity_gesturing",
    "vehicle_turning_right",
    "specialized_talking_phone",
    "specialized_texting_phone",
    "Misc",
)
"""In the order of the class map that ships with TinyVIRAT-v2; the number is the class."""

VIRAT_EVENTS = tuple(EVENT_NAMES.values())
"""The 12 events of VIRAT's text annotations, in the order of their numbers."""

SELECTIONS = {"tinyvirat26": frozenset(TINYVIRAT_CLASSES + VIRAT_EVENTS), "all": None}
"""Names by `LabelRule.select`; `None` is every name."""


@dataclass(frozen=True)
class Labelled:
    """Activities under the names that clips will carry.

    Attributes:
        activities: those that are looked at.
        left_out: names that are not, with the number of their activities; sorted.
    """

    activities: tuple[Activity, ...]
    left_out: tuple[tuple[str, int], ...]


def select_labels(activities: Iterable[Activity], rule: LabelRule) -> Labelled:
    """Renames activities and leaves out those that are not asked for.

    A name that no manifest can hold is left out too, whatever the selection.
    """
    names = dict(rule.rename)
    wanted = SELECTIONS[rule.select]
    kept, left_out = [], Counter[str]()
    for activity in activities:
        label = names.get(activity.label, activity.label)
        if (wanted is None or label in wanted) and _is_label(label):
            kept.append(replace(activity, label=label))
        else:
            left_out[label] += 1
    return Labelled(tuple(kept), tuple(sorted(left_out.items())))


def _is_label(name: str) -> bool:
    try:
        check_label(name)
    except ManifestError:
        return False
    return True
