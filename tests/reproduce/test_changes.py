"""Changes that concern many rows, and budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyvirat.reproduce.changes import Budget, changed, refuse_idle
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.training.fade import Fade
from tinyvirat.training.recipe import Recipe, RecipeError, SuperResolutionPhase

from ..training.small import RECIPE, without

ALONE = replace(without(RECIPE, 1, 2), super_resolution=None)


class TestChanged:
    def test_a_change_without_a_pattern_is_for_all(self) -> None:
        assert changed(RECIPE, "a", ["clips.flip=0.25"]).clips.flip == 0.25

    @pytest.mark.parametrize(
        ("pattern", "row", "concerned"),
        [("a_*", "a_14", True), ("a_*", "b_14", False), ("a", "a_14", False), ("?", "a", True)],
    )
    def test_a_pattern_names_rows(self, pattern: str, row: str, concerned: bool) -> None:
        found = changed(RECIPE, row, [f"{pattern}:clips.flip=0.25"])
        assert (found.clips.flip == 0.25) is concerned

    def test_a_colon_in_the_value_is_no_pattern(self) -> None:
        assert changed(RECIPE, "x", ["weights=a:b"]).weights == "a:b"

    def test_what_a_row_does_not_have_is_not_made(self) -> None:
        changes = ["phase2.lambda_rec=3", "super_resolution.channels=8", "phase3.batch=2"]
        found = changed(ALONE, "x", changes)
        assert (found.phase2, found.super_resolution) == (None, None)
        assert found.phase3 is not None and found.phase3.batch == 2

    def test_the_last_wins(self) -> None:
        assert changed(RECIPE, "x", ["clips.flip=0.25", "x:clips.flip=0.75"]).clips.flip == 0.75

    def test_changes_that_only_fit_together_are_made_together(self) -> None:
        changes = ["clips.size=4", "super_resolution.scale=8", "phase1.steps=[1, 1, 1]"]
        assert changed(RECIPE, "x", changes).clips.size == 4

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ("clip.flip=1", "'clip' is not one of .*did you mean 'clips'"),
            ("phase3.bach=1", "'bach' is not one of .*did you mean 'batch'"),
            ("clips.flip", "write KEY=VALUE"),
            ("clips.flip=3", "flip is 3"),
        ],
    )
    def test_a_wrong_change_is_told(self, change: str, message: str) -> None:
        with pytest.raises(RecipeError, match=message):
            changed(RECIPE, "x", [change])

    def test_a_pattern_of_no_row_is_a_mistake(self) -> None:
        refuse_idle(["a_*:clips.flip=0", "clips.flip=0"], ["a_14", "b_14"])
        with pytest.raises(ReproduceError, match=r"no row is called 'c_\*'; there are a_14, b_14"):
            refuse_idle(["c_*:clips.flip=0"], ["a_14", "b_14"])


class TestBudget:
    def test_a_share_holds_for_every_phase_and_for_the_fade_in(self) -> None:
        recipe = replace(
            RECIPE,
            phase1=SuperResolutionPhase(steps=(80, 160), fade=Fade(per_step=0.01)),
        )
        found = Budget(0.1).of(recipe)
        assert found.phase1 is not None and found.phase2 is not None and found.phase3 is not None
        assert found.phase1.steps == (8, 16)
        assert found.phase1.fade.per_step == pytest.approx(0.1)
        assert (found.phase2.steps, found.phase3.steps) == (1, 1)  # of 3: not less than 1

    def test_epochs_are_scaled_as_they_are(self) -> None:
        recipe = replace(
            RECIPE,
            phase1=SuperResolutionPhase(epochs=(30.0, 440.0), fade=Fade(epochs=2.0)),
            phase3=replace(_phase3(RECIPE), steps=0, epochs=40.0),
        )
        found = Budget(0.01).of(recipe)
        assert found.phase1 is not None and found.phase3 is not None
        assert found.phase1.epochs == pytest.approx((0.3, 4.4))
        assert found.phase1.fade.epochs == pytest.approx(0.02)
        assert found.phase3.epochs == pytest.approx(0.4)

    def test_a_fade_in_is_never_slower_than_the_recipes(self) -> None:
        found = Budget(0.001).of(RECIPE)
        assert found.phase1 is not None and found.phase1.fade.per_step == 1.0

    def test_a_number_of_iterations_is_that_of_every_stage(self) -> None:
        epochs = replace(RECIPE, phase1=SuperResolutionPhase(epochs=(30.0, 440.0)))
        for recipe in (RECIPE, epochs):
            found = Budget(steps=2).of(recipe)
            assert found.phase1 is not None and found.phase3 is not None
            assert (found.phase1.steps, found.phase1.epochs) == ((2, 2), ())
            assert (found.phase3.steps, found.phase3.epochs) == (2, 0.0)

    @pytest.mark.parametrize(("steps", "last"), [(2, 1), (100, 50), (1000, 200)])
    def test_a_fade_in_ends_within_half_of_them(self, steps: int, last: int) -> None:
        for fade in (Fade(per_step=0.005), Fade(epochs=2.0)):
            recipe = replace(RECIPE, phase1=SuperResolutionPhase(steps=(80, 160), fade=fade))
            found = Budget(steps=steps).of(recipe)
            assert found.phase1 is not None
            alphas = [found.phase1.fade.alpha(step, 7.0) for step in (last - 1, last)]
            assert alphas[0] < 1.0 and alphas[1] == 1.0

    def test_without_a_budget_nothing_changes(self) -> None:
        assert Budget().of(RECIPE) is RECIPE
        assert Budget().words == ""

    def test_it_says_what_it_is(self) -> None:
        assert "1 %" in Budget(0.01).words
        assert "2 iterations" in Budget(steps=2).words

    def test_phases_that_are_not_there_stay_away(self) -> None:
        found = Budget(0.5).of(ALONE)
        assert (found.phase1, found.phase2) == (None, None)

    @pytest.mark.parametrize(
        ("share", "steps", "message"),
        [
            (0.0, None, "not in"),
            (1.5, None, "not in"),
            (float("nan"), None, "not in"),
            (1.0, 0, "too few"),
            (0.5, 2, "not both"),
        ],
    )
    def test_a_budget_that_cannot_be(self, share: float, steps: int | None, message: str) -> None:
        with pytest.raises(ReproduceError, match=message):
            Budget(share, steps)


def _phase3(recipe: Recipe) -> object:
    assert recipe.phase3 is not None
    return recipe.phase3
