"""Sentences instead of tracebacks, one recognition at a time, and what the command line refuses."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.app.limits import AppLimits
from tinyvirat.app.upload import UploadError
from tinyvirat.app.visit import recognise
from tinyvirat.cli import main
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.video import VideoError


@pytest.fixture
def page(
    recognizer: ActionRecognizer,
    limits: AppLimits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """The page, without a server."""
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    pytest.importorskip("gradio", reason="the extra `app` is not installed")
    from tinyvirat.app.labels import LabelStore
    from tinyvirat.app.page import Place, build_page

    place = Place(recognizer, "tiny", limits, LabelStore(tmp_path / "labels"), tmp_path)
    return build_page(place)


@pytest.fixture
def functions(page: Any) -> dict[str, Any]:
    """What it does, by the names of its functions."""
    return {one.fn.__name__: one for one in page.fns.values()}


def test_one_recognition_at_a_time(functions: dict[str, Any]) -> None:
    alone = [one for one in functions.values() if one.concurrency_id == "recognition"]
    assert [one.fn.__name__ for one in alone] == ["uploaded", "sample"]
    assert {one.concurrency_limit for one in alone} == {1}
    assert {one.api_visibility for one in functions.values()} == {"private"}


def test_no_request_makes_this_machine_fetch(page: Any) -> None:
    for block in page.blocks.values():
        with pytest.raises(Exception, match="Give a file, not an address"):
            asyncio.run(block.async_move_resource_to_block_cache("http://127.0.0.1:9/a.mp4"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("secret"), "Something failed here"),
        (VideoError(Path("/secret/video"), "breaks off"), "The video cannot be used: breaks off."),
    ],
)
def test_what_breaks_is_a_sentence(
    functions: dict[str, Any],
    error: Exception,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("tinyvirat.app.page.recognise", broken)
    shown = functions["uploaded"].fn("a.mp4", None, lambda *_, **__: None)
    (said,) = [part for part in shown if isinstance(part, str) and "tv-error" in part]
    assert sentence in said and "secret" not in said


def test_a_name_is_never_markup() -> None:
    from tinyvirat.app.words import said

    assert said("<img src=x onerror=alert(1)>", "error").count("<") == 2


def test_what_is_refused_leaves_nothing(
    recognizer: ActionRecognizer, limits: AppLimits, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    with pytest.raises(UploadError, match=r"^bad\.mp4: "):
        recognise(recognizer, tmp_path / "bad.mp4", "bad.mp4", workspace, limits, lambda *_: None)
    assert list(workspace.iterdir()) == []


def test_what_was_left_behind_is_swept_away(
    recognizer: ActionRecognizer, limits: AppLimits, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    for name, age in (("visit-old", 10_000), ("visit-new", 0), ("uploads", 10_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "video").write_text("")
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))
    with pytest.raises(UploadError):
        recognise(recognizer, tmp_path / "bad.mp4", "bad.mp4", tmp_path, limits, lambda *_: None)
    assert {path.name for path in tmp_path.iterdir()} == {"bad.mp4", "visit-new", "uploads"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "70000"], "--port 70000 is not in 0 to 65535"),
        (["--limit-mb", "0"], "the limit megabytes is 0.0, not a number above 0"),
        (["--limit-seconds", "-1"], "the limit seconds is -1.0"),
        (["--model", "nothing-like-it"], "nothing-like-it: neither a folder"),
    ],
)
def test_options_that_cannot_be(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["app", *options]) == 1
    assert message in capsys.readouterr().err


def test_without_the_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyvirat.cli.app.find_spec", lambda name: None)
    assert main(["app"]) == 1
    assert "pip install 'tinyvirat[app]'" in capsys.readouterr().err
