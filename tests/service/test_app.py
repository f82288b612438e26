"""The service's three addresses, and every way of asking too much of it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.results import Prediction
from tinyvirat.video import VideoReader

Client = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Uploads are gone when they are answered, whatever the answer."""
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(uploads))
    yield
    assert not list(uploads.iterdir())


def sent(path: Path, name: str | None = None) -> dict[str, Any]:
    return {"video": (name or path.name, path.read_bytes())}


def test_the_rows_of_recognize(client: Client, recognizer: ActionRecognizer, clip: Path) -> None:
    answer = client().post("/recognize", files=sent(clip))
    assert answer.status_code == 200
    (row,) = answer.json()["predictions"]
    (wanted,) = recognizer.recognize(clip)
    expected = wanted.to_json()
    assert row | {"video": "", "scores": {}} == expected | {"video": "", "scores": {}}
    assert row["video"] == "clip.mp4"
    assert row["scores"] == pytest.approx(expected["scores"], abs=2e-6)
    assert row["stop"] == 21 and row["stop_time"] == pytest.approx(2.1)


def test_health_and_model(client: Client, clip: Path) -> None:
    service = client(frames=50)
    before = service.get("/health").json()
    assert before["status"] == "ok" and before["model"] == "tiny" and before["answered"] == 0
    service.post("/recognize", files=sent(clip))
    assert service.get("/health").json()["answered"] == 1
    told = service.get("/model").json()
    assert told["labels"] == ["carry", "pull", "walk"]
    assert told["preprocess"]["size"] == 16 and told["limits"]["frames"] == 50
    assert "tuned_on" not in told, "the names of somebody's videos"


def test_it_describes_itself(client: Client) -> None:
    described = client().get("/openapi.json").json()
    assert set(described["paths"]) == {"/health", "/model", "/recognize"}
    form = described["paths"]["/recognize"]["post"]["requestBody"]["content"]
    assert "video" in form["multipart/form-data"]["schema"]["properties"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\clips\\a.mp4", "a.mp4"),
        ("a\x1b[2J.mp4", "a?[2J.mp4"),
        ("x" * 1000, "x" * 200),
        ("folder/", "video"),
    ],
)
def test_names_are_only_shown(client: Client, clip: Path, given: str, shown: str) -> None:
    answer = client().post("/recognize", files={"video": (given, b"no video")})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(f"{shown}: cannot be read as a video")
    assert "tmp" not in answer.text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"data": {"video": "text"}},
        {"files": {"film": b"x"}},
        {"content": b"x" * 10, "headers": {"content-type": "video/mp4"}},
    ],
)
def test_no_such_form(client: Client, options: dict[str, Any]) -> None:
    answer = client().post("/recognize", **options)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "send a form (multipart/form-data) with the video file"
    )


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_damaged_forms(client: Client, kind: str) -> None:
    headers = {"content-type": kind}
    answer = client().post("/recognize", content=b"--x\r\nhello", headers=headers)
    assert answer.status_code == 400 and answer.json()["error"]
    files = [("video", ("a", b"x")), ("video", ("b", b"x"))]
    assert client().post("/recognize", files=files).status_code == 400


def test_bad_videos(client: Client, clip: Path, tmp_path: Path) -> None:
    for data, reason in (
        (b"", "is empty"),
        (clip.read_bytes()[:300], "holds no video stream"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "cannot be read as a video"),
    ):
        answer = client().post("/recognize", files={"video": ("x.mp4", data)})
        assert answer.status_code == 422 and reason in answer.json()["error"]


def test_too_long_and_too_large_pictures(client: Client, clip: Path) -> None:
    answer = client(frames=20).post("/recognize", files=sent(clip))
    assert answer.status_code == 422
    assert answer.json()["error"] == "clip.mp4: has 21 frames; the limit is 20"
    answer = client(pixels=1000).post("/recognize", files=sent(clip))
    assert answer.status_code == 422 and "the limit is 1000 pixels" in answer.json()["error"]


def test_too_many_bytes(client: Client, clip: Path) -> None:
    """With a length that says so, with one that does not, and in the form's slack."""
    size = clip.stat().st_size
    service = client(megabytes=size / 1e6)
    assert service.post("/recognize", files=sent(clip)).status_code == 200
    for extra in (1, 1 << 20):
        files = {"video": ("x", clip.read_bytes() + b"\0" * extra)}
        answer = service.post("/recognize", files=files)
        assert answer.status_code == 413
        assert "the video is larger than" in answer.json()["error"]


def test_bytes_are_counted_whatever_the_header_says(client: Client) -> None:
    given = 0

    def pieces() -> Iterator[bytes]:
        nonlocal given
        yield b'--b\r\nContent-Disposition: form-data; name="video"; filename="x"\r\n\r\n'
        for _ in range(1000):
            given += 1
            yield b"\0" * 10_000

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client(megabytes=0.1).post("/recognize", content=pieces(), headers=headers)
    assert answer.status_code == 413


def test_too_slow_to_answer(client: Client, clip: Path) -> None:
    answer = client(seconds=0.01).post("/recognize", files=sent(clip))
    assert answer.status_code == 504
    assert answer.json()["error"] == "clip.mp4: could not be answered within 0.01 seconds"


def test_what_is_not_there(client: Client) -> None:
    assert client().get("/docs").status_code == 404, "its page would load scripts from elsewhere"
    for answer in (client().get("/nothing"), client().get("/recognize")):
        assert set(answer.json()) == {"error"}


class Stubborn:
    """A recogniser that answers when it is told to, or breaks."""

    def __init__(self, like: ActionRecognizer, error: Exception | None = None) -> None:
        self.spec = like.spec
        self.error = error
        self.asked = threading.Semaphore(0)
        self.told = threading.Event()
        self.most = 0
        self._now = 0

    def recognize_reader(self, reader: VideoReader, name: str) -> Prediction:
        if self.error is not None:
            raise self.error
        self._now += 1
        self.most = max(self.most, self._now)
        self.asked.release()
        assert self.told.wait(60)
        self._now -= 1
        return Prediction(name, 0, 0, 1, 0.0, 1.0, {}, (), None, "stubborn")


def test_a_defect_is_no_traceback(client: Client, recognizer: ActionRecognizer, clip: Path) -> None:
    answer = client(Stubborn(recognizer, ZeroDivisionError("secret"))).post(
        "/recognize", files=sent(clip)
    )
    assert answer.status_code == 500
    assert answer.json() == {"error": "something failed here; the server's log says what"}


def test_only_so_many_at_once(client: Client, recognizer: ActionRecognizer, clip: Path) -> None:
    """One is answered, one waits, others are sent away at once; health answers throughout."""
    slow = Stubborn(recognizer)
    with client(slow, at_once=1, waiting=1) as service, ThreadPoolExecutor(3) as pool:
        first = pool.submit(service.post, "/recognize", files=sent(clip))
        assert slow.asked.acquire(timeout=60)
        second = pool.submit(service.post, "/recognize", files=sent(clip))
        for _ in range(600):
            if service.get("/health").json()["under_way"] == 2:
                break
            threading.Event().wait(0.05)
        assert not slow.asked.acquire(timeout=3), "the second must wait for its turn"
        refused = service.post("/recognize", files=sent(clip))
        assert refused.status_code == 503 and refused.headers["retry-after"] == "10"
        assert refused.json()["error"] == "there is too much to do; try again later"
        assert service.get("/health").json()["answered"] == 0
        slow.told.set()
        assert [first.result(60).status_code, second.result(60).status_code] == [200, 200]
        assert slow.most == 1
        assert service.get("/health").json() | {"version": ""} == {
            "status": "ok",
            "model": "tiny",
            "version": "",
            "under_way": 0,
            "answered": 2,
        }
        assert service.post("/recognize", files=sent(clip)).status_code == 200, "places come free"


def test_waiting_has_an_end(client: Client, recognizer: ActionRecognizer, clip: Path) -> None:
    slow = Stubborn(recognizer)
    with client(slow, at_once=1, waiting=1, seconds=3) as service, ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.post, "/recognize", files=sent(clip))
        assert slow.asked.acquire(timeout=60)
        assert service.post("/recognize", files=sent(clip)).status_code == 503
        slow.told.set()
        assert first.result(60).status_code == 200
