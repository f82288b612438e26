"""The challenge's answer: every test clip once, in order, whatever became of it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tinyvirat.cli import main
from tinyvirat.common.files import sha256_of
from tinyvirat.datasets import read_manifest
from tinyvirat.datasets.published.challenge import (
    AnswerError,
    answer_text,
    check_answer,
    class_columns,
    clip_number,
)
from tinyvirat.datasets.published.facts import TINYVIRAT_CLASSES
from tinyvirat.evaluation.prediction_file import write_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.recognition.load import load
from tinyvirat.video.sampling import AllWindows

from .conftest import Copy

ORDER = tuple(sorted(TINYVIRAT_CLASSES))  # not the challenge's
NONE = " ".join("0" * 26)


class TestTheFile:
    def test_lines(self) -> None:
        shown = {1: [n in (0, 25) for n in range(26)], 2: [True] * 26}
        text = answer_text(shown, 4)
        one = "00001 1 " + " ".join("0" * 24) + " 1"
        assert text.split("\n") == [
            f"00000 {NONE}",
            one,
            "00002 " + " ".join("1" * 26),
            f"00003 {NONE}",
            "",
        ]
        check_answer(text.splitlines(), 4, where="x")

    def test_the_whole_split(self) -> None:
        lines = answer_text({}).splitlines()
        assert len(lines) == 6097
        assert lines[-1] == f"06096 {NONE}"

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ([f"00000 {NONE}"], "x: 1 lines for 2 test clips"),
            ([f"00000 {NONE}", f"00000 {NONE}"], "x, line 2: clip 00000, not 00001"),
            ([f"00001 {NONE}", f"00000 {NONE}"], "x, line 1: clip 00001, not 00000"),
            ([f"0 {NONE}", f"00001 {NONE}"], "x, line 1: '0 0 0"),
            ([f"00000 {NONE} 0", f"00001 {NONE}"], "x, line 1"),
            ([f"00000 {NONE[:-2]}", f"00001 {NONE}"], "x, line 1"),
            ([f"00000 {NONE[:-1]}2", f"00001 {NONE}"], "x, line 1"),
            ([f"00000  {NONE}", f"00001 {NONE}"], "x, line 1"),
            ([f"00000 {NONE} ", f"00001 {NONE}"], "x, line 1"),
            ([f"00000 {NONE}", f"00001 {NONE}", f"00002 {NONE}"], "x: 3 lines for 2"),
        ],
    )
    def test_what_the_challenge_would_not_take(self, lines: list[str], message: str) -> None:
        with pytest.raises(AnswerError, match=message):
            check_answer(lines, 2, where="x")

    def test_answers_that_cannot_be(self) -> None:
        with pytest.raises(AnswerError, match="clip 00002 is answered, and there are 2"):
            answer_text({2: [True] * 26}, 2)
        with pytest.raises(AnswerError, match="line 1"):
            answer_text({0: [True] * 25}, 2)

    def test_ids_and_classes(self) -> None:
        assert clip_number("test/00042", where="x") == clip_number("00042", where="x") == 42
        for other in ("val/00042", "test/42", "test/000042", "00042.mp4", "٠٠٠٤٢"):
            with pytest.raises(AnswerError, match="is no test clip of TinyVIRAT-v2"):
                clip_number(other, where="x")
        columns = class_columns(ORDER, where="x")
        assert [ORDER[n] for n in columns] == list(TINYVIRAT_CLASSES)
        with pytest.raises(AnswerError, match="lacks 'Misc'"):
            class_columns([name for name in ORDER if name != "Misc"], where="x")
        with pytest.raises(AnswerError, match="27 classes and has 'Juggling' too"):
            class_columns([*ORDER, "Juggling"], where="x")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the 26 classes in another order, with a threshold of its own for each."""
    torch.manual_seed(0)
    config = RecognizerConfig(I3DConfig(num_classes=26, width=0.0625, dropout=0.0), side=32)
    network = config.build().eval()
    spec = ModelSpec(
        name="small",
        config=config,
        labels=ORDER,
        multi_label=True,
        preprocess=Preprocess(16, full=None, short_side=None, fit="pad"),
        sampler=AllWindows(16),
        thresholds=tuple(np.linspace(0.49, 0.51, 26).tolist()),
        temperature=3.0,  # with which other labels pass these thresholds than without
    )
    folder = tmp_path_factory.mktemp("model")
    save_model(folder, Model(spec, network))
    return folder


@pytest.fixture
def manifest(copy: Copy) -> Path:
    """The stand-in of TinyVIRAT-v2, one of whose test clips is gone and one of which is broken."""
    root = copy("v2")
    videos = root / "TinyVIRAT_V2" / "videos" / "test"
    (videos / "00003.mp4").unlink()
    (videos / "00005.mp4").write_bytes(b"no video")
    path = root / "m.jsonl"
    assert main(["data", "prepare", "tinyvirat-v2", str(root), "--out", str(path)]) == 0
    return path


def submit(run: Path, data: Path, out: Path, *options: str) -> int:
    words = ["data", "submit", str(run), "--data", str(data), "--out", str(out), "--clips", "8"]
    return main([*words, *options])


def test_a_model_answers_as_it_recognises(
    model: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answer.txt"
    assert submit(model, manifest, out, "--device", "cpu", "--precision", "float32") == 0
    told = capsys.readouterr()
    assert "cannot be read or are in quarantine: 2 clips (00003, 00005)" in told.err
    lines = out.read_text().splitlines()
    check_answer(lines, 8, where="x")
    assert lines[3] == f"00003 {NONE}"
    assert lines[5] == f"00005 {NONE}"
    recognizer = load(model, device="cpu", precision="float32")
    labels = 0
    for record in read_manifest(manifest).of("test"):
        file = manifest.parent / record.path  # the last has 5 frames, fewer than a window
        (found,) = recognizer.recognize(file)
        labels += len(found.labels)
        bits = " ".join(str(int(name in found.labels)) for name in TINYVIRAT_CLASSES)
        assert lines[int(record.id[-5:])] == f"{record.id[-5:]} {bits}"
    assert 0 < labels < 6 * 26
    assert f"{out}: 8 clips, {labels} labels" in told.out


def test_predictions_that_are_there(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_manifest(manifest).of("test")
    logits_NK = np.random.default_rng(0).normal(size=(len(records), 26))
    predictions = Predictions(
        ids=tuple(record.id for record in records),
        sources=tuple(record.source for record in records),
        sizes_N2=np.array([(record.height, record.width) for record in records]),
        logits_NK=logits_NK,
        targets_NK=None,
        classes=ORDER,
        multi_label=True,
        split="test",
        manifest_sha256=sha256_of(manifest),
        model="x",
    )
    path, out = tmp_path / "predictions.jsonl", tmp_path / "answer.zip"
    write_predictions(path, predictions)
    assert submit(path, manifest, out) == 0
    with zipfile.ZipFile(out) as file:
        assert file.namelist() == ["answer.txt"]
        lines = file.read("answer.txt").decode().splitlines()
    row = dict(zip(ORDER, logits_NK[1] > 0, strict=True))
    number = records[1].id[-5:]
    bits = " ".join(str(int(row[name])) for name in TINYVIRAT_CLASSES)
    assert lines[int(number)] == f"{number} {bits}"
    first = out.read_bytes()
    assert submit(path, manifest, out) == 0
    assert out.read_bytes() == first

    write_predictions(path, replace(predictions, multi_label=False))
    assert submit(path, manifest, tmp_path / "answer.txt") == 0
    lines = (tmp_path / "answer.txt").read_text().splitlines()
    ones = [line.split()[1:].count("1") for line in lines]
    assert ones == [1, 1, 1, 0, 1, 0, 1, 1]

    for changed, message in (
        (replace(predictions, manifest_sha256="0" * 64), "not to the test split of"),
        (replace(predictions, split="val"), "holds answers to the val split"),
        (replace(predictions, classes=(*ORDER[:-1], "Juggling")), "lacks 'vehicle_turning_right'"),
    ):
        write_predictions(path, changed)
        assert submit(path, manifest, out) == 1
        assert message in capsys.readouterr().err
    assert out.read_bytes() == first


def test_thresholds_tuned_on_other_videos(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_manifest(manifest).of("test")
    held_out = Predictions(
        ids=tuple(f"val/{n:05}" for n in range(20)),
        sources=tuple(f"video {n}" for n in range(20)),
        sizes_N2=np.full((20, 2), 10),
        logits_NK=np.repeat(np.linspace(-1, 3, 20)[:, None], 26, axis=1),
        targets_NK=np.repeat((np.arange(20) >= 12)[:, None], 26, axis=1),
        classes=ORDER,
        multi_label=True,
        split="val",
        manifest_sha256="0" * 64,
        model="x",
    )
    cut = float(np.linspace(-1, 3, 20)[11:13].mean())
    logits_NK = np.full((len(records), 26), cut - 0.01)
    logits_NK[2:] = cut + 0.01
    answers = replace(
        held_out,
        ids=tuple(record.id for record in records),
        sources=tuple(record.source for record in records),
        sizes_N2=np.full((len(records), 2), 10),
        logits_NK=logits_NK,
        targets_NK=None,
        split="test",
        manifest_sha256=sha256_of(manifest),
    )
    run, tuning, out = (tmp_path / name for name in ("run.jsonl", "val.jsonl", "answer.txt"))
    write_predictions(run, answers)
    write_predictions(tuning, held_out)
    assert submit(run, manifest, out, "--tune-on", str(tuning)) == 0
    ones = [line.split()[1:].count("1") for line in out.read_text().splitlines()]
    assert ones == [0, 0, 26, 0, 26, 0, 26, 26]
    write_predictions(tuning, replace(held_out, classes=TINYVIRAT_CLASSES))
    assert submit(run, manifest, out, "--tune-on", str(tuning)) == 1
    assert "is not of the model that answers here" in capsys.readouterr().err


def test_manifests_that_are_not_the_challenge(
    model: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "answer.txt"
    words = ["data", "submit", str(model), "--data", str(manifest), "--out", str(out)]
    assert main(words) == 1
    assert "lacks clip 00008, and the challenge has the clips 00000 to 06096" in (
        capsys.readouterr().err
    )
    assert main([*words, "--clips", "5"]) == 1
    assert "its test split has clip 00005" in capsys.readouterr().err
    report = manifest.with_name("m.report.json")
    data = json.loads(report.read_text())
    data["missing"] = []
    report.write_text(json.dumps(data))
    assert submit(model, manifest, out) == 1
    assert "its test split lacks clip 00003" in capsys.readouterr().err
    assert not out.exists()
