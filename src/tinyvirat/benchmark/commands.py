"""Whole commands: how long they take from cold, and where a video's time goes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from tinyvirat.benchmark.records import Timing
from tinyvirat.benchmark.speeds import How, Subject, subject
from tinyvirat.common.words import counted

if TYPE_CHECKING:
    from tinyvirat.models.recognizer import Recognizer

DEFAULT_MODEL = "i3d-prog-dvsr-x8"
CLIP_FRAMES, CLIP_SIDE = 40, 48


def measure_start(how: How, *, turns: int = 3, one: Subject | None = None) -> list[Timing]:
    """Seconds of `tinyvirat --help` and of recognising one clip, as a user waits for them.

    Args:
        how: threads and seed.
        turns: times that each is done.
        one: the network that recognises; None: the largest published one.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, clip = _made(Path(folder), how, one or subject(DEFAULT_MODEL))
        orders = {
            "tinyvirat --help": ["--help"],
            "tinyvirat recognize, one clip": [
                "recognize",
                str(clip),
                "--model",
                str(model),
                "--json",
            ],
        }
        seconds: dict[str, list[float]] = {what: [] for what in orders}
        reasons: dict[str, str] = {}
        for _ in range(turns):
            for what, words in orders.items():
                began = time.perf_counter()
                try:
                    code = _tinyvirat(words, how.threads, how.pace.limit)
                except subprocess.TimeoutExpired:
                    code = f"took longer than {how.pace.limit:.0f} s"
                if code:
                    reasons[what] = code
                    continue
                seconds[what].append(time.perf_counter() - began)
    return [
        Timing(
            "start",
            what,
            "cold",
            seconds=statistics.median(found) if found else None,
            unit="command",
            reason=None if found else reasons.get(what),
        )
        for what, found in seconds.items()
    ]


def measure_video(video: Path, model: str, how: How) -> list[Timing]:
    """Where the time of a whole video goes, stage by stage: what moves is followed, windows of
    every tube overlap by half, and the answers are written as rows. Stages run side by side. One
    turn, in this process, in the number format that the model is opened in without being asked.

    Args:
        video: what to read.
        model: a model's or a run's folder, or the name of fetched weights.
        how: threads and device.

    Raises:
        TinyviratError: the video or the model cannot be read.
    """
    import torch

    from tinyvirat.recognition.load import load
    from tinyvirat.recognition.outputs.opening import open_sinks
    from tinyvirat.recognition.stream import run_stream
    from tinyvirat.video import open_video

    before = torch.get_num_threads()
    torch.set_num_threads(how.threads)
    try:
        recognizer = load(model, device=how.device)
        with open_video(video) as reader:
            length = reader.count() / float(reader.info.fps)
        with tempfile.TemporaryDirectory() as folder:
            sinks = open_sinks(Path(folder), recognizer, ("jsonl",))
            with _enlarging(recognizer.inference.network) as enlarging:
                end = run_stream(recognizer, video, sinks, "motion", progress=False)
    finally:
        torch.set_num_threads(before)
    what = f"{video.name}, {recognizer.spec.name}"
    seconds = dict(end.stages)
    answering, enlarged = seconds.pop("network"), sum(enlarging)
    seconds |= {"super-resolution": enlarged} if enlarging else {}
    seconds |= {"classification": answering - enlarged, "write": seconds.pop("write")}
    rows = [Timing("video", what, name, seconds=one, unit="video") for name, one in seconds.items()]
    whole = Timing(
        "video",
        what,
        "all of it",
        seconds=end.seconds,
        unit=f"video of {length:.1f} s, {counted(end.tubes, 'tube')}, "
        f"{counted(end.windows, 'window')}",
        ratio=length / end.seconds,  # as it plays
    )
    return [*rows, whole]


@contextmanager
def _enlarging(network: Recognizer) -> Iterator[list[float]]:
    """The seconds of each batch in super-resolution; none where the network has none."""
    import torch

    spent: list[float] = []
    if network.super_resolution is None:
        yield spent
        return

    def now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    before = network.super_resolution.register_forward_pre_hook(lambda *_: spent.append(-now()))
    after = network.super_resolution.register_forward_hook(
        lambda *_: spent.append(spent.pop() + now())
    )
    try:
        yield spent
    finally:
        before.remove()
        after.remove()


def _made(folder: Path, how: How, one: Subject) -> tuple[Path, Path]:
    """A model's folder with fresh weights, and a clip."""
    from tinyvirat.benchmark.networks import built, clips
    from tinyvirat.benchmark.speeds import network_job
    from tinyvirat.common.pixels import to_uint8
    from tinyvirat.models.preprocess import Preprocess
    from tinyvirat.models.recognizer import Recognizer
    from tinyvirat.models.saved import Model, ModelSpec, save_model
    from tinyvirat.video import write_video
    from tinyvirat.video.sampling import AllWindows

    network = built(network_job(one, how))
    assert isinstance(network, Recognizer)
    labels = tuple(f"class {k}" for k in range(one.config.classifier.num_classes))
    preprocess = Preprocess(one.side, full=None, short_side=None, fit="pad")
    spec = ModelSpec(one.name, one.config, labels, True, preprocess, AllWindows(one.frames))
    save_model(folder / "model", Model(spec, network))
    x_CTHW = to_uint8(clips(1, CLIP_FRAMES, CLIP_SIDE, how.seed))[0]
    write_video(folder / "clip.mp4", x_CTHW.movedim(0, -1).numpy(), Fraction(25))
    return folder / "model", folder / "clip.mp4"


def _tinyvirat(words: list[str], threads: int, limit: float) -> str:
    """Runs a command; why it failed, or an empty text."""
    done = subprocess.run(
        [sys.executable, "-m", "tinyvirat", *words],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        timeout=limit,
        check=False,
    )
    if done.returncode == 0:
        return ""
    last = done.stderr.decode(errors="replace").strip().split("\n")[-1]
    return f"ended with code {done.returncode}: {last[:300]}"
