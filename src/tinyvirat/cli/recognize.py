"""`tinyvirat recognize`: what is done in a clip, or in a folder of them."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.errors import TinyviratError

if TYPE_CHECKING:
    from tinyvirat.recognition.load import ActionRecognizer
    from tinyvirat.recognition.results import Prediction

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv")


def recognize(
    path: Path,
    *,
    model: str | None = None,
    out: Path | None = None,
    render: bool = False,
    input_size: int | None = None,
    top: int = 3,
    engine: Literal["torch", "onnx", "openvino"] = "torch",
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    json: bool = False,
) -> int:
    """Names the actions in a video clip, or in every clip of a folder.

    Args:
        path: a video file, or a folder that is searched for videos with all its sub-folders.
        model: a model's or a run's folder, the name of fetched weights, or an exported file.
        out: folder for `predictions.jsonl` and the pictures.
        render: draw input, enlarged clip and attention map, as a picture and as a video, into OUT.
        input_size: make clips this many pixels small first, to see what is still recognised.
        top: how many labels the table shows for each clip.
        engine: what computes; onnx and openvino need the model exported (`tinyvirat export`).
        device: where PyTorch computes; auto takes a GPU where there is one.
        precision: number format of the network; auto takes the fastest that is safe.
        json: print the result rows as JSON lines instead of a table.
    """
    if render and out is None:
        raise TinyviratError("--render needs --out DIR, the folder for its pictures")
    videos = find_videos(path)
    _open_first(videos)
    if model is None:
        raise TinyviratError(
            "no model is shipped yet: name one with --model; `tinyvirat weights fetch "
            "i3d-kinetics400` brings one, then `--model i3d-kinetics400`"
        )
    from tinyvirat.recognition.load import load

    recognizer = load(
        model, device=device, precision=precision, input_size=input_size, engine=engine
    )
    failed = 0
    predictions = []
    for video in _progress(videos):
        try:
            found = recognizer.recognize(video)
            if render and out is not None:
                _render(recognizer, found, path, out)
        except TinyviratError as error:
            failed += 1
            sys.stderr.write(f"tinyvirat: error: {error}\n")
            continue
        predictions += found
        if json:
            print(*(json_module.dumps(p.to_json()) for p in found), sep="\n", flush=True)
    if out is not None:
        from tinyvirat.recognition.results import write_predictions

        write_predictions(out / "predictions.jsonl", predictions)
    if not json:
        _table(predictions, top)
    return 1 if failed else 0


def find_videos(path: Path) -> list[Path]:
    """The video at `path`, or all videos under it, sorted.

    Raises:
        TinyviratError: there is nothing, or no video in the folder.
    """
    if path.is_dir():
        videos = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not videos:
            raise TinyviratError(
                f"{path}: no video in this folder; known endings are {', '.join(SUFFIXES)}"
            )
        return videos
    return [path]


def _open_first(videos: list[Path]) -> None:
    """Opens a single input before any model is looked for, so that its own error comes first."""
    from tinyvirat.video import open_video

    if len(videos) == 1:
        open_video(videos[0]).close()


def _progress(videos: list[Path]) -> Iterator[Path]:
    from tinyvirat.common.progress import track

    return track(videos, "recognising") if len(videos) > 1 else iter(videos)


def _render(recognizer: ActionRecognizer, found: list[Prediction], path: Path, out: Path) -> None:
    from tinyvirat.recognition.render import render

    for prediction in found:
        video = Path(prediction.video)
        relative = video.relative_to(path) if path.is_dir() else Path(video.name)
        # The ending stays in the name: a.mp4 and a.avi may lie side by side.
        name = "__".join(relative.parts).replace(".", "_")
        for picture in render(recognizer, prediction, out / "pictures" / name):
            sys.stderr.write(f"wrote {picture}\n")


def _table(predictions: list[Prediction], top: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("clip", overflow="fold")
    table.add_column("frames", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column(f"top {top}", overflow="fold")
    for p in predictions:
        best = ", ".join(f"{label} {score:.2f}" for label, score in p.top(top))
        seconds = f"{p.stop_time - p.start_time:.1f}"
        table.add_row(p.video, str(p.stop - p.start), seconds, best)
    Console().print(table)
