"""A super-resolution network that several runs share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinyvirat.common.errors import TinyviratError
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.recognizer import Recognizer, RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.training.run import take_super_resolution
from tinyvirat.video.sampling import AllWindows

from .small import CLASSES, CLASSIFIER, CLIPS, NETWORK


def build(network: ProgressiveDVSRConfig | None) -> Recognizer:
    """A recogniser with other weights than the one before."""
    classifier = replace(CLASSIFIER, num_classes=len(CLASSES))
    return RecognizerConfig(classifier, network, side=32).build()


def save(folder: Path, network: Recognizer) -> None:
    spec = ModelSpec("x", network.config, CLASSES, False, CLIPS.preprocess(), AllWindows(8))
    save_model(folder, Model(spec, network.eval()))


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recognizer:
    """A network with the branch: a model's folder, a run's, and among the fetched weights."""
    monkeypatch.setenv("TINYVIRAT_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    network = build(NETWORK)
    for folder in ("here", "run/model", "weights/by-name"):
        save(tmp_path / folder, network)
    return network


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("source", ["here", "run", "run/model", "by-name"])
def test_it_is_taken_from_a_folder_a_run_or_a_name(
    theirs: Recognizer, source: str, attention: bool
) -> None:
    mine = build(replace(NETWORK, attention=attention))
    classifier = {name: t.clone() for name, t in mine.classifier.state_dict().items()}
    take_super_resolution(mine, Path(source))
    assert mine.super_resolution is not None and theirs.super_resolution is not None
    given = theirs.super_resolution.state_dict()
    for name, tensor in mine.super_resolution.state_dict().items():
        assert torch.equal(tensor, given[name]), name
    for name, tensor in mine.classifier.state_dict().items():
        assert torch.equal(tensor, classifier[name]), name


@pytest.mark.usefixtures("theirs")
def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    save(tmp_path / "alone", build(None))
    with pytest.raises(TinyviratError, match="alone: there is no super-resolution network"):
        take_super_resolution(build(NETWORK), Path("alone"))
    with pytest.raises(TinyviratError, match="here: there is no super-resolution network"):
        take_super_resolution(build(None), Path("here"))
    with pytest.raises(TinyviratError, match="here"):
        take_super_resolution(build(replace(NETWORK, channels=8)), Path("here"))
    with pytest.raises(TinyviratError, match=r"here: another super-resolution network: only one"):
        take_super_resolution(build(replace(NETWORK, scale=8)), Path("here"))
    with pytest.raises(TinyviratError, match="nowhere: neither a folder"):
        take_super_resolution(build(NETWORK), Path("nowhere"))
