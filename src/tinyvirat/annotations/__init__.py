"""Annotations of surveillance video: every format becomes `Track` and `Activity`."""

from tinyvirat.annotations.discover import (
    AnnotationFiles,
    find_annotations,
    list_annotations,
    match_videos,
)
from tinyvirat.annotations.problems import AnnotationError, Problem
from tinyvirat.annotations.reading import read_annotations
from tinyvirat.annotations.records import Activity, Annotations, Track

__all__ = [
    "Activity",
    "AnnotationError",
    "AnnotationFiles",
    "Annotations",
    "Problem",
    "Track",
    "find_annotations",
    "list_annotations",
    "match_videos",
    "read_annotations",
]
