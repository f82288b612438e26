"""What recognition answers: labels by threshold, times, the pictures, and memory."""

from __future__ import annotations

import json
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinyvirat.models.saved import ModelError
from tinyvirat.recognition.load import WINDOWS_AT_ONCE, load
from tinyvirat.recognition.render import PANEL, STRIP_FRAMES, panels, render
from tinyvirat.recognition.results import Prediction, write_predictions
from tinyvirat.video import VideoError, VideoWriter, open_video

from .conftest import LABELS, MODELS, write_model


@pytest.mark.parametrize("name", MODELS)
def test_labels_are_those_above_their_threshold_or_the_best(
    clips: Path, tmp_path: Path, name: str
) -> None:
    recognizer = load(write_model(tmp_path, name), device="cpu", precision="float32")
    for video in sorted(clips.parent.glob("*.mp4")):
        (found,) = recognizer.recognize(video)
        best_first = [label for label, _ in found.top(3)]
        assert sorted(best_first) == sorted(LABELS)
        if recognizer.spec.multi_label:
            limits = dict(zip(LABELS, (0.4, 0.5, 0.6), strict=True))
            wanted = [label for label in best_first if found.scores[label] >= limits[label]]
        else:
            wanted = best_first[:1]
        assert list(found.labels) == wanted
        assert found.model == name
        assert found.boxes is None


def test_rows_are_written_whole_and_rounded(tmp_path: Path) -> None:
    one = Prediction("a.mp4", 0, 0, 16, 0.0, 0.64, {"walk": 1 / 3}, (), None, "tiny")
    boxed = Prediction("b.mp4", 2, 5, 6, 0.2, 0.24, {"walk": 1.0}, ("walk",), ((1, 2, 3, 4),), "t")
    write_predictions(tmp_path / "rows.jsonl", [one, boxed])
    first, second = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    assert first["scores"] == {"walk": 0.333333}
    assert first["labels"] == []
    assert first["boxes"] is None
    assert second["boxes"] == [[1, 2, 3, 4]]
    assert (second["tube"], second["start"], second["stop"]) == (2, 5, 6)


def test_what_cannot_be_is_told(clips: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path, "large clips")
    with pytest.raises(ModelError, match="input_size 0"):
        load(model, input_size=0)
    with pytest.raises(VideoError, match=r"none\.mp4"):
        load(model, device="cpu").recognize(tmp_path / "none.mp4")


def test_a_long_video_is_read_a_few_windows_at_a_time(tmp_path: Path) -> None:
    frames, side = 1200, 96
    path = tmp_path / "long.mp4"
    with VideoWriter(path, Fraction(25)) as writer:
        for t in range(frames):
            writer.write(np.full((side, side, 3), t % 250, np.uint8))
    recognizer = load(write_model(tmp_path / "m", "large clips"), device="cpu", precision="float32")
    tracemalloc.start()
    with open_video(path) as reader:
        parts = [len(part) for part in recognizer.windows(reader, frames)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(parts) == frames // 8
    assert max(parts) == WINDOWS_AT_ONCE
    assert peak < frames * side * side * 3 / 4  # the whole video would be four times as much


@pytest.mark.parametrize(
    ("name", "rows"),
    [("large clips", 2), ("super-resolved", 3), ("attention", 4), ("any size", 4)],
)
def test_pictures_show_every_view_of_the_network(
    clips: Path, tmp_path: Path, name: str, rows: int
) -> None:
    recognizer = load(write_model(tmp_path / "m", name), device="cpu", precision="float32")
    (found,) = recognizer.recognize(clips.parent / "2.mp4")
    still, moving = render(recognizer, found, tmp_path / "pictures" / "clip.v1")
    assert (still.name, moving.name) == ("clip.v1.png", "clip.v1.mp4")
    with Image.open(still) as image:
        assert image.width == STRIP_FRAMES * PANEL
        assert rows * PANEL < image.height < (rows + 1) * PANEL
    with open_video(moving) as reader:
        assert reader.info.width == rows * PANEL
        shown = min(len(recognizer.spec.sampler.windows(found.stop)), 40) * 8
        assert reader.count() == shown


def test_the_input_is_shown_pixel_by_pixel(clips: Path, tmp_path: Path) -> None:
    recognizer = load(write_model(tmp_path, "attention"), device="cpu", precision="float32")
    with open_video(clips.parent / "1.mp4") as reader:
        (part,) = recognizer.windows(reader, 8)
    shown = panels(recognizer, part[0])
    assert list(shown) == ["input 16 x 16", "bicubic", "super-resolved", "attention"]
    frames_THWC = shown["input 16 x 16"]
    block = PANEL // 16
    blocks = frames_THWC.reshape(8, 16, block, 16, block, 3)
    assert (blocks == blocks[:, :, :1, :, :1]).all()
    assert len(np.unique(frames_THWC)) > 10
    # The map lies over the enlarged clip and only darkens it.
    enlarged = shown["super-resolved"].astype(int)
    assert (shown["attention"].astype(int) <= enlarged + 2).all()
    assert (shown["attention"].astype(int) < enlarged - 10).any()
