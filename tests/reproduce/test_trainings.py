"""Recipes cut into runs: what is shared, and that cutting changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinyvirat.models.saved import load_model
from tinyvirat.reproduce.named import FAMILIES
from tinyvirat.reproduce.plan import make_plan
from tinyvirat.reproduce.trainings import UNUSED, Training, trainings_of
from tinyvirat.reproduce.work import Place, Task, do
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.run import Order, run

from ..training.small import NETWORK, RECIPE, without, write_clips
from .small import sources_of

WITHOUT = replace(
    without(RECIPE, 2), name="without", super_resolution=replace(NETWORK, attention=False)
)


def names(training: Training) -> list[str]:
    return [one.recipe.name for one in training.chain()]


class TestCutting:
    def test_three_phases_are_three_runs(self) -> None:
        runs = list(trainings_of(RECIPE, seed=4).chain())
        phases = [(one.recipe.phase1, one.recipe.phase2, one.recipe.phase3) for one in runs]
        assert phases == [
            (RECIPE.phase1, None, None),
            (None, RECIPE.phase2, None),
            (None, None, RECIPE.phase3),
        ]
        assert [one.recipe.name for one in runs] == [
            "super-resolution-prog-dvsr-8",
            "small-joint",
            "small",
        ]
        assert {one.recipe.seed for one in runs} == {4}
        assert [one.after for one in runs] == [None, runs[0], runs[1]]

    def test_a_classifier_alone_is_one_run(self) -> None:
        alone = replace(without(RECIPE, 1, 2), super_resolution=None)
        assert trainings_of(alone) == Training(alone)

    def test_a_classifier_that_goes_on_stays_with_the_joint_phase(self) -> None:
        assert RECIPE.phase3 is not None
        recipe = replace(RECIPE, phase3=replace(RECIPE.phase3, restart=False))
        assert names(trainings_of(recipe)) == ["super-resolution-prog-dvsr-8", "small"]

    def test_super_resolution_alone(self) -> None:
        assert names(trainings_of(without(RECIPE, 2, 3))) == ["super-resolution-prog-dvsr-8"]

    def test_the_network_of_another_recipe(self) -> None:
        later = without(RECIPE, 1)
        assert trainings_of(later, RECIPE) == trainings_of(RECIPE)

    def test_trained_at_once_is_called_so(self) -> None:
        assert RECIPE.phase1 is not None
        recipe = replace(RECIPE, phase1=replace(RECIPE.phase1, steps=(6,)))
        assert names(trainings_of(recipe))[0] == "super-resolution-prog-dvsr-8-at-once"


class TestSharing:
    def test_classifier_and_branch_are_nothing_to_super_resolution(self) -> None:
        first = next(trainings_of(RECIPE).chain())
        assert next(trainings_of(WITHOUT).chain()) == first
        assert first.recipe.classifier == UNUSED
        other = replace(RECIPE, classifier=UNUSED, weights="x", name="y")
        assert next(trainings_of(other).chain()) == first

    @pytest.mark.parametrize(("row", "shared"), [("end_to_end_14", True), ("prog_dvsr_14", False)])
    def test_families_share_what_has_no_stage_to_fade_in(self, row: str, shared: bool) -> None:
        plans = [make_plan("table4", rows=[row], family=one) for one in ("paper", *FAMILIES)]
        mine, theirs = (next(plan.training(plan.rows[0], 0).chain()) for plan in plans)
        assert (mine == theirs) is shared

    @pytest.mark.parametrize("changed", ["seed", "clips", "phase1", "width"])
    def test_what_decides_its_weights_makes_another_run(self, changed: str) -> None:
        assert RECIPE.phase1 is not None
        other = {
            "clips": replace(RECIPE, clips=replace(RECIPE.clips, flip=0.0)),
            "phase1": replace(RECIPE, phase1=replace(RECIPE.phase1, weight=2.0)),
            "width": replace(RECIPE, super_resolution=replace(NETWORK, channels=8)),
            "seed": RECIPE,
        }[changed]
        seed = 1 if changed == "seed" else 0
        mine, theirs = trainings_of(RECIPE), trainings_of(other, seed=seed)
        assert next(mine.chain()) != next(theirs.chain())
        # All that comes after it is another run too.
        assert mine.folder("d") != theirs.folder("d")

    def test_what_leaves_the_weights_as_they_are_makes_the_same_run(self) -> None:
        upkeep = replace(RECIPE.upkeep, workers=8, checkpoint_every=7, cache=True, picture_every=3)
        busy = trainings_of(replace(RECIPE, upkeep=upkeep))
        assert busy.folder("d") == trainings_of(RECIPE).folder("d")
        other = replace(RECIPE, upkeep=replace(RECIPE.upkeep, accumulate=2))
        assert trainings_of(other).folder("d") != busy.folder("d")

    def test_runs_of_one_name_and_seed_are_told_apart_in_words(self) -> None:
        wide = replace(RECIPE, super_resolution=replace(NETWORK, channels=8))
        tasks = [Task(trainings_of(recipe)) for recipe in (RECIPE, wide)]
        assert tasks[0].words != tasks[1].words
        assert tasks[0].words.startswith("train small at 8 px, seed 0 (")

    def test_a_folder_is_of_one_recipe_seed_and_data(self) -> None:
        run_of = trainings_of(RECIPE)
        folders = {
            run_of.folder("d"),
            run_of.folder("e"),
            trainings_of(RECIPE, seed=1).folder("d"),
            trainings_of(replace(RECIPE, name="b")).folder("d"),
        }
        assert len(folders) == 4
        assert run_of.folder("d").startswith("small-seed0-")

    def test_tables_share_their_runs(self) -> None:
        runs = Counter(
            one.recipe.name
            for one in make_plan("table2", seeds=2).trainings()
            if one.recipe.phase1 is not None
        )
        assert runs == {"super-resolution-prog-dvsr-28": 2}
        made = make_plan("table4")
        first = [one for one in made.trainings() if one.recipe.phase1 is not None]
        assert len(first) == 6  # DVSR, Prog. DVSR and its network at once, at two sizes
        assert len(made.trainings()) == 6 + 6 + 15
        assert len(made.tested) == 21


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder / "model").network.state_dict()


def test_cut_or_whole_the_weights_are_the_same(tmp_path: Path, hurried: None) -> None:
    data = write_clips(tmp_path / "clips", splits={"train": 8, "test": 2})
    run(RECIPE, Order(ClipFiles(data), out=tmp_path / "whole", cpu=True))
    place = Place(sources_of(data), tmp_path / "runs", cpu=True)
    last = trainings_of(RECIPE)
    for one in last.chain():
        do(Task(one), place)
    whole, cut = weights_of(tmp_path / "whole"), weights_of(place.folder(last))
    assert whole.keys() == cut.keys()
    unlike = {name for name in whole if not torch.equal(whole[name], cut[name])}
    assert not unlike
