"""Accuracy, F1 and average precision: by hand, as torchmetrics, and what must always hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torchmetrics.functional import classification as theirs

from tinyvirat.evaluation.errors import EvaluationError
from tinyvirat.evaluation.metrics import multi_label, single_label
from tinyvirat.evaluation.tables import to_json
from tinyvirat.evaluation.thresholds import as_published, at_half

CLASSES = ("walk", "run", "talk")


def names(count: int) -> tuple[str, ...]:
    return tuple(f"class {k}" for k in range(count))


def sources(count: int) -> tuple[str, ...]:
    return tuple(f"video {n // 2}" for n in range(count))


def multi_case(seed: int, clips: int = 40, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Coarse logits, so that there are ties, and classes that become rare towards the end."""
    rng = np.random.default_rng(seed)
    logits = np.round(rng.normal(size=(clips, count)) * 2.0, 1)
    targets = rng.random((clips, count)) < np.linspace(0.6, 0.0, count)
    return logits, targets


class TestSingleLabel:
    def test_a_case_worked_by_hand(self) -> None:
        logits = [[3, 1, 2], [0, 2, 1], [2, 1, 0], [0, 0, 5]]
        targets = np.eye(3)[[0, 1, 1, 2]]
        result = single_label(logits, targets, CLASSES)
        assert result.clips == 4
        assert result.top1 == 0.75
        assert result.top5 is None
        assert result.confusion_KK == ((1, 0, 0), (1, 1, 0), (0, 0, 1))
        assert [c.accuracy for c in result.per_class] == [1.0, 0.5, 1.0]
        assert result.mean_class == pytest.approx(2.5 / 3)

    def test_a_class_without_clips_has_no_accuracy_and_no_part_in_the_mean(self) -> None:
        result = single_label([[1, 0, 0], [1, 0, 0]], np.eye(3)[[0, 1]], CLASSES)
        assert [c.accuracy for c in result.per_class] == [1.0, 0.0, None]
        assert result.mean_class == 0.5

    def test_equal_scores_go_to_the_first_class(self) -> None:
        assert single_label(np.zeros((3, 3)), np.eye(3), CLASSES).top1 == pytest.approx(1 / 3)
        assert single_label(np.zeros((6, 6)), np.eye(6), names(6)).top5 == pytest.approx(5 / 6)

    @pytest.mark.parametrize("count", [2, 5, 6, 9])
    def test_as_torchmetrics(self, count: int) -> None:
        rng = np.random.default_rng(count)
        logits, labels = rng.normal(size=(50, count)), rng.integers(0, count, 50)
        result = single_label(logits, np.eye(count)[labels], names(count))
        preds, target = torch.from_numpy(logits), torch.from_numpy(labels)
        micro = {"num_classes": count, "average": "micro"}
        assert result.top1 == pytest.approx(
            float(theirs.multiclass_accuracy(preds, target, **micro))
        )
        if count > 5:
            top5 = theirs.multiclass_accuracy(preds, target, top_k=5, **micro)
            assert result.top5 == pytest.approx(float(top5))
        else:
            assert result.top5 is None
        confusion = theirs.multiclass_confusion_matrix(preds, target, num_classes=count)
        assert confusion.tolist() == [list(row) for row in result.confusion_KK]

    @pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0]])
    def test_a_clip_without_exactly_one_label_is_named(self, row: list[int]) -> None:
        with pytest.raises(EvaluationError, match=rf"clip 1 .* has {sum(row)} labels.*multi-label"):
            single_label(np.zeros((2, 3)), [[1, 0, 0], row], CLASSES)


class TestMultiLabel:
    # Predicted at p = 0.5: [1 0 0], [1 1 0], [0 0 0], [0 1 1].
    LOGITS = ((2.0, -1.0, -3.0), (0.4, 3.0, -1.0), (-2.0, -2.0, 0.0), (-1.0, 1.0, 1.0))
    TARGETS = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1))

    def test_f1_worked_by_hand(self) -> None:
        result = multi_label(self.LOGITS, self.TARGETS, CLASSES, sources(4))
        walk, run, talk = result.f1.per_class
        assert (walk.hits, walk.predicted, walk.positives) == (1, 2, 1)
        assert (walk.precision, walk.recall, walk.f1) == (0.5, 1.0, pytest.approx(2 / 3))
        assert (run.precision, run.recall, run.f1) == (1.0, 1.0, 1.0)
        assert (talk.precision, talk.recall, talk.f1) == (1.0, 0.5, pytest.approx(2 / 3))
        assert result.f1.macro == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
        assert result.f1.micro == pytest.approx(2 * 4 / (5 + 5))
        assert result.f1.samples == pytest.approx((1 + 2 / 3 + 0 + 1) / 4)

    def test_the_published_threshold_is_a_logit_of_one_half(self) -> None:
        result = multi_label(self.LOGITS, self.TARGETS, CLASSES, sources(4))
        assert result.f1_published.per_class[0].predicted == 1  # 0.4 is above 0 and below 0.5
        assert result.f1_published.macro == pytest.approx((1 + 1 + 2 / 3) / 3)

    def test_a_score_on_the_threshold_is_not_predicted(self) -> None:
        assert not at_half(CLASSES).predict(np.zeros((1, 3))).any()
        assert not as_published(CLASSES).predict(np.full((1, 3), 0.5)).any()
        assert as_published(CLASSES).probabilities == pytest.approx((0.6224593,) * 3)

    def test_average_precision_worked_by_hand(self) -> None:
        # In falling order of score the labels read 1, 0, 1: precision 1 at recall 1/2, 2/3 at 1.
        result = multi_label([[3.0], [2.0], [1.0]], [[1], [0], [1]], ("walk",), sources(3))
        assert result.mean_average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)

    def test_classes_without_positives_are_named_and_counted_as_stated(self) -> None:
        targets = np.array(self.TARGETS)
        targets[:, 2] = 0
        result = multi_label(self.LOGITS, targets, CLASSES, sources(4))
        assert result.without_positives == ("talk",)
        assert result.without_labels == 1
        assert result.average_precision[2] is None
        assert result.f1.per_class[2].f1 == 0.0
        assert result.f1.macro == pytest.approx((2 / 3 + 1 + 0) / 3)
        assert result.f1.macro_present == pytest.approx((2 / 3 + 1) / 2)
        assert result.mean_average_precision == pytest.approx(
            np.mean([p for p in result.average_precision if p is not None])
        )

    def test_no_positives_at_all(self) -> None:
        result = multi_label(-np.ones((2, 3)), np.zeros((2, 3)), CLASSES, sources(2))
        assert result.mean_average_precision is None
        assert result.f1.macro_present is None
        assert (result.f1.macro, result.f1.micro, result.f1.samples) == (0.0, 0.0, 0.0)
        assert json.loads(to_json(result))["mean_average_precision"] is None

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("logit", [0.0, 0.5])
    def test_as_torchmetrics(self, seed: int, logit: float) -> None:
        logits, targets = multi_case(seed)
        result = multi_label(logits, targets, names(6), sources(40))
        ours = result.f1 if logit == 0.0 else result.f1_published
        preds = torch.from_numpy((logits > logit).astype(int))
        target = torch.from_numpy(targets.astype(int))

        def score(function: str, **options: object) -> np.ndarray:
            return getattr(theirs, function)(preds, target, num_labels=6, **options).numpy()

        assert ours.macro == pytest.approx(score("multilabel_f1_score", average="macro"), abs=1e-6)
        assert ours.micro == pytest.approx(score("multilabel_f1_score", average="micro"), abs=1e-6)
        for ours_name, function in (
            ("f1", "multilabel_f1_score"),
            ("precision", "multilabel_precision"),
            ("recall", "multilabel_recall"),
        ):
            values = [getattr(entry, ours_name) for entry in ours.per_class]
            np.testing.assert_allclose(values, score(function, average=None), atol=1e-6)
        by_clip = theirs.multilabel_f1_score(
            preds[..., None], target[..., None], 6, average="micro", multidim_average="samplewise"
        )
        assert ours.samples == pytest.approx(float(by_clip.mean()), abs=1e-6)

    @pytest.mark.filterwarnings("ignore:No positive samples:UserWarning")
    @pytest.mark.parametrize("seed", range(4))
    def test_average_precision_as_torchmetrics_where_it_has_positives(self, seed: int) -> None:
        logits, targets = multi_case(seed)
        result = multi_label(logits, targets, names(6), sources(40))
        expected = theirs.multilabel_average_precision(
            torch.from_numpy(logits), torch.from_numpy(targets.astype(int)), 6, average=None
        )
        for ours, value, present in zip(
            result.average_precision, expected.tolist(), targets.any(axis=0), strict=True
        ):
            assert ours == (pytest.approx(value, abs=1e-6) if present else None)

    def test_the_order_of_confident_logits_is_kept(self) -> None:
        # A float32 sigmoid gives 1.0 for both: a tie, whose average precision would be one half.
        result = multi_label([[50.0], [40.0]], [[1], [0]], ("walk",), sources(2))
        assert result.mean_average_precision == 1.0

    def test_logits_that_look_like_probabilities_are_logits(self) -> None:
        result = multi_label([[0.3], [0.2]], [[1], [1]], ("walk",), sources(2))
        assert result.f1.macro == 1.0

    def test_one_clip_of_one_class(self) -> None:
        result = multi_label([[1.0]], [[1]], ("walk",), ("a",))
        assert result.f1.macro == result.f1.samples == result.mean_average_precision == 1.0


class TestWhatMustAlwaysHold:
    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_order_of_clips_and_of_classes_does_not_matter(self, data: st.DataObject) -> None:
        clips, count = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
        logits = data.draw(arrays.arrays(float, (clips, count), elements=st.integers(-3, 3)))
        targets = data.draw(arrays.arrays(bool, (clips, count)))
        rows = np.array(data.draw(st.permutations(range(clips))))
        columns = np.array(data.draw(st.permutations(range(count))))
        before = multi_label(logits, targets, names(count), sources(clips))
        after = multi_label(
            logits[rows][:, columns],
            targets[rows][:, columns],
            tuple(names(count)[k] for k in columns),
            sources(clips),
        )
        for average in ("macro", "macro_present", "micro", "samples"):
            ours, theirs_ = getattr(before.f1, average), getattr(after.f1, average)
            assert ours == (None if theirs_ is None else pytest.approx(theirs_))
        assert set(before.f1.per_class) == set(after.f1.per_class)
        assert dict(zip(before.classes, before.average_precision, strict=True)) == dict(
            zip(after.classes, after.average_precision, strict=True)
        )

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_perfect_scores_give_one_and_their_opposite_none(self, data: st.DataObject) -> None:
        clips, count = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
        targets = data.draw(arrays.arrays(bool, (clips, count)).filter(np.any))
        logits = np.where(targets, 4.0, -4.0)
        right = multi_label(logits, targets, names(count), sources(clips))
        assert right.f1.macro_present == right.f1.micro == right.mean_average_precision == 1.0
        assert right.f1.samples == pytest.approx(targets.any(axis=1).mean())
        assert right.f1.macro == pytest.approx(targets.any(axis=0).mean())
        wrong = multi_label(-logits, targets, names(count), sources(clips))
        assert wrong.f1.macro == wrong.f1.micro == wrong.f1.samples == 0.0

    def test_single_label_perfect_and_permuted(self) -> None:
        rng = np.random.default_rng(0)
        labels, order = rng.integers(0, 7, 30), rng.permutation(30)
        targets, logits = np.eye(7)[labels], rng.normal(size=(30, 7))
        perfect = single_label(targets, targets, names(7))
        assert perfect.top1 == perfect.top5 == perfect.mean_class == 1.0
        assert single_label(logits, targets, names(7)) == single_label(
            logits[order], targets[order], names(7)
        )


class TestRefusals:
    def test_a_diverged_network_is_told_by_class(self) -> None:
        logits = np.zeros((2, 3))
        logits[1, 2] = np.nan
        with pytest.raises(EvaluationError, match=r"clip 1 .* score nan for 'talk'.*diverged"):
            multi_label(logits, np.zeros((2, 3)), CLASSES, sources(2))

    def test_nothing_to_score(self) -> None:
        with pytest.raises(EvaluationError, match="no clips"):
            single_label(np.zeros((0, 3)), np.zeros((0, 3)), CLASSES)

    @pytest.mark.parametrize(
        ("logits", "targets", "classes", "word"),
        [
            (np.zeros((2, 3)), np.zeros((3, 3)), CLASSES, "shape"),
            (np.zeros((2, 2)), np.zeros((2, 2)), CLASSES, "3 classes"),
            (np.zeros((2, 3)), np.full((2, 3), 2), CLASSES, "0 or 1"),
            (np.zeros((2, 3)), np.zeros((2, 3)), ("a", "b", "a"), "twice"),
            (np.zeros((2, 0)), np.zeros((2, 0)), (), "0 classes"),
        ],
    )
    def test_arrays_that_do_not_fit(
        self, logits: np.ndarray, targets: np.ndarray, classes: tuple[str, ...], word: str
    ) -> None:
        with pytest.raises(ValueError, match=word):
            multi_label(logits, targets, classes, sources(len(targets)))

    def test_sources_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match="1 sources for 2 clips"):
            multi_label(np.zeros((2, 3)), np.zeros((2, 3)), CLASSES, ("a",))
