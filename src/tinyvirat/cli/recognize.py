"""`tinyvirat recognize`: who does what, where and when, in clips, videos and streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.progress import say

if TYPE_CHECKING:
    from tinyvirat.cli.recognized import Asked, Shown
    from tinyvirat.recognition.load import ActionRecognizer
    from tinyvirat.recognition.stream import VideoStream

SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv")


def recognize(
    source: str,
    *,
    model: str | None = None,
    tubes: str | None = None,
    out: Path | None = None,
    outputs: str | None = None,
    render: bool = False,
    input_size: int | None = None,
    top: int = 3,
    engine: Literal["torch", "onnx", "openvino"] = "torch",
    device: str = "auto",
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    ray: str | None = None,
    workers: int | None = None,
    cpus: int = 1,
    gpus: float | None = None,
    json: bool = False,
) -> int:
    """Names the actions in a video, a stream or a clip, or in every one of a folder.

    A clip of at most 128 x 128 px is taken whole. In anything larger the actors are found by their
    motion, and each is read over time; so is a stream until it ends or Ctrl-C is pressed.

    Args:
        source: a video file, a folder that is searched with all its sub-folders, an address
            (rtsp://, http://), or the number of a camera.
        model: a model's or a run's folder, the name of fetched weights, or an exported file;
            without it the model that ships recognises six interactions of people.
        tubes: whole (the whole frame), motion (what moves), or a file of detections, tracks or
            annotations, or a folder of them; chosen by the size of the frames if not given.
        out: folder for what is written; each video of a folder has its own in it.
        outputs: what is written, with commas between; everything if not given.
        render: draw input, enlarged clip and attention map of clips, as a picture and as a video,
            into OUT.
        input_size: make clips this many pixels small first, to see what is still recognised.
        top: how many labels the table shows for each clip.
        engine: what computes; onnx and openvino need the model exported (`tinyvirat export`).
        device: where PyTorch computes; auto takes a GPU where there is one.
        precision: number format of the network; auto takes the fastest that is safe.
        ray: address of a Ray cluster that recognises the videos of a folder, whose machines see
            the same files under the same paths; local starts one here.
        workers: how many videos the cluster works on at once; as many as there is room for if not
            given.
        cpus: cores of each worker of the cluster.
        gpus: GPUs of each worker, or a part of one; 1 if not given and the cluster has any.
        json: print the result rows as JSON lines, as they become known, instead of a table; with
            --ray a row a video.
    """
    if out is None and (render or outputs is not None):
        named = "--render" if render else "--outputs"
        raise TinyviratError(f"{named} needs --out DIR, the folder to write into")
    sources = find_sources(source)
    folder = Path(source) if Path(source).is_dir() else None
    together = ray is not None or (workers, cpus, gpus) != (None, 1, None)
    if together and (ray is None or folder is None or out is None or render):
        raise TinyviratError(
            "--ray ADDRESS is for a FOLDER of videos, with --out DIR and without --render; "
            "--workers, --cpus and --gpus go with it"
        )
    videos = [] if folder is None else [one for one in sources if isinstance(one, Path)]
    if folder is not None and out is not None and not render and (together or not json):
        from tinyvirat.cli.archived import archived
        from tinyvirat.recognition.archive.cluster import Share
        from tinyvirat.recognition.archive.records import Plan

        plan = Plan(
            out=out,
            model=_model_or_default(model),
            tubes=tubes,
            outputs=_names(outputs),
            engine=engine,
            device=device,
            precision=precision,
            input_size=input_size,
        )
        share = Share(workers, cpus, gpus)
        return archived(videos, folder, plan, ray=ray, share=share, rows=json, top=top)
    first = _opened(sources)  # before any model is looked for, so that its own error comes first
    from tinyvirat.cli.recognized import Asked, Shown
    from tinyvirat.recognition.archive.records import names_in
    from tinyvirat.recognition.load import load
    from tinyvirat.recognition.proposals.choose import check_tubes

    check_tubes(tubes, videos)
    names = {} if folder is None else names_in(videos, folder)
    recognizer = load(
        _model_or_default(model),
        device=device,
        precision=precision,
        input_size=input_size,
        engine=engine,
    )
    asked = Asked(tubes, out, names, _names(outputs), render)
    shown = Shown(json=json, top=top)
    code = _all(recognizer, sources, first, asked, shown)
    if asked.gathers_clips:
        shown.write_clips(asked.out)
    shown.tables()
    return code


def find_sources(source: str) -> list[str | Path | int]:
    """What is named by SOURCE: one address, camera or video, or all videos of a folder.

    Raises:
        TinyviratError: there is no video in the folder.
    """
    path = Path(source)
    if "://" in source:
        return [source]
    if source.isdecimal() and not path.exists():
        return [int(source)]
    return [*find_videos(path)]


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


def _model_or_default(model: str | None) -> str:
    """The model to use; says which, where nobody named one."""
    from tinyvirat.models.saved import DEFAULT_MODEL, SHIPPED

    if model is None:
        say(
            f"without --model: {DEFAULT_MODEL}, the model that ships; what it knows and what not: "
            f"{SHIPPED / DEFAULT_MODEL / 'CARD.md'}"
        )
        return DEFAULT_MODEL
    return model


def _names(outputs: str | None) -> tuple[str, ...] | None:
    if outputs is None:
        return None
    return tuple(name.strip() for name in outputs.split(",") if name.strip())


def _opened(sources: list[str | Path | int]) -> VideoStream | None:
    """The only source, opened; none where there are several."""
    from tinyvirat.recognition.stream.sources import open_stream

    return open_stream(sources[0]) if len(sources) == 1 else None


def _all(
    recognizer: ActionRecognizer,
    sources: list[str | Path | int],
    first: VideoStream | None,
    asked: Asked,
    shown: Shown,
) -> int:
    """Recognises one source after the other; the exit code."""
    from tinyvirat.cli.recognized import one
    from tinyvirat.recognition.stream.sources import open_stream

    failed = False
    for source in _progress(sources):
        try:
            stream = open_stream(source) if first is None else first
            if one(recognizer, stream, asked, shown, progress=first is not None).interrupted:
                return 130
        except TinyviratError as error:
            failed = True
            say(f"tinyvirat: error: {error}")
    return 1 if failed else 0


def _progress(sources: list[str | Path | int]) -> Iterator[str | Path | int]:
    from tinyvirat.common.progress import track

    return track(sources, "recognising") if len(sources) > 1 else iter(sources)
