"""Videos decoded in another process: the same frames, and what a hostile one can do there."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinyvirat.common.errors import TinyviratError
from tinyvirat.service import remote
from tinyvirat.service.limits import Limits
from tinyvirat.service.remote import TooSlowError, open_remote
from tinyvirat.video import VideoError, open_video

LIMITS = Limits()


def test_the_frames_are_those_of_any_reader(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BYTES_AT_ONCE", 5 * 36 * 48 * 3)  # five frames a message
    with open_remote(clip, LIMITS) as there, open_video(clip, decoder="pyav") as here:
        assert there.info == here.info
        assert there.count() == there.count() == here.count() == 21
        order = [20, 0, 3, 3, 7, *range(12)]
        got, wanted = there.read(order), here.read(order)
        assert np.array_equal(got.frames_THWC, wanted.frames_THWC)
        assert np.array_equal(got.times_T, wanted.times_T) and got.fps == wanted.fps
        for frame, other in zip(there, here, strict=True):
            assert (frame.index, frame.time) == (other.index, other.time)
            assert np.array_equal(frame.frame_HWC, other.frame_HWC)
        assert next(iter(there)).index == next(iter(there)).index == 0, "a broken-off iteration"
        assert there.read([5]).times_T[0] == here.read([5]).times_T[0]


def test_wrong_numbers_are_the_callers_mistake(clip: Path) -> None:
    with open_remote(clip, LIMITS) as reader, pytest.raises(VideoError, match="21"):
        reader.read([21])
    with pytest.raises(VideoError, match="closed"):
        reader.count()


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "is empty"),
        (b"hello", "cannot be read as a video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n", "cannot be read as a video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "cannot be read as a video"),
    ],
)
def test_what_is_no_video(tmp_path: Path, data: bytes, cause: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(data)
    with pytest.raises(VideoError, match=cause):
        open_remote(path, LIMITS)


def test_larger_or_longer_than_allowed(clip: Path) -> None:
    with pytest.raises(VideoError, match="its pictures are 48 x 36; the limit is 1727 pixels"):
        open_remote(clip, Limits(pixels=48 * 36 - 1))
    with (
        open_remote(clip, Limits(frames=20)) as reader,
        pytest.raises(VideoError, match="has 21 frames; the limit is 20"),
    ):
        reader.count()
    with open_remote(clip, Limits(pixels=48 * 36, frames=21)) as reader:
        assert reader.count() == 21


def test_the_process_is_confined_and_ends(clip: Path) -> None:
    reader = open_remote(clip, LIMITS)
    process = reader._source._process  # type: ignore[attr-defined]
    limits = Path(f"/proc/{process.pid}/limits").read_text("ascii").splitlines()
    hard = {line[:26].strip(): line[26:].split()[:2] for line in limits}
    assert hard["Max file size"] == ["0", "0"]
    assert hard["Max core file size"] == ["0", "0"]
    assert hard["Max address space"] == [str(LIMITS.memory)] * 2
    assert hard["Max cpu time"] == ["61", "61"]
    reader.close()
    assert process.returncode is not None
    assert not Path(f"/proc/{process.pid}").exists()


def test_memory_is_bounded(clip: Path) -> None:
    """A bound that only starting takes: an error, not a hang."""
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 1 << 26, "the parent has room"
    with pytest.raises(VideoError):
        open_remote(clip, Limits(memory=1 << 26))


def pretend(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Puts a program in the decoder's place."""
    monkeypatch.setattr(remote, "command", lambda path, limits: [sys.executable, "-c", code])


GOOD = {
    "width": 4,
    "height": 2,
    "fps": "25",
    "header_frames": 3,
    "duration": 0.1,
    "codec": "x",
    "pixel_format": "y",
    "rotation": 0,
}
SAY = """
import json, sys, time
out = sys.stdout.buffer
def say(message, data=b""):
    out.write(json.dumps(message).encode() + b"\\n" + data)
    out.flush()
"""


@pytest.mark.parametrize(
    "code",
    [
        "",
        "raise SystemExit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "print('hello')",
        "print('[' * 100000)",
        "print('x' * 10_000_000)",
        "print('null')",
        *(
            f"{SAY}say({GOOD | change!r}); time.sleep(60)"
            for change in (
                {"width": 0},
                {"width": -4},
                {"width": 10**9},
                {"width": "4"},
                {"height": 10**6},
                {"height": True},
                {"height": None},
                {"fps": "0"},
                {"fps": "1/0"},
                {"fps": "x"},
                {"fps": -1},
                {"rotation": 9999},
            )
        ),
    ],
)
def test_a_process_that_lies_about_the_video(
    clip: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    pretend(monkeypatch, code)
    with pytest.raises(
        VideoError, match="made its decoder fail; it is damaged, or meant to do harm"
    ):
        open_remote(clip, Limits(seconds=30))


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "raise SystemExit",
        "out.write(b'x'); out.flush()",
        "say({'index': 1, 'time': 0.0}, bytes(24))",
        "say({'index': 0, 'time': 'now'}, bytes(24))",
        "say({'index': 0, 'time': 0.0}, bytes(23)); raise SystemExit",
        "say({'index': [0], 'time': 0.0}, bytes(24))",
    ],
)
def test_a_process_that_lies_about_frames(
    clip: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    code = f"{SAY}say({GOOD!r}); sys.stdin.readline()\n{answer}\nraise SystemExit"
    pretend(monkeypatch, code)
    with open_remote(clip, LIMITS) as reader, pytest.raises(VideoError, match="made its decoder"):
        reader.read([0])


@pytest.mark.parametrize("count", [0, -1, 3001, 2.0, None, "3"])
def test_a_process_that_lies_about_the_length(
    clip: Path, monkeypatch: pytest.MonkeyPatch, count: object
) -> None:
    code = f"{SAY}say({GOOD!r}); sys.stdin.readline(); say({{'count': {count!r}}})"
    pretend(monkeypatch, code)
    with open_remote(clip, LIMITS) as reader, pytest.raises(VideoError, match="made its decoder"):
        reader.count()


def test_what_a_process_says_is_cut_short(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, f"{SAY}say({{'error': 'no' * 10000}})")
    with pytest.raises(VideoError) as caught:
        open_remote(clip, LIMITS)
    assert len(caught.value.cause) == 500


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", f"{SAY}say({GOOD!r}); time.sleep(60)"]
)
def test_time_runs_out(clip: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    pretend(monkeypatch, code)
    began = time.monotonic()
    with (
        pytest.raises(TooSlowError, match="could not be answered within 1 seconds"),
        open_remote(clip, Limits(seconds=1)) as reader,
    ):
        reader.count()
    assert time.monotonic() - began < 20


def test_the_limits_of_a_child_are_plain_data(clip: Path) -> None:
    *_, given = remote.command(clip, Limits(seconds=2))
    assert Limits(**json.loads(given)) == Limits(seconds=2)


@pytest.mark.parametrize(
    "limit", [{"megabytes": 0}, {"frames": -1}, {"seconds": float("nan")}, {"waiting": -1}]
)
def test_impossible_limits(limit: dict[str, float]) -> None:
    with pytest.raises(TinyviratError, match=f"the limit {next(iter(limit))} is "):
        Limits(**limit)  # type: ignore[arg-type]
