"""The page in a real browser: the server in a process of its own, a headless Chromium before it.

Also makes the picture in the documents, of the rendered sample and nothing else:

    python tests/app/browsing.py runs/mine docs/images/app.png
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 300_000
WIDTH = 1280


def find_browser() -> str | None:
    """The first browser that is installed."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def served(model: str, folder: Path, *options: str) -> Iterator[str]:
    """The address of `tinyvirat app`, which ends as by Ctrl-C.

    Args:
        model: for `--model`.
        folder: gets the log, the labels, and everything temporary.
        options: more of the command line.
    """
    log, temporary = folder / "log", folder / "tmp"
    temporary.mkdir(parents=True)
    words = [sys.executable, "-m", "tinyvirat", "app", "--model", model, "--port", "0"]
    words += ["--labels", str(folder / "labels"), "--device", "cpu", "--precision", "float32"]
    surroundings = os.environ | {"TMPDIR": str(temporary)}
    with log.open("wb") as file:
        server = subprocess.Popen([*words, *options], stdout=file, stderr=file, env=surroundings)
    try:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text("utf-8"))):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.1)
        yield found[0]
        server.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(30)
    finally:
        server.kill()
        server.wait()


@dataclass
class Watched:
    """What a page did besides what it showed.

    Attributes:
        home: the address that it may talk to.
        elsewhere: requests to other places.
        forbidden: what the page asked for and its own rules did not let it have.
    """

    home: str
    elsewhere: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Listens to a page."""
        page.on("request", lambda request: self._request(request.url))
        page.on("websocket", lambda socket: self._request(socket.url))
        page.on("console", lambda said: self._console(said.text))

    def _request(self, url: str) -> None:
        if not url.startswith((f"{self.home}/", "data:", f"blob:{self.home}/")):
            self.elsewhere.append(url)

    def _console(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.forbidden.append(text)


@contextmanager
def browsing(home: str, browser: str, *, height: int = 900) -> Iterator[tuple[Any, Watched]]:
    """An open page, watched."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=arguments)
        try:
            page = chromium.new_page(viewport={"width": WIDTH, "height": height})
            page.set_default_timeout(PATIENCE_MS)
            watched = Watched(home)
            watched.watch(page)
            page.goto(home)
            page.wait_for_selector("#tv-sample")
            yield page, watched
        finally:
            chromium.close()


def take_sample(page: Any) -> None:
    """From the click to the table."""
    page.click("#tv-sample")
    page.wait_for_selector("#tv-status .tv-said")
    page.wait_for_selector('#tv-tubes [data-testid="cell-0-0"]')


def choose_tube(page: Any, row: int) -> int:
    """Clicks a row of the table; the number of its tube, once its pictures are there."""
    page.click(f'#tv-tubes [data-testid="cell-{row}-2"]')
    page.wait_for_selector(".tv-tube video")
    page.wait_for_selector("#tv-save:visible")
    return int(page.get_attribute(".tv-tube", "data-tube"))


def save_labels(page: Any, *labels: str) -> str:
    """Gives the chosen tube these labels and no other; what the page says to that."""
    clear = page.locator("#tv-labels [title='Clear']")
    if clear.count():
        clear.first.click()
    for label in labels:
        page.click("#tv-labels input")
        page.keyboard.type(label)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.click("#tv-save")
    page.wait_for_selector("#tv-said .tv-said")
    return str(page.inner_text("#tv-said"))


HOME = """places => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const move = text => places.reduce((t, [old, now]) => t.replaceAll(old, now), text);
    while (walk.nextNode()) walk.currentNode.data = move(walk.currentNode.data);
    for (const area of document.querySelectorAll("textarea")) area.value = move(area.value);
    for (const video of document.querySelectorAll("video")) {
        video.pause();
        video.currentTime = 0.4 * video.duration;
    }
    window.scrollTo(0, 0);
}"""
"""Shows temporary places under other names, and holds everything still."""


def picture(model: str, out: Path, row: int = 0, colours: str = "light") -> None:
    """Takes the picture of the page with a tube of the sample chosen and labelled."""
    browser = find_browser()
    assert browser is not None, f"no browser: install one of {', '.join(BROWSERS)}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(model, folder) as home, browsing(home, browser) as (page, _):
            page.emulate_media(color_scheme=colours)
            take_sample(page)
            choose_tube(page, row)
            save_labels(page, "activity_walking", "carrying a box")
            page.wait_for_selector("#tv-saved :text('carrying a box') >> visible=true")
            page.wait_for_timeout(1500)
            places = [
                [str(folder), "/home/me"],
                [str(Path(model).absolute()), "/home/me/runs/demo"],
            ]
            page.evaluate(HOME, places)
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)
            page.screenshot(path=folder / "page.png", full_page=True)
        from PIL import Image

        # A palette of its own takes two fifths of the bytes, and is hardly to be told from it.
        shot = Image.open(folder / "page.png").convert("RGB")
        shot.quantize(256, kmeans=1).save(out, optimize=True)


if __name__ == "__main__":
    picture(sys.argv[1], Path(sys.argv[2]))
