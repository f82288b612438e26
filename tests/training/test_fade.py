"""How fast a new stage takes over, and that nothing jumps when it begins."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tinyvirat.models.blocks import resize_video, size_of
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.training.fade import Fade


def test_the_paper_takes_200_iterations() -> None:
    alphas = [Fade().alpha(step, steps_per_epoch=7.0) for step in range(301)]
    assert alphas[0] == 0.0
    assert alphas[1] == pytest.approx(5e-3)
    assert alphas[100] == pytest.approx(0.5)
    assert alphas[199] < 1.0
    assert set(alphas[200:]) == {1.0}
    assert all(b >= a for a, b in pairwise(alphas))


def test_the_published_code_takes_two_epochs() -> None:
    fade = Fade(epochs=2.0)
    assert [fade.alpha(step, 10.0) for step in (0, 5, 10, 20, 50)] == [0.0, 0.25, 0.5, 1.0, 1.0]
    assert fade.alpha(1, 0.5) == 1.0


@pytest.mark.parametrize("values", [{"per_step": 0.0}, {"per_step": 1.5}, {"epochs": 0.0}])
def test_a_fade_that_never_ends_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))} is"):
        Fade(**values)


@pytest.mark.parametrize(("scale", "stage"), [(4, 2), (8, 2), (8, 3)])
def test_a_stage_begins_where_the_one_before_it_ended(scale: int, stage: int) -> None:
    """At alpha 0 the new stage adds what the old one added, only enlarged."""
    torch.manual_seed(0)
    network = ProgressiveDVSRConfig(scale=scale, channels=4, growth=4).build().eval()
    for head in network.heads:
        torch.nn.init.normal_(head.rgb.weight)  # fresh ones are too small to see a jump
    x_BCTHW = torch.rand(1, 3, 8, 4, 4) * 2 - 1
    with torch.no_grad():
        before = network(x_BCTHW, stage - 1).video_BCTHW
        after = network(x_BCTHW, stage, 0.0).video_BCTHW
        whole = network(x_BCTHW, stage, 1.0).video_BCTHW
        nearly = network(x_BCTHW, stage, 1.0 - 1e-4).video_BCTHW
    added = before - resize_video(x_BCTHW, size_of(before))
    torch.testing.assert_close(
        after, resize_video(added, size_of(after)) + resize_video(x_BCTHW, size_of(after))
    )
    assert (after - whole).abs().mean() > 0.01  # the stages differ, so that a jump would show
    torch.testing.assert_close(nearly, whole, atol=1e-2, rtol=0.0)
