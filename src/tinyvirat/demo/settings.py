"""What a demonstration does: which scenes, which recipes, which seed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.training.recipe import Recipe, load_recipe

METHOD, BICUBIC = "method", "bicubic"
RUNS = (METHOD, BICUBIC)


class DemoError(TinyviratError):
    """A demonstration that cannot go on."""


@dataclass(frozen=True)
class Settings:
    """A demonstration; the defaults are what `tinyvirat demo` does.

    Attributes:
        seed: of the scenes, of the networks' first weights and of every random draw.
        clips_per_action: how many clips are rendered for each of the seven actions.
        frames: of a clip.
        fps: frames a second.
        sides: the smallest and the largest side of a tiny clip in pixels.
        large_side: side in pixels of the same clips drawn large.
        splits: shares of the scenes for training, validation and test.
        method: what is changed in the recipe of the method: `key.key=value` each.
        bicubic: the same for the baseline.
    """

    seed: int = 0
    clips_per_action: int = 40
    frames: int = 24
    fps: Fraction = Fraction(15)
    sides: tuple[int, int] = (12, 28)
    large_side: int = 64
    splits: tuple[float, float, float] = (0.65, 0.05, 0.3)
    method: tuple[str, ...] = ()
    bicubic: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise DemoError(f"seed {self.seed}: it must be 0 or more")

    def recipe(self, name: str) -> Recipe:
        """The recipe of `method` or `bicubic`, with this demonstration's seed.

        Raises:
            RecipeError: a change does not fit the recipe.
        """
        changes = self.method if name == METHOD else self.bicubic
        path = Path(str(resources.files("tinyvirat.recipes"))) / "demo" / f"{name}.yaml"
        return load_recipe(path, (*changes, f"seed={self.seed}"))


def iterations(recipe: Recipe) -> int:
    """The iterations of all phases of a recipe that counts them in steps."""
    steps = sum(recipe.phase1.steps) if recipe.phase1 else 0
    return steps + sum(phase.steps for phase in (recipe.phase2, recipe.phase3) if phase)
