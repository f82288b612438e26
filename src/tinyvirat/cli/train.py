"""`tinyvirat train` and `tinyvirat finetune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.common.progress import say

if TYPE_CHECKING:
    from tinyvirat.training.recipe import Recipe


def train(
    recipe: str,
    *,
    data: Path,
    out: Path,
    sr_data: Path | None = None,
    phase: list[int] | None = None,
    sr_from: Path | None = None,
    teacher: Path | None = None,
    set: list[str] | None = None,
    cache: Path | None = None,
    root: Path | None = None,
    sr_root: Path | None = None,
    until: int | None = None,
    cpu: bool = False,
) -> int:
    """Trains as a recipe says; run again, goes on where it was stopped.

    Args:
        recipe: a YAML file, the name of a recipe of this package (table4/prog_dvsr_14), or a row of
            one of its tables (table4/end_to_end_14).
        data: manifest of the labelled clips.
        out: the run's folder.
        sr_data: manifest of larger clips, labelled or not, that give low- and high-resolution
            pairs; without it DATA gives them.
        phase: numbers of the phases to carry out (1 super-resolution, 2 joint, 3 classifier).
        sr_from: a finished run, or a model's folder or name, whose super-resolution network is
            taken over.
        teacher: a finished run, or a model's folder or name, from which the classifier learns, for
            a recipe with phase3.distill.
        set: values that win over the recipe's, such as phase3.optimizer.lr=0.0001.
        cache: folder of decoded frames.
        root: the folder that the paths of DATA are relative to, where it is not the manifest's own.
        sr_root: the same for SR_DATA.
        until: leave off after so many iterations; the same command goes on from there.
        cpu: compute on the CPU even where there is a GPU.
    """
    from tinyvirat.reproduce.named import named_recipe
    from tinyvirat.training.data import ClipFiles
    from tinyvirat.training.run import Order, run

    loaded = named_recipe(recipe, tuple(set or ()))
    order = Order(
        files=ClipFiles(data, sr_data, root=root, sr_root=sr_root),
        out=out,
        phases=tuple(phase or ()),
        super_resolution=sr_from,
        teacher=teacher,
        cache=cache,
        until=until,
        cpu=cpu,
    )
    return _said(run(loaded, order), loaded, out)


def _said(complete: bool, recipe: Recipe, out: Path) -> int:
    if complete:
        say(f"{recipe.name}: done; the model is in {out / 'model'}")
    else:
        say(f"{recipe.name}: left off; the same command goes on")
    return 0
