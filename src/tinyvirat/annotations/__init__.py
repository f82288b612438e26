"""Annotations of surveillance video: every format becomes `Track` and `Activity`."""

from tinyvirat.annotations.records import Activity, Track

__all__ = ["Activity", "Track"]
