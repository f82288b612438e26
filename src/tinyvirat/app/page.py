"""The page: its parts, and what happens when somebody touches them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from tinyvirat.app import words
from tinyvirat.app.labels import LabelStore
from tinyvirat.app.limits import AppLimits
from tinyvirat.app.sample import sample_video
from tinyvirat.app.visit import Visit, look, pieces_between, recognise
from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.words import counted
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.video import VideoError

LOG = logging.getLogger(__name__)
FAILED = "Something failed here; the terminal in which the page was started says what."
OVER = "Your visit has been cleared away; give the video again."
SWEEP_S = 60
"""Seconds between two looks for files that nobody needs any more."""


@dataclass(frozen=True, eq=False)
class Place:
    """What all visitors share.

    Attributes:
        recognizer: the model.
        model: what to call it on a command line.
        limits: of a visit.
        labels: where labels are saved.
        workspace: a folder for visits, which is removed with the server.
    """

    recognizer: ActionRecognizer
    model: str
    limits: AppLimits
    labels: LabelStore
    workspace: Path


def theme() -> Any:
    """Colours and letters; no font comes from elsewhere."""
    return gr.themes.Soft(
        primary_hue="blue",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def build_page(place: Place) -> Any:
    """The page as Gradio's `Blocks`."""
    with gr.Blocks(
        title="tinyvirat",
        analytics_enabled=False,
        delete_cache=(SWEEP_S, int(place.limits.idle_seconds)),
    ) as page:
        parts = _Parts(place)
        _Actions(place, parts).attach(page)
    for block in page.blocks.values():
        _take_no_address(block)
    page.queue(max_size=place.limits.waiting, default_concurrency_limit=2)
    return page


def _take_no_address(block: Any) -> None:
    """Makes a component refuse addresses where files belong.

    A crafted request could otherwise let this machine fetch anything, of any size.
    """
    move = block.async_move_resource_to_block_cache

    async def moved(path: str | Path | None) -> str | None:
        if path is not None and "://" in str(path):
            raise gr.Error("Give a file, not an address.")
        found: str | None = await move(path)
        return found

    block.async_move_resource_to_block_cache = moved


class _Parts:
    """The components, from top to bottom."""

    def __init__(self, place: Place) -> None:
        idle = place.limits.idle_seconds
        self.visit = gr.State(None, time_to_live=idle, delete_callback=_forget)
        self.tube = gr.State(None)
        self.clip = gr.State(None)
        self._text(words.head(place.recognizer.spec))
        self._text(words.step(1, "Give it a video"))
        with gr.Row(equal_height=True):
            with gr.Column(scale=3):
                self.file = gr.File(
                    label="Drop a video here", file_count="single", height=150, elem_id="tv-file"
                )
            with gr.Column(scale=2):
                self.sample = gr.Button("Take the sample", variant="primary", elem_id="tv-sample")
                self._text(words.sample_note() + words.limits_note(place.limits))
        self.status = gr.HTML(min_height=44, elem_id="tv-status", elem_classes="tv-flat")
        self.results = gr.Column(visible=False)
        with self.results:
            self._results()
        self.teaching = gr.Column(visible=False)
        with self.teaching:
            self._teaching(place)

    def _text(self, html: str) -> None:
        gr.HTML(html, elem_classes="tv-flat")

    def _results(self) -> None:
        self._text(
            words.step(2, "See who does what", "the surest first; click a row to look closer")
        )
        with gr.Row():
            with gr.Column(scale=5):
                self.video = gr.Video(
                    show_label=False, interactive=False, autoplay=True, loop=True, height=330
                )
                self.archive = gr.DownloadButton("Download all results", elem_id="tv-download")
                with gr.Accordion("Single files", open=False):
                    self.files = gr.File(
                        label="Results", file_count="multiple", interactive=False, height=180
                    )
            with gr.Column(scale=6):
                self.tubes = gr.Dataframe(
                    headers=words.TUBE_COLUMNS,
                    datatype="str",
                    interactive=False,
                    wrap=True,
                    max_height=430,
                    column_widths=["10%", "15%", "27%", "32%", "16%"],
                    buttons=[],
                    elem_id="tv-tubes",
                )
        self.details = gr.HTML(elem_id="tv-details", elem_classes="tv-flat")

    def _teaching(self, place: Place) -> None:
        hint = "correct the labels, or give it new ones"
        self._text(words.step(3, "Teach it what you see", hint))
        with gr.Row(equal_height=True):
            self.labels = gr.Dropdown(
                label="This tube shows",
                info="Choose, or type a new name; several are fine, and none means nothing.",
                multiselect=True,
                allow_custom_value=True,
                scale=4,
                elem_id="tv-labels",
            )
            self.begin = gr.Number(label="from second", precision=2, minimum=0, scale=1)
            self.end = gr.Number(label="to second", precision=2, minimum=0, scale=1)
            self.save = gr.Button(
                "Save", variant="primary", scale=0, min_width=130, elem_id="tv-save"
            )
        self.said = gr.HTML(elem_id="tv-said", elem_classes="tv-flat")
        self.saved = gr.Dataframe(
            headers=words.SAVED_COLUMNS,
            datatype="str",
            interactive=False,
            max_height=230,
            column_widths=["24%", "24%", "9%", "9%", "34%"],
            buttons=[],
            label="Saved",
            elem_id="tv-saved",
        )
        with gr.Row():
            where = f"Saved with their clips in {place.labels.folder}; click one to take it out."
            self._text(words.note(where))
            self.remove = gr.Button("Remove", visible=False, size="sm", elem_id="tv-remove")
        self.command = gr.Textbox(
            label="Then train a model of your own",
            interactive=False,
            lines=1,
            buttons=["copy"],
            elem_id="tv-command",
        )


class _Actions:
    """What happens. Each function gets what the page holds and gives what it shows then."""

    def __init__(self, place: Place, parts: _Parts) -> None:
        self._place = place
        self._parts = parts

    def attach(self, page: Any) -> None:
        """Ties the functions to the components."""
        at, private = self._parts, {"api_visibility": "private"}
        shown = [
            *(at.visit, at.tube, at.file, at.status, at.results, at.video, at.archive, at.files),
            *(at.tubes, at.details, at.teaching),
        ]
        alone = private | {
            "outputs": shown,
            "concurrency_id": "recognition",
            "concurrency_limit": 1,
            "show_progress_on": at.status,
        }
        at.file.upload(self.uploaded, [at.file, at.visit], **alone)
        at.sample.click(self.sample, [at.visit], **alone)
        chosen = [at.visit, at.tube, at.details, at.teaching, at.labels, at.begin, at.end, at.said]
        at.tubes.select(
            self.choose, [at.visit], chosen, show_progress_on=at.details, **private
        ).then(self.list_saved, None, [at.saved, at.command], **private)
        told = [at.said, at.saved, at.command, at.clip, at.remove]
        given = [at.visit, at.tube, at.labels, at.begin, at.end]
        at.save.click(self.save, given, told, concurrency_limit=1, **private)
        at.saved.select(self.choose_saved, None, [at.clip, at.remove], **private)
        at.remove.click(self.remove, [at.clip], told, concurrency_limit=1, **private)

    def uploaded(self, file: str, visit: Visit | None, progress: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        """A file was dropped."""
        return self._recognised(lambda: Path(file), visit, progress)

    def sample(self, visit: Visit | None, progress: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        """The sample was asked for."""
        progress(0.0, desc="drawing the sample")
        return self._recognised(sample_video, visit, progress)

    def choose(self, visit: Visit | None, event: gr.SelectData) -> list[Any]:
        """A row of the table of tubes was clicked."""
        place, number = self._place, int(event.row_value[0])
        tube = None if visit is None else visit.found.tube(number)
        if visit is None or tube is None:
            hidden = gr.update(visible=False)
            return [visit, None, words.said(OVER, "error"), hidden, *[gr.skip()] * 4]
        try:
            pictures = look(place.recognizer, visit, tube, place.limits)
        except Exception as error:
            pictures = _failed(error)
        end = tube.end
        known = dict.fromkeys([*place.recognizer.spec.labels, *self._names()])
        return [
            visit,  # kept from now on anew
            number,
            pictures,
            gr.update(visible=True),
            gr.update(choices=list(known), value=list(tube.best), label=f"Tube {number} shows"),
            gr.update(value=round(end.start_time, 2)),
            gr.update(value=round(end.stop_time, 2)),
            "",
        ]

    def list_saved(self) -> list[Any]:
        """What is saved, and the command that takes it."""
        try:
            return self._listed()
        except TinyviratError as error:
            return [[], str(error)]

    def save(
        self,
        visit: Visit | None,
        number: int | None,
        labels: list[str],
        begin: float | None,
        end: float | None,
    ) -> list[Any]:
        """Labels are to be saved."""
        tube = None if visit is None or number is None else visit.found.tube(number)
        if visit is None or tube is None:
            return [words.said(OVER, "error"), *[gr.skip()] * 4]

        def saved() -> str:
            assert visit is not None and tube is not None
            whole = tube.end.start_time, tube.end.stop_time
            times = [w if t is None else t for w, t in zip(whole, (begin, end), strict=True)]
            pieces = pieces_between(visit, tube, times[0], times[1])
            said = {"model": visit.found.header.model, "labels": tube.best}
            rows = self._place.labels.save(
                visit.upload, tube.end.tube, pieces, labels or (), self._place.limits, said
            )
            named = ", ".join(rows[0].labels) or words.NOTHING
            return f"Saved: tube {tube.end.tube} shows {named} ({counted(len(rows), 'clip')})."

        return self._told(saved)

    def choose_saved(self, event: gr.SelectData) -> list[Any]:
        """A row of what is saved was clicked."""
        clip = str(event.row_value[-1])
        return [clip, gr.update(visible=bool(clip), value=f"Remove {clip}")]

    def remove(self, clip: str | None) -> list[Any]:
        """A saved clip is to be taken out."""

        def removed() -> str:
            there = clip is not None and self._place.labels.remove(clip)
            return f"Removed {clip}." if there else f"{clip} is not there any more."

        return self._told(removed)

    def _recognised(
        self, video: Callable[[], Path], before: Visit | None, progress: Any
    ) -> list[Any]:
        """Everything that the page shows after a video; or why there is nothing."""
        place = self._place
        if before is not None:
            before.close()
        try:
            path = video()
            visit = recognise(
                place.recognizer,
                path,
                path.name,
                place.workspace,
                place.limits,
                lambda part, what: progress(min(part, 1.0), desc=what),
            )
        except Exception as error:
            nothing = [gr.update(visible=False), None, None, None, [], "", gr.update(visible=False)]
            return [None, None, None, _failed(error), *nothing]
        return [
            visit,
            None,
            None,
            words.summary(visit.found, visit.upload.name),
            gr.update(visible=True),
            None if visit.annotated is None else str(visit.annotated),
            str(visit.archive),
            [str(path) for path in visit.results],
            words.tube_rows(visit.found),
            "",
            gr.update(visible=False),
        ]

    def _told(self, act: Callable[[], str]) -> list[Any]:
        """Does something with what is saved, and shows how it went."""
        hidden = [None, gr.update(visible=False)]
        try:
            text = act()
            return [words.said(text, "done"), *self._listed(), *hidden]
        except Exception as error:
            return [_failed(error), gr.skip(), gr.skip(), *hidden]

    def _listed(self) -> list[Any]:
        labels = self._place.labels
        return [words.saved_rows(labels.saved()), labels.command(self._place.model)]

    def _names(self) -> list[str]:
        try:
            return sorted({label for row in self._place.labels.saved() for label in row.labels})
        except TinyviratError:
            return []


def _failed(error: Exception) -> str:
    """An error as a sentence; what is no mistake of the visitor's goes to the terminal."""
    if isinstance(error, VideoError):
        return words.said(f"The video cannot be used: {error.cause}.", "error")
    if isinstance(error, TinyviratError):
        return words.said(f"{error}.", "error")
    LOG.error("the page failed", exc_info=error)
    return words.said(FAILED, "error")


def _forget(visit: Visit | None) -> None:
    if visit is not None:
        visit.close()
