"""What is taken, what is refused and in which words, and that what is read is what was given."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import Upload, UploadError, UploadStream, check_upload, frames_of
from tinyvirat.common.errors import TinyviratError
from tinyvirat.recognition.events import Action, TubeEnd
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream import recognize_stream
from tinyvirat.service import remote
from tinyvirat.video import open_video


def test_what_is_known_of_an_upload(upload: Upload) -> None:
    assert (upload.name, upload.frames, upload.seconds) == ("yard.mp4", 60, 6.0)
    assert (upload.width, upload.height, upload.fps) == (160, 120, 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"megabytes": 0.001}, "larger than the 0.001 MB that are taken here"),
        ({"seconds": 5.9}, "lasts 6.0 s; up to 5.9 s are taken here"),
        ({"pixels": 160 * 119}, "its pictures are 160 x 120"),
    ],
)
def test_beyond_the_limits(
    video: Path, limits: AppLimits, changes: dict[str, float], words: str
) -> None:
    with pytest.raises(UploadError, match=r"^yard\.mp4: ") as caught:
        check_upload(video, "yard.mp4", replace(limits, **changes))
    assert words in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"no video at all", b"\x00" * 5000])
def test_what_is_no_video(tmp_path: Path, limits: AppLimits, data: bytes) -> None:
    path = tmp_path / "secret-place"
    path.write_bytes(data)
    with pytest.raises(UploadError, match=r"^holiday\.mp4: ") as caught:
        check_upload(path, "holiday.mp4", limits)
    assert "secret-place" not in str(caught.value)


def test_a_decoder_that_does_not_end(
    video: Path, limits: AppLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(remote, "command", lambda path, limits: sleeper)
    began = time.monotonic()
    with pytest.raises(UploadError, match=r"could not be answered within 0\.5 seconds"):
        check_upload(video, "a.mp4", replace(limits, check_seconds=0.5))
    assert time.monotonic() - began < 30


def test_the_frames_are_those_of_the_file(upload: Upload, limits: AppLimits) -> None:
    found = list(frames_of(upload, 20, 25, limits))
    with open_video(upload.path) as reader:
        expected = reader.read_span(20, 25)
    assert [frame.index for frame in found] == [20, 21, 22, 23, 24]
    for frame, frame_HWC in zip(found, expected.frames_THWC, strict=True):
        np.testing.assert_array_equal(frame.frame_HWC, frame_HWC)
        assert frame.frame_HWC.flags.writeable


def test_an_upload_is_recognised_as_its_file_is(
    upload: Upload, limits: AppLimits, recognizer: ActionRecognizer
) -> None:
    def told(source: object) -> list[object]:
        rows: list[object] = []
        for event in recognize_stream(recognizer, source):  # type: ignore[arg-type]
            if isinstance(event, Prediction | Action):
                rows.append(event.to_json() | {"video": ""})
            elif isinstance(event, TubeEnd):
                rows.append((event.tube, event.start, event.stop, event.scores))
        return rows

    expected = told(upload.path)
    assert any(isinstance(row, tuple) for row in expected), "the square is a tube"
    assert told(UploadStream(upload, limits)) == expected


@pytest.mark.parametrize(
    "wrong",
    [{"megabytes": 0}, {"seconds": float("inf")}, {"seconds": float("nan")}, {"waiting": 0}],
)
def test_limits_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(TinyviratError, match=f"the limit {next(iter(wrong))} is"):
        AppLimits(**wrong)  # type: ignore[arg-type]
