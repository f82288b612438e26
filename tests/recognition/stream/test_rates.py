"""Windows of a video of another frame rate last as long as those the model learnt from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinyvirat.recognition.stream.windows import sliding
from tinyvirat.video.sampling import AllWindows


@given(st.integers(1, 6), st.floats(1.0, 60.0), st.floats(5.0, 60.0))
def test_frames_are_as_many_seconds_apart_as_they_were(
    stride: int, fps: float, learnt: float
) -> None:
    found = sliding(AllWindows(stride=stride), 0.5, fps / learnt)
    wanted, apart = stride / learnt, found.stride / fps
    assert found.stride == 1 or abs(apart - wanted) <= 0.5 / fps + 1e-9
    assert found.stride >= 1 and found.hop == 8 * found.stride


def test_the_rate_of_the_training_clips_changes_nothing() -> None:
    assert sliding(AllWindows(stride=3), 0.5) == sliding(AllWindows(stride=3), 0.5, 1.0)
