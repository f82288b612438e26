"""Settings within their bounds, and the words for those that are not."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.ranges import at_least, within
from tinyvirat.datasets.simulate.config import SceneConfig, SimulationError
from tinyvirat.datasets.tubes.rules import CropRule
from tinyvirat.recognition.proposals.records import ProposalError
from tinyvirat.recognition.proposals.settings import KeepingSettings
from tinyvirat.recognition.stream.settings import StreamError, StreamSettings


@pytest.mark.parametrize("value", [0.0, 1, 0.5, Fraction(1, 3)])
def test_bounds_are_allowed(value: float) -> None:
    within(TinyviratError, "share", value, 0, 1)


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (-0.1, 0, 1, "share is -0.1; it must be from 0 to 1"),
        (1.5, 0.0, 1.0, "share is 1.5; it must be from 0 to 1"),
        (math.nan, 0.0, 0.9, "share is nan; it must be from 0 to 0.9"),
        (math.inf, 0.0, 0.9, "share is inf; it must be from 0 to 0.9"),
        (-1, 0, 2**63 - 1, "share is -1; it must be from 0 to 9223372036854775807"),
        (Fraction(1, 2), 1, 240, "share is 1/2; it must be from 1 to 240"),
    ],
)
def test_what_is_outside_is_named_with_the_bounds(
    value: float, low: float, high: float, said: str
) -> None:
    with pytest.raises(TinyviratError) as caught:
        within(TinyviratError, "share", value, low, high)
    assert str(caught.value) == said


@pytest.mark.parametrize("value", [-1, math.nan])
def test_what_is_less_is_named(value: float) -> None:
    at_least(0, steps=0, epochs=0.5, batch=math.inf)
    with pytest.raises(ValueError, match=rf"^epochs is {value}; it must be 0 or more$"):
        at_least(0, steps=1, epochs=value)


def test_settings_of_all_rooms_say_it_alike() -> None:
    with pytest.raises(StreamError, match=r"^overlap is 0\.95; it must be from 0 to 0\.9$"):
        StreamSettings(overlap=0.95)
    with pytest.raises(ProposalError, match=r"^smooth is 11\.0; it must be from 0 to 10$"):
        KeepingSettings(smooth=11.0)
    with pytest.raises(ValueError, match=r"^context is nan; it must be from 0 to 10$"):
        CropRule(context=math.nan)
    with pytest.raises(SimulationError, match=r"^fps is 1/2; it must be from 1 to 240$"):
        SceneConfig(fps=Fraction(1, 2))
