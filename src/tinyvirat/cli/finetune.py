"""`tinyvirat finetune`: a model of one's own from a model that is there."""

from __future__ import annotations

from pathlib import Path

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import say


def finetune(
    model: str,
    *,
    data: Path,
    out: Path,
    epochs: float = 10.0,
    batch: int = 8,
    lr: float = 1e-4,
    size: int | None = None,
    set: list[str] | None = None,
    cache: Path | None = None,
    root: Path | None = None,
    cpu: bool = False,
) -> int:
    """Trains a model on classes of your own; run again, goes on where it was stopped.

    The network, its super-resolution and its preprocessing are the model's; the last layer is new,
    and the classifier learns while super-resolution stays as it is. Rare classes count as much as
    frequent ones. Then `tinyvirat recognize CLIP --model OUT` uses the result.

    Args:
        model: a run's or a model's folder, or the name of fetched weights.
        data: a folder with one sub-folder of clips a class, or a manifest.
        out: the run's folder.
        epochs: how often each training clip is seen.
        batch: clips an iteration.
        lr: learning rate.
        size: side in pixels of the network's input; default: the model's.
        set: values that win over those chosen here, such as phase3.freeze_generator=false.
        cache: folder of decoded frames.
        root: the folder that a manifest's paths are relative to, where it is not its own.
        cpu: compute on the CPU even where there is a GPU.
    """
    from tinyvirat.training.data import ClipFiles
    from tinyvirat.training.finetune import recipe_for
    from tinyvirat.training.recipe import with_overrides
    from tinyvirat.training.run import Order, run

    if root is not None and data.is_dir():
        raise TinyviratError(f"{data}: is a folder; --root is for a manifest, leave it out")
    manifest = _manifest(data)
    recipe = recipe_for(model, out.name, epochs=epochs, batch=batch, lr=lr, size=size)
    recipe = with_overrides(recipe, tuple(set or ()))
    source = None if recipe.super_resolution is None else Path(recipe.weights or model)
    files = ClipFiles(manifest, root=root)
    order = Order(files, out, super_resolution=source, cache=cache, cpu=cpu)
    run(recipe, order)
    say(f"done; use it with: tinyvirat recognize CLIP --model {out}")
    return 0


def _manifest(data: Path) -> Path:
    """The manifest at `data`, or one made of the folder `data`."""
    if not data.is_dir():
        return data
    from tinyvirat.cli.data import prepare_folder

    manifest = data / "manifest.jsonl"
    if not manifest.is_file():
        prepare_folder(data, out=manifest)
    return manifest
