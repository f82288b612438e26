"""From a model's name or a run's folder to something that recognises: `tinyvirat.load`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from tinyvirat.models.engines import EngineName
from tinyvirat.models.inference import Inference, open_inference
from tinyvirat.models.saved import ModelError, ModelSpec
from tinyvirat.recognition.results import Prediction
from tinyvirat.video import VideoReader, open_video

WINDOWS_AT_ONCE = 8
"""Windows decoded together: bounds the memory whatever the length of the video."""


def load(
    name: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    input_size: int | None = None,
    engine: EngineName = "torch",
) -> ActionRecognizer:
    """Loads a model so that it recognises videos.

    Args:
        name: a model's folder, a run's folder, the name of fetched weights, or a file written by
            `tinyvirat export`, `.onnx` or `.xml`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        precision: `auto` (the fastest that is safe), `float32`, `bfloat16` or `float16`.
        input_size: make every clip this many pixels small first, to see what the model still
            recognises; None takes the model's own input size.
        engine: what computes: `torch`, or `onnx` or `openvino` for a model that was exported.

    Raises:
        ModelError: no such model, a damaged one, an `input_size` that cannot be, or an engine that
            cannot be used.
    """
    inference = open_inference(name, engine=engine, device=device, precision=precision)
    if input_size is not None:
        try:
            inference.preprocess = inference.preprocess.at(input_size)
        except ValueError as error:
            raise ModelError(f"input_size {input_size} cannot be: {error}") from error
    return ActionRecognizer(inference)


class ActionRecognizer:
    """A loaded model.

    Attributes:
        inference: the network on its device.
    """

    def __init__(self, inference: Inference) -> None:
        self.inference = inference

    @property
    def spec(self) -> ModelSpec:
        """The model's description: labels, thresholds, preprocessing."""
        return self.inference.spec

    def recognize(self, video: str | Path) -> list[Prediction]:
        """What is done in a video, taken as one whole clip.

        Args:
            video: a video file.

        Returns:
            One prediction.

        Raises:
            VideoError: the file cannot be read.
        """
        with open_video(video) as reader:
            return [self.recognize_reader(reader, str(video))]

    def recognize_reader(self, reader: VideoReader, name: str) -> Prediction:
        """What is done in an open video; `name` is what the result calls it."""
        frames = reader.count()
        total = torch.zeros(len(self.spec.labels))
        seen = 0
        for windows in self.windows(reader, frames):
            total += self.inference.window_logits(windows).sum(0)
            seen += len(windows)
        ends = reader.read([0, frames - 1]).times_T
        return self.prediction(
            total / seen,
            name,
            span=(0, frames),
            times=(float(ends[0]), float(ends[1]) + float(1 / reader.info.fps)),
        )

    def windows(
        self, reader: VideoReader, frames: int, *, most: int | None = None
    ) -> Iterator[list[Tensor]]:
        """The model's windows of an open video, a few at a time: lists of `frames_THWC` uint8.

        Args:
            reader: the video.
            frames: how many frames it has.
            most: stop after so many windows; None gives all.
        """
        indices_NT = self.spec.sampler.windows(frames)[:most]
        for begin in range(0, len(indices_NT), WINDOWS_AT_ONCE):
            part_NT = indices_NT[begin : begin + WINDOWS_AT_ONCE]
            frames_THWC = torch.from_numpy(reader.read(part_NT.ravel()).frames_THWC)
            yield list(frames_THWC.reshape(*part_NT.shape, *frames_THWC.shape[1:]))

    def prediction(
        self,
        logits_K: Tensor,
        name: str,
        *,
        span: tuple[int, int],
        times: tuple[float, float],
    ) -> Prediction:
        """Logits of a clip as a result."""
        spec = self.spec
        probabilities = spec.probabilities(logits_K[None])[0].tolist()
        scores = dict(zip(spec.labels, probabilities, strict=True))
        order = sorted(spec.labels, key=lambda label: -scores[label])
        if spec.multi_label:
            limits = spec.thresholds or (0.5,) * len(spec.labels)
            limit = dict(zip(spec.labels, limits, strict=True))
            named = tuple(label for label in order if scores[label] >= limit[label])
        else:
            named = (order[0],)
        return Prediction(
            video=name,
            tube=0,
            start=span[0],
            stop=span[1],
            start_time=times[0],
            stop_time=times[1],
            scores=scores,
            labels=named,
            boxes=None,
            model=spec.name,
        )
