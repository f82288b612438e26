"""How a map is held to masks: cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tinyvirat.demo.attention import centre_gaussian, compare, shrink_masks


def masks(*corners: tuple[int, int]) -> np.ndarray:
    """Frames of 8 x 8 with a 4 x 4 actor each."""
    made = np.zeros((len(corners), 8, 8), bool)
    for frame, (y, x) in zip(made, corners, strict=True):
        frame[y : y + 4, x : x + 4] = True
    return made


def test_a_map_that_is_the_mask_is_perfect_at_any_scale() -> None:
    truth = masks((0, 0), (4, 3))
    found = compare(truth * 0.2, truth).learnt
    assert (found.pointing, found.iou) == (1.0, 1.0)


def test_a_map_beside_the_actor_scores_nothing() -> None:
    found = compare(masks((4, 4)).astype(float), masks((0, 0))).learnt
    assert (found.pointing, found.iou) == (0.0, 0.0)


def test_a_map_that_is_the_same_everywhere_is_chance() -> None:
    truth = masks((0, 0), (4, 4))
    found = compare(np.full((2, 8, 8), 0.3), truth)
    assert found.learnt == found.chance
    assert found.chance.pointing == found.chance.iou == 0.25


def test_an_empty_map_is_chance_in_pointing_and_finds_nothing() -> None:
    found = compare(np.zeros((1, 8, 8)), masks((0, 0))).learnt
    assert (found.pointing, found.iou) == (0.25, 0.0)


def test_half_of_the_largest_values_on_the_actor_count_half() -> None:
    maps = np.zeros((1, 8, 8))
    maps[0, 0, 0] = maps[0, 7, 7] = 0.5
    assert compare(maps, masks((0, 0))).learnt.pointing == 0.5


def test_the_middle_finds_what_stands_in_the_middle() -> None:
    assert compare(np.zeros((1, 8, 8)), masks((2, 2))).centre.pointing == 1.0
    assert compare(np.zeros((1, 8, 8)), masks((0, 0))).centre.pointing == 0.25  # one of four
    assert np.allclose(centre_gaussian(8, 8), centre_gaussian(8, 8)[::-1, ::-1])


def test_frames_without_an_actor_do_not_count() -> None:
    truth = masks((0, 0), (0, 0))
    truth[1] = False
    assert compare(masks((0, 0), (4, 4)).astype(float), truth).frames == 1
    with pytest.raises(ValueError, match="no frame shows an actor"):
        compare(np.zeros((1, 8, 8)), np.zeros((1, 8, 8), bool))


def test_masks_shrink_to_where_actors_fill_half() -> None:
    large = torch.zeros(1, 16, 16, dtype=torch.uint8)
    large[0, :8, 4:12] = 3
    assert np.array_equal(shrink_masks(large, 8)[0], np.pad(np.ones((4, 4)), ((0, 4), (2, 2))) > 0)
