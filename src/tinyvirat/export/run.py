"""Writes a model as a file for another engine, and lets that engine answer before it is kept."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from tinyvirat.common.errors import TinyviratError
from tinyvirat.common.files import written_beside
from tinyvirat.common.progress import track
from tinyvirat.export.program import Deployed, trace
from tinyvirat.models.engines import (
    KEY,
    SUFFIXES,
    Format,
    FrameInput,
    Runner,
    exported_path,
    metadata,
    open_exported,
    openvino_core,
    prepared_inputs,
)
from tinyvirat.models.saved import (
    DESCRIPTION,
    ModelSpec,
    load_model,
    model_folder,
    read_description,
)

TOLERANCE = 1e-4
"""Largest difference to PyTorch's logits that a file may have, as a share of their range."""

BATCHES = (1, 3)
"""Numbers of clips with which a file is tried."""

NEEDS: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxscript", "onnxruntime"),
    "openvino": ("onnxscript", "openvino"),
    "pt2": (),
}


class ExportError(TinyviratError):
    """A model that cannot be written as asked."""


@dataclass(frozen=True)
class Written:
    """A file that was written, and how near its answers are.

    Attributes:
        path: the file.
        takes: its input.
        size: bytes, with those of the weights beside it.
        difference: largest difference to PyTorch's logits, as a share of their range.
        seconds: that writing and trying it took.
    """

    path: Path
    takes: FrameInput
    size: int
    difference: float
    seconds: float


def export_model(
    name: str | Path,
    format: Format,
    *,
    out: Path | None = None,
    frame_size: tuple[int, int] | None = None,
) -> list[Written]:
    """Writes a model as one file for each side of its prepared clips, or as one for whole frames.

    Every file holds super-resolution, attention where it is used, classifier and description, takes
    uint8 frames and any number of clips, and has answered like PyTorch before it gets its name.

    Args:
        name: a model's or a run's folder, or the name of fetched weights.
        format: `onnx`, `openvino` (an `.xml` with a `.bin` beside it) or `pt2` (`torch.export`).
        out: the file, with the format's ending, or a folder; None is the folder `exported` within
            the model's own.
        frame_size: height and width of frames as decoded: the whole preprocessing is then in the
            file. None takes clips that are prepared, all but their range.

    Returns:
        What was written, smallest side first.

    Raises:
        ModelError: no such model, or a damaged one.
        ExportError: what the format needs is not installed, `out` or the frames do not fit, or the
            file answers otherwise than PyTorch.
        FoldError: the preprocessing of frames of that size cannot be in a file.
    """
    _check_needs(format)
    folder = model_folder(str(name))
    spec, digest = read_description(folder / DESCRIPTION)
    inputs = _inputs(spec, frame_size)
    paths = _paths(folder, format, inputs, out)
    network = load_model(folder).network
    written = []
    for takes, path in track(list(zip(inputs, paths, strict=True)), "exporting"):
        began = time.perf_counter()
        deployed = Deployed(network, spec.preprocess, takes)
        difference = write(path, format, deployed, takes, metadata(spec, digest, takes))
        size = sum(part.stat().st_size for part in _parts(path, format))
        written.append(Written(path, takes, size, difference, time.perf_counter() - began))
    return written


def write(
    path: Path, format: Format, deployed: Deployed, takes: FrameInput, description: str
) -> float:
    """Writes one file, if it answers like PyTorch.

    Returns:
        The largest difference between its logits and PyTorch's, as a share of their range.

    Raises:
        ExportError: that is above `TOLERANCE`, or the network does not run on such clips.
    """
    tried = _tried(deployed, takes)
    program = trace(deployed, takes)
    with _beside(path, format) as temporary:
        run = WRITERS[format](temporary, program, description)
        difference = _difference(run, tried)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{path}: not written: its logits differ from PyTorch's by {difference:.1e} of "
                f"their range, more than {TOLERANCE:.0e}; please report this with the model"
            )
    return difference


def _check_needs(format: Format) -> None:
    for module in NEEDS[format]:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ExportError(
                f"--format {format} needs {module}, which does not load ({error}): "
                "pip install 'tinyvirat[export]'"
            ) from error


def _inputs(spec: ModelSpec, frame_size: tuple[int, int] | None) -> list[FrameInput]:
    try:
        if frame_size is None:
            return prepared_inputs(spec)
        return [FrameInput(spec.sampler.length, *frame_size, prepared=False)]
    except ValueError as error:
        what = (
            "the model's clips cannot be exported"
            if frame_size is None
            else "--frame-size cannot be"
        )
        raise ExportError(f"{what}: {error}") from error


def _paths(
    folder: Path, format: Format, inputs: Sequence[FrameInput], out: Path | None
) -> list[Path]:
    """Where each input's file goes."""
    usual = [exported_path(folder, format, takes) for takes in inputs]
    if out is None:
        return usual
    if out.suffix not in (*SUFFIXES.values(), ".bin") or out.is_dir():
        return [out / path.name for path in usual]
    if out.suffix != SUFFIXES[format]:
        raise ExportError(f"--out {out}: a file of --format {format} ends in {SUFFIXES[format]}")
    if len(inputs) > 1:
        sides = ", ".join(str(takes.height) for takes in inputs)
        raise ExportError(
            f"--out {out}: the model has several input sides ({sides} px), a file each: give a "
            "folder, or choose one with --frame-size"
        )
    return [out]


def _parts(path: Path, format: Format) -> list[Path]:
    """The file and what lies beside it."""
    return [path, path.with_suffix(".bin")] if format == "openvino" else [path]


@contextmanager
def _beside(path: Path, format: Format) -> Iterator[Path]:
    """As `written_beside`, with OpenVINO's weights; no moment has the one without the other."""
    with written_beside(path) as temporary:
        weights = temporary.with_suffix(".bin")
        try:
            yield temporary
            if format == "openvino":
                path.unlink(missing_ok=True)
                weights.replace(path.with_suffix(".bin"))
        finally:
            weights.unlink(missing_ok=True)


def _tried(
    deployed: Deployed, takes: FrameInput
) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Clips of noise and of smooth gradients, and PyTorch's logits of them."""
    rng = np.random.default_rng(0)
    height, width = takes.height, takes.width
    tried = []
    for clips in BATCHES:
        shape = (clips, takes.frames, height, width, 3)
        ends = rng.integers(0, 256, (2, clips, takes.frames, 1, 1, 3))
        share = (np.linspace(0, 1, height)[:, None] + np.linspace(0, 1, width)) / 2
        smooth = ends[0] + (ends[1] - ends[0]) * share[..., None]
        noise = rng.integers(0, 256, shape)
        mixed = np.where(np.arange(clips)[:, None, None, None, None] % 2, smooth, noise)
        frames_BTHWC = mixed.astype(np.uint8)
        try:
            with torch.inference_mode():
                logits_BK = deployed(torch.from_numpy(frames_BTHWC)).numpy()
        except RuntimeError as error:
            raise ExportError(
                f"the network does not take clips of {takes.frames} frames made of {width} x "
                f"{height} px: {error}"
            ) from error
        tried.append((frames_BTHWC, logits_BK))
    return tried


def _difference(
    run: Runner, tried: Sequence[tuple[NDArray[np.uint8], NDArray[np.float32]]]
) -> float:
    wanted_NK = np.concatenate([logits_BK for _, logits_BK in tried])
    found_NK = np.concatenate([run(frames_BTHWC) for frames_BTHWC, _ in tried])
    if found_NK.shape != wanted_NK.shape:
        return float("inf")
    across = float(np.ptp(wanted_NK)) or float(np.abs(wanted_NK).max()) or 1.0
    return float(np.abs(found_NK - wanted_NK).max()) / across


def _write_onnx(path: Path, program: ExportedProgram, description: str) -> Runner:
    from tinyvirat.export.onnx_file import to_onnx

    path.write_bytes(to_onnx(program, description))
    return open_exported(path).run


def _write_openvino(path: Path, program: ExportedProgram, description: str) -> Runner:
    """By way of ONNX: OpenVINO's own converter would report its use over the network."""
    import openvino

    from tinyvirat.export.onnx_file import to_onnx

    model = openvino_core().read_model(to_onnx(program, description), b"")
    model.set_rt_info(description, [KEY])
    openvino.save_model(model, path, compress_to_fp16=False)
    return open_exported(path).run


def _write_pt2(path: Path, program: ExportedProgram, description: str) -> Runner:
    program.example_inputs = None  # they would be pickled, and as large as the frames
    torch.export.save(program, path, extra_files={f"{KEY}.json": description})
    # Loading such a file can execute code: this one has just been written, and nobody else's is.
    module = torch.export.load(path).module()

    def run(frames_BTHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits_BK: NDArray[np.float32] = module(torch.from_numpy(frames_BTHWC)).numpy()
        return logits_BK

    return run


WRITERS: dict[str, Callable[[Path, ExportedProgram, str], Runner]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "pt2": _write_pt2,
}
"""Formats to what writes them and opens them again."""
