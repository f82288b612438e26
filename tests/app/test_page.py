"""The page in a real browser, from the click on the sample to a label that training takes."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.video import open_video

from .browsing import (
    BROWSERS,
    Watched,
    browsing,
    choose_tube,
    find_browser,
    save_labels,
    served,
    take_sample,
)


@pytest.fixture(scope="session")
def browser() -> str:
    """A browser; without one the test is skipped, or fails where one was promised."""
    found = find_browser()
    missing = [] if found else [f"a browser ({', '.join(BROWSERS)})"]
    for module in ("gradio", "playwright"):
        try:
            __import__(module)
        except ImportError:
            missing.append(module)
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("TINYVIRAT_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}, although TINYVIRAT_REQUIRE_BROWSER=1")
        pytest.skip(reason)
    assert found is not None
    return found


@pytest.mark.timeout(900)  # half a minute on a free machine
def test_the_page(browser: str, model: Path, video: Path, tmp_path: Path) -> None:
    """One server and one visit for all of it: each costs seconds."""
    folder = tmp_path / "server"
    limits = ["--limit-mb", "3", "--limit-seconds", "15"]
    with (
        served(str(model), folder, *limits) as home,
        browsing(home, browser) as (page, watched),
    ):
        a_bad_file_gets_its_sentence(page, tmp_path)
        so_does_a_long_one(page, tmp_path, video)
        so_does_a_large_one(page, tmp_path)
        take_sample(page)
        the_sample_is_listed(page)
        tube = choose_tube(page, 0)
        its_pictures_are_there(page)
        the_results_can_be_downloaded(page, tmp_path)
        a_label_is_saved(page, folder / "labels" / "manifest.jsonl", tube)
        a_second_tube_can_be_nothing(page, folder / "labels" / "manifest.jsonl", model)
        nothing_left_this_machine(watched)
        nothing_else_is_served(home, folder)
    log = (folder / "log").read_text("utf-8")
    assert "Traceback" not in log and "rror" not in log, log
    assert list((folder / "tmp").glob("tinyvirat-*")) == [], "nothing of the visit is left"


def give(page: Any, file: Path, place: str = "#tv-status .tv-error") -> str:
    page.set_input_files("#tv-file input[type=file]", file)
    page.wait_for_selector(place)
    return str(page.inner_text(place))


def a_bad_file_gets_its_sentence(page: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    said = give(page, tmp_path / "bad.mp4")
    assert said.startswith("bad.mp4: ") and "/" not in said, said
    assert not page.is_visible("#tv-tubes")


def so_does_a_long_one(page: Any, tmp_path: Path, video: Path) -> None:
    from tinyvirat.video import write_video

    with open_video(video) as reader:
        frames_THWC = reader.read([0] * 16).frames_THWC
    write_video(tmp_path / "long.mp4", frames_THWC, 1)
    page.set_input_files("#tv-file input[type=file]", tmp_path / "long.mp4")
    page.wait_for_selector("#tv-status .tv-error:has-text('lasts 16.0 s; up to 15 s')")


def so_does_a_large_one(page: Any, tmp_path: Path) -> None:
    (tmp_path / "large.mp4").write_bytes(bytes(3_000_001))
    said = give(page, tmp_path / "large.mp4", "[data-testid=toast-body]")
    assert "exceed the maximum allowed size" in said and "large.mp4" in said
    page.click("[data-testid=toast-close]")


def the_sample_is_listed(page: Any) -> None:
    said = page.inner_text("#tv-status .tv-done")
    assert said.startswith("sample.mp4: 150 frames of 640 x 360 px"), said
    heads = page.locator("#tv-tubes thead").last.inner_text().split()
    assert heads[:2] == ["tube", "type"]
    surest, second = (cell(page, row, 4).split(",")[0] for row in (0, 1))
    assert float(surest) >= float(second) > 0.1, "the surest first"
    assert set(cell(page, 0, 3).replace(" ", "").split(",")) <= {"carry", "pull", "walk"}


def cell(page: Any, row: int, column: int) -> str:
    return str(page.inner_text(f'#tv-tubes [data-testid="cell-{row}-{column}"]')).strip()


def its_pictures_are_there(page: Any) -> None:
    names = page.locator(".tv-strips dt").all_inner_texts()
    assert names == ["input 16 x 16", "super-resolved", "attention"]
    widths = page.evaluate(
        "[...document.querySelectorAll('.tv-strips img')].map(i => i.naturalWidth)"
    )
    assert widths == [8 * 224] * 3, "the pictures were allowed and decoded"
    page.wait_for_function("document.querySelector('.tv-tube video').videoWidth > 0")
    assert page.locator(".tv-scores svg path").count() > 5


def the_results_can_be_downloaded(page: Any, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.click("#tv-download")
    download.value.save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as results:
        assert {"predictions.jsonl", "actions.csv", "annotated.mp4"} <= set(results.namelist())
        row = json.loads(results.read("predictions.jsonl").splitlines()[0])
    assert row["video"] == "sample.mp4" and set(row["scores"]) == {"carry", "pull", "walk"}


def a_label_is_saved(page: Any, manifest: Path, tube: int) -> None:
    said = save_labels(page, "loading a cart", "walk")
    assert said == f"Saved: tube {tube} shows loading a cart, walk (1 clip).", said
    (row,) = read_manifest(manifest).records
    assert row.labels == ("loading a cart", "walk") and row.extra["video"] == "sample.mp4"
    with open_video(manifest.parent / row.path) as clip:
        assert clip.count() == row.frames and clip.info.width == clip.info.height == row.width
    page.wait_for_selector("#tv-saved :text('loading a cart, walk') >> visible=true")


def a_second_tube_can_be_nothing(page: Any, manifest: Path, model: Path) -> None:
    first = page.get_attribute(".tv-tube", "data-tube")
    page.click('#tv-tubes [data-testid="cell-1-2"]')
    page.wait_for_selector(f".tv-tube:not([data-tube='{first}'])")
    page.wait_for_selector("#tv-said:not(:has(.tv-said))", state="attached")
    assert "shows nothing" in save_labels(page)
    first_row, second = read_manifest(manifest).records
    assert second.labels == () and first_row.source == second.source
    line = page.input_value("#tv-command textarea, #tv-command input")
    assert line == f"tinyvirat finetune {model} --data {manifest} --out runs/mine"


def nothing_left_this_machine(watched: Watched) -> None:
    assert watched.elsewhere == []
    assert watched.forbidden == [], "Gradio asked for something from elsewhere"


def nothing_else_is_served(home: str, folder: Path) -> None:
    for path in (folder / "log", folder / "labels" / "manifest.jsonl", Path("/etc/hostname")):
        assert status(f"{home}/gradio_api/file={path}") == 403, path
    assert status(home, {"Host": "elsewhere.example"}) == 400, "no other name for this machine"
    with urllib.request.urlopen(home, timeout=60) as answer:
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        page = answer.read().decode()
    config = json.loads(page.split("window.gradio_config = ")[1].split(";</script>")[0])
    assert config["analytics_enabled"] is False


def status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        request = urllib.request.Request(url, headers=headers or {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
