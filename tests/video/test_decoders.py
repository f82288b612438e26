"""Which decoders are there, and that torchcodec does the work where it claims to."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyvirat.video import VideoError, decoders, open_video, probe, read_clip
from tinyvirat.video.probe import CLIP

from .clips import Recipe, encode, numbers_of


def test_pyav_decodes_the_built_in_clip() -> None:
    assert list(decoders()) == ["pyav", "torchcodec"]
    assert decoders()["pyav"] is None


@pytest.fixture
def asked_anew() -> Any:
    probe.tried.cache_clear()
    yield
    probe.tried.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_a_decoder_that_decodes_wrongly_is_found_out(
    decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.tried.cache_clear()
    monkeypatch.setattr(probe, "LEVELS", (40, 120, 210))
    assert "wrongly" in str(decoders()[decoder])


@pytest.mark.usefixtures("asked_anew")
def test_a_torchcodec_that_does_not_load_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.delitem(sys.modules, "tinyvirat.video.torchcodec_source", raising=False)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    monkeypatch.setattr(probe, "find_spec", lambda _: object())
    assert "cannot be loaded" in str(decoders()["torchcodec"])
    path = encode(tmp_path / "clip.mp4", frames=3)
    with pytest.raises(VideoError, match=r"torchcodec cannot be used here .* use 'pyav'"):
        open_video(path, decoder="torchcodec")
    with open_video(path) as reader:
        assert reader.count() == 3


@pytest.mark.usefixtures("asked_anew")
def test_a_missing_torchcodec_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "find_spec", lambda _: None)
    assert "pip install" in str(decoders()["torchcodec"])


def test_pyav_alone_needs_no_torch(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", frames=3)
    code = (
        "import sys; from tinyvirat.video import read_clip, write_video; "
        f"clip = read_clip({str(path)!r}); write_video({str(tmp_path / 'o.mp4')!r}, "
        "clip.frames_THWC, 25); print(len(clip.times_T), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]


@pytest.mark.usefixtures("torchcodec")
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("b-frames.mp4", {}),
        ("variable.mkv", {"pts": [n * n for n in range(60)], "time_base": Fraction(1, 1000)}),
        ("grey.mp4", {"pixels": "gray"}),
        ("odd.mp4", {"pixels": "yuv444p", "height": 47, "width": 81}),
        ("tiny.mp4", {"height": 10, "width": 10}),
        ("turned.mp4", {"matrix": [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]}),
    ],
)
def test_torchcodec_itself_reads_plain_files(
    tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    from tinyvirat.video.torchcodec_source import TorchcodecSource

    source = TorchcodecSource(encode(tmp_path / name, Recipe(**changes)))
    assert not source.stumbled
    assert [frame.index for frame in source.frames()] == list(range(60))
    assert [frame.index for frame in source.read([3, 4, 59])] == [3, 4, 59]
    assert not source.stumbled
    source.close()


class Faulty:
    """A torchcodec decoder with one fault from the twentieth frame on."""

    def __init__(self, fault: str, decoder: Any) -> None:
        self.fault, self.decoder = fault, decoder

    def get_frames_at(self, indices: list[int]) -> Any:
        batch = self.decoder.get_frames_at(indices)
        if max(indices) >= 20 and self.fault == "raises":
            raise RuntimeError("Requested next frame while there are no more frames left")
        if max(indices) >= 20 and self.fault == "neighbour":
            return self.decoder.get_frames_at([i - 1 for i in indices])
        if max(indices) >= 20 and self.fault == "size":
            batch.data = batch.data[:, :-1]
        if self.fault == "pixels":
            batch.data = batch.data ^ 1
        return batch


@pytest.mark.usefixtures("torchcodec")
@pytest.mark.parametrize("fault", ["raises", "neighbour", "size", "pixels"])
def test_what_torchcodec_gets_wrong_pyav_gets_right(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tinyvirat.video import torchcodec_source

    assert decoders()["torchcodec"] is None  # asked before the fault
    real = torchcodec_source.VideoDecoder
    monkeypatch.setattr(
        torchcodec_source, "VideoDecoder", lambda *a, **k: Faulty(fault, real(*a, **k))
    )
    path = encode(tmp_path / "clip.mp4")
    with open_video(path, decoder="torchcodec") as reader:
        seen = list(reader)
    np.testing.assert_array_equal([f.frame_HWC for f in seen], read_clip(path).frames_THWC)
    assert [frame.index for frame in seen] == list(range(60))
    with open_video(path, decoder="torchcodec") as reader:
        assert numbers_of(reader.read([50, 3, 19, 20, 50]).frames_THWC) == [50, 3, 19, 20, 50]


def test_the_built_in_clip_is_small() -> None:
    assert len(CLIP) < 1000
