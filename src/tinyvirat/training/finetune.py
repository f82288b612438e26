"""A recipe made from a model that is there, for classes of one's own."""

from __future__ import annotations

from tinyvirat.models.saved import load_model, model_folder
from tinyvirat.training.classification_losses import CrossEntropy
from tinyvirat.training.recipe import ClassifierPhase, Clips, Optimizer, Recipe
from tinyvirat.video.sampling import AnySampler, RandomWindow


def recipe_for(
    model: str,
    name: str,
    *,
    epochs: float = 10.0,
    batch: int = 8,
    lr: float = 1e-4,
    size: int | None = None,
) -> Recipe:
    """The recipe that trains `model`'s classifier on other clips.

    Windows span as many frames as the model's, in training about as many. The statistics of the
    batch norms stay: user's sets and batches are small. Adam has PyTorch's usual betas and a cosine
    decay here; the paper's are for its three phases.

    Args:
        model: a run's or a model's folder, or the name of fetched weights.
        name: of the new model.
        epochs: how often each training clip is seen.
        batch: clips an iteration, at most as many as there are.
        lr: learning rate.
        size: side in pixels of the network's input; None: the model's.

    Raises:
        ModelError: no such model.
    """
    folder = model_folder(model)
    spec = load_model(folder).spec
    preprocess = spec.preprocess
    full = spec.config.side if preprocess.full is None else preprocess.full
    stride = _stride(spec.sampler)
    clips = Clips(
        size=size or preprocess.sizes[0],
        full=full,
        short_side=preprocess.short_side or full,
        tiny=preprocess.full is None,
        fit="pad" if preprocess.fit == "crop" else preprocess.fit,
        frames=spec.sampler.length,
        strides=(1, 2) if stride == 1 else (stride - 1, stride, stride + 1),
        test_stride=stride,
        seen=None if spec.config.side == full else spec.config.side,
    )
    return Recipe(
        name=name,
        classifier=spec.config.classifier,
        super_resolution=spec.config.super_resolution,
        weights=str(folder),
        clips=clips,
        phase3=ClassifierPhase(
            epochs=epochs,
            batch=batch,
            freeze_norm=True,
            loss=CrossEntropy(class_weights=True),
            optimizer=Optimizer(lr=lr, betas=(0.9, 0.999), decay="cosine"),
        ),
    )


def _stride(sampler: AnySampler) -> int:
    """The distance between the frames of a window."""
    return sampler.strides[0] if isinstance(sampler, RandomWindow) else sampler.stride
