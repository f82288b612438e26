"""`tinyvirat train` and `tinyvirat finetune`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
    set: list[str] | None = None,
    cache: Path | None = None,
    until: int | None = None,
    cpu: bool = False,
) -> int:
    """Trains as a recipe says; run again, goes on where it was stopped.

    Args:
        recipe: a YAML file, or the name of a recipe of this package.
        data: manifest of the labelled clips.
        out: the run's folder.
        sr_data: manifest of larger clips, labelled or not, that give low- and high-resolution
            pairs; without it DATA gives them.
        phase: numbers of the phases to carry out (1 super-resolution, 2 joint, 3 classifier).
        sr_from: a finished run whose super-resolution network is taken over.
        set: values that win over the recipe's, such as phase3.optimizer.lr=0.0001.
        cache: folder of decoded frames.
        until: leave off after so many iterations; the same command goes on from there.
        cpu: compute on the CPU even where there is a GPU.
    """
    from tinyvirat.training.recipe import load_recipe
    from tinyvirat.training.run import Order, run

    loaded = load_recipe(recipe_path(recipe), tuple(set or ()))
    order = Order(
        data=data,
        out=out,
        sr_data=sr_data,
        phases=tuple(phase or ()),
        super_resolution=sr_from,
        cache=cache,
        until=until,
        cpu=cpu,
    )
    return _said(run(loaded, order), loaded, out)


def recipe_path(name: str) -> Path:
    """The file of a recipe: a path, or the name of one in the package.

    Raises:
        TinyviratError: neither, with the names there are.
    """
    from importlib import resources

    from tinyvirat.common.errors import TinyviratError

    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return path
    folder = Path(str(resources.files("tinyvirat.recipes")))
    inside = {p.relative_to(folder).with_suffix("").as_posix(): p for p in folder.rglob("*.yaml")}
    if name not in inside:
        raise TinyviratError(
            f"{name}: neither a .yaml file nor a recipe of this package; there are "
            + ", ".join(sorted(inside))
        )
    return inside[name]


def _said(complete: bool, recipe: Recipe, out: Path) -> int:
    if complete:
        sys.stderr.write(f"{recipe.name}: done; the model is in {out / 'model'}\n")
    else:
        sys.stderr.write(f"{recipe.name}: left off; the same command goes on\n")
    return 0
