"""Predictions and their file: there and back exactly, every clip once, and nothing trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.prediction_file import read_predictions, write_predictions
from tinyvirat.evaluation.predictions import Predictions, joined

LOGITS = np.array([[0.1, -1e-300, 3.0], [np.float32(0.1), 1e300, -2.0]])
GOOD = Predictions(
    ids=("a/1.mp4", 'zürich "2"\n'),
    sources=("VIRAT_S_000001", "VIRAT_S_000002"),
    sizes_N2=np.array([[10, 12], [128, 64]]),
    logits_NK=LOGITS,
    targets_NK=np.array([[True, False, True], [False, False, False]]),
    classes=("walk", "run", "talk"),
    multi_label=True,
    split="val",
    manifest_sha256="0a" * 32,
    model="i3d at step 100",
)


def same(a: Predictions, b: Predictions) -> bool:
    plain = ("ids", "sources", "classes", "multi_label", "split", "manifest_sha256", "model")
    arrays = ("sizes_N2", "logits_NK", "targets_NK")
    return all(getattr(a, name) == getattr(b, name) for name in plain) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays
    )


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, GOOD)
    return path


class TestThereAndBack:
    def test_exactly(self, file: Path) -> None:
        assert same(read_predictions(file), GOOD)

    def test_without_known_labels(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        write_predictions(path, replace(GOOD, targets_NK=None, split="test"))
        back = read_predictions(path)
        assert back.targets_NK is None
        with pytest.raises(EvaluationError, match="no known labels"):
            back.known_targets()

    def test_the_file_is_as_documented(self, file: Path) -> None:
        header, first, second = lines_of(file)
        assert header["classes"] == ["walk", "run", "talk"]
        assert first == {
            "id": "a/1.mp4",
            "source": "VIRAT_S_000001",
            "height": 10,
            "width": 12,
            "logits": [0.1, -1e-300, 3.0],
            "labels": ["walk", "talk"],
        }
        assert second["labels"] == []

    @settings(
        max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_any_number(self, tmp_path: Path, value: float) -> None:
        path = tmp_path / "p.jsonl"
        write_predictions(path, replace(GOOD, logits_NK=np.full((2, 3), value)))
        assert np.array_equal(read_predictions(path).logits_NK, np.full((2, 3), value))


class TestOnce:
    def test_a_clip_answered_twice(self) -> None:
        with pytest.raises(EvaluationError, match=r"'a/1.mp4' was answered twice"):
            replace(GOOD, ids=("a/1.mp4", "a/1.mp4"))

    def test_exactly_the_clips_asked_for(self) -> None:
        GOOD.refuse_other_clips(reversed(GOOD.ids))
        with pytest.raises(EvaluationError, match="1 clips were not answered, such as 'missing'"):
            GOOD.refuse_other_clips([*GOOD.ids, "missing"])
        with pytest.raises(EvaluationError, match=r"1 clips were not asked for, such as 'a/1.mp4'"):
            GOOD.refuse_other_clips(GOOD.ids[1:])

    def test_the_parts_of_several_processes_become_one(self) -> None:
        def part(*rows: int) -> Predictions:
            index = list(rows)
            assert GOOD.targets_NK is not None
            return replace(
                GOOD,
                ids=tuple(GOOD.ids[n] for n in index),
                sources=tuple(GOOD.sources[n] for n in index),
                sizes_N2=GOOD.sizes_N2[index],
                logits_NK=GOOD.logits_NK[index],
                targets_NK=GOOD.targets_NK[index],
            )

        assert same(joined([part(1), part(0)]), GOOD)
        assert same(joined([part(), part(1, 0)]), GOOD)
        with pytest.raises(EvaluationError, match="answered twice"):
            joined([part(0, 1), part(1)])
        with pytest.raises(ValueError, match="differ in model"):
            joined([part(0), replace(part(1), model="other")])
        with pytest.raises(ValueError, match="some have none"):
            joined([part(0), replace(part(1), targets_NK=None)])
        with pytest.raises(ValueError, match="nothing to join"):
            joined([])


class TestUse:
    def test_the_longer_side(self) -> None:
        assert GOOD.long_sides().tolist() == [12, 128]

    def test_models_are_tuned_on_what_was_held_out_alone(self) -> None:
        assert GOOD.tuning_set().sources == GOOD.sources
        for split in ("train", "test"):
            with pytest.raises(EvaluationError, match=f"of the {split} split.*the val split"):
                replace(GOOD, split=split).tuning_set()

    def test_arrays_that_do_not_fit(self) -> None:
        for change in (
            {"logits_NK": LOGITS[:, :2]},
            {"targets_NK": np.zeros((3, 3), bool)},
            {"sizes_N2": np.ones((2, 3), int)},
            {"sources": ("one",)},
        ):
            with pytest.raises(ValueError, match=r"shape|sources"):
                replace(GOOD, **change)
        with pytest.raises(EvaluationError, match="diverged"):
            replace(GOOD, logits_NK=LOGITS * np.nan)


class TestUntrusted:
    @pytest.mark.parametrize(
        ("line", "change", "word"),
        [
            (1, {"format": "other"}, "not a file of predictions"),
            (1, {"version": 2}, "version 2 .* update tinyvirat"),
            (1, {"classes": []}, "classes must be"),
            (1, {"classes": ["walk", "run", "run"]}, "named twice"),
            (1, {"classes": ["walk", "run", 3]}, "classes must be"),
            (1, {"multi_label": 1}, "multi_label must be"),
            (1, {"split": "dev"}, "split must be train, val, test"),
            (1, {"split": ["val"]}, "split must be"),
            (1, {"manifest_sha256": "0A" * 32}, "64 hexadecimal"),
            (1, {"manifest_sha256": None}, "64 hexadecimal"),
            (1, {"model": ""}, "model must be a text"),
            (1, {"extra": 1}, "and no other"),
            (2, {"extra": 1}, "and no other"),
            (2, {"id": 7}, "id must be a text"),
            (2, {"id": "x" * 5000}, "id must be a text"),
            (2, {"source": "\ud800"}, "source must be a text"),
            (2, {"height": 0}, "height must be"),
            (2, {"height": 10.0}, "height must be"),
            (2, {"width": True}, "width must be"),
            (2, {"width": 10**30}, "width must be"),
            (2, {"logits": [1.0, 2.0]}, "list of 3 numbers"),
            (2, {"logits": [1.0, 2.0, "3"]}, "finite numbers"),
            (2, {"logits": [1.0, 2.0, float("nan")]}, "finite numbers"),
            (2, {"logits": [1.0, 2.0, float("inf")]}, "finite numbers"),
            (2, {"logits": [1.0, 2.0, 10**400]}, "finite numbers"),
            (2, {"logits": [1.0, 2.0, True]}, "finite numbers"),
            (2, {"labels": ["swim"]}, "'swim' is not among the classes"),
            (2, {"labels": "walk"}, "labels must be"),
            (2, {"labels": [["walk"]]}, "labels must be"),
            (3, {"labels": None}, "null in some lines"),
            (3, {"id": "a/1.mp4"}, "stands in line 2 already"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_line(
        self, file: Path, line: int, change: dict, word: str
    ) -> None:
        rows = lines_of(file)
        rows[line - 1].update(change)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        with pytest.raises(EvaluationError, match=rf"predictions.jsonl, line {line}: .*{word}"):
            read_predictions(file)

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"\n",
            b"[]\n",
            b"\xff\xfe\x00\n",
            b"[" * 100_000,
            b'{"format": ' + b"1" * 5000 + b"}",
        ],
    )
    def test_what_is_no_such_file(self, file: Path, text: bytes) -> None:
        file.write_bytes(text)
        with pytest.raises(EvaluationError, match="line 1"):
            read_predictions(file)

    def test_a_line_without_end(self, file: Path) -> None:
        file.write_bytes(b" " * (1 << 22) + file.read_bytes())
        with pytest.raises(EvaluationError, match="line 1: the line is longer than"):
            read_predictions(file)

    def test_a_file_cut_short(self, file: Path) -> None:
        whole = file.read_bytes()
        header = whole.index(b"\n") + 1
        file.write_bytes(whole[:header])
        with pytest.raises(EvaluationError, match="not one clip"):
            read_predictions(file)
        file.write_bytes(whole[: header + 30])
        with pytest.raises(EvaluationError, match="line 2: not JSON"):
            read_predictions(file)

    def test_no_file_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(EvaluationError, match="No such file"):
            read_predictions(tmp_path / "none.jsonl")
        with pytest.raises(EvaluationError, match="cannot be read"):
            read_predictions(tmp_path)
