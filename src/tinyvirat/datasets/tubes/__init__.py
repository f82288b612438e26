"""TinyVIRAT's construction (section III of the paper) as pure functions: annotations to clips."""

from tinyvirat.datasets.tubes.labels import TINYVIRAT_CLASSES, VIRAT_EVENTS
from tinyvirat.datasets.tubes.plan import LeftOut, VideoPlan, plan_video, select
from tinyvirat.datasets.tubes.records import PlannedClip, Span, Tube
from tinyvirat.datasets.tubes.rules import BuildRules, RulesError, read_rules
from tinyvirat.datasets.tubes.splits import Splits, splits_of
from tinyvirat.datasets.tubes.statistics import (
    ClassCount,
    Sample,
    Statistics,
    samples_of_plan,
    samples_of_records,
    samples_of_spans,
    statistics,
)

__all__ = [
    "TINYVIRAT_CLASSES",
    "VIRAT_EVENTS",
    "BuildRules",
    "ClassCount",
    "LeftOut",
    "PlannedClip",
    "RulesError",
    "Sample",
    "Span",
    "Splits",
    "Statistics",
    "Tube",
    "VideoPlan",
    "plan_video",
    "read_rules",
    "samples_of_plan",
    "samples_of_records",
    "samples_of_spans",
    "select",
    "splits_of",
    "statistics",
]
