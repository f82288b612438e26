"""A clip that somebody has cropped: one answer for the whole of it, as evaluation gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from tinyvirat.recognition.events import (
    Action,
    AnsweredBox,
    AnsweredFrame,
    Event,
    StreamEnd,
    TubeEnd,
)
from tinyvirat.recognition.load import ActionRecognizer
from tinyvirat.recognition.proposals.records import UNKNOWN, Box, TubeBox
from tinyvirat.recognition.results import Prediction
from tinyvirat.recognition.stream.recognition import Recognition, header_of
from tinyvirat.recognition.stream.settings import StreamSettings
from tinyvirat.recognition.stream.source_info import SourceInfo
from tinyvirat.recognition.stream.summary import Summary
from tinyvirat.video import VideoReader, open_video


class ClipRecognition(Recognition):
    """Recognition of a whole clip.

    It gives the clip's `Prediction`, without boxes and with the labels and scores of
    `ActionRecognizer.recognize`; an `Action` for each label, from the first frame to the last; the
    end of the one tube; and, where frames are wanted, each of them.

    Args:
        recognizer: the model.
        info: what is known of the clip, which is a file.
        path: the file.
        settings: only `frames` and `threshold` (for the header) are used.
    """

    def __init__(
        self,
        recognizer: ActionRecognizer,
        info: SourceInfo,
        path: Path,
        settings: StreamSettings,
    ) -> None:
        super().__init__(info, header_of(recognizer, info, settings))
        self._recognizer = recognizer
        self._reader: VideoReader = open_video(path)
        self._frames = settings.frames
        self._windows = 0
        self._summary = Summary(len(recognizer.spec.labels))

    def __iter__(self) -> Iterator[Event]:
        try:
            with self.stages.measure("decode"):
                frames = self._reader.count()
            prediction = self._predicted(frames)
            if prediction is None:
                self.interrupted = True
            else:
                yield from self._events(prediction)
            self.whole = True
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the file."""
        self._reader.close()

    def end(self) -> StreamEnd:
        """How it went, so far."""
        return StreamEnd(
            frames=self.frames,
            dropped=0,
            reconnects=0,
            tubes=self.tubes,
            windows=self._windows,
            seconds=self.stages.elapsed,
            interrupted=self.interrupted,
            stages=dict(self.stages.seconds),
        )

    def _predicted(self, frames: int) -> Prediction | None:
        """The answer for the whole clip; None when it is not wanted any more."""
        recognizer, spec = self._recognizer, self._recognizer.spec
        starts = spec.sampler.windows(frames)[:, 0].tolist()
        total_K = torch.zeros(len(spec.labels))
        parts = recognizer.windows(self._reader, frames)
        while True:
            with self.stages.measure("decode"):
                windows = next(parts, None)
            if windows is None:
                break
            if self._stop.is_set():
                return None
            with self.stages.measure("network"):
                logits_NK = recognizer.inference.window_logits(windows)
            total_K += logits_NK.sum(0)
            scores_NK = spec.probabilities(logits_NK).double().numpy()
            for window_THWC, scores_K in zip(windows, scores_NK, strict=True):
                self._summary.window(starts[self._windows], window_THWC, scores_K)
                self._windows += 1
        ends = self._reader.read([0, frames - 1]).times_T
        self.frames, self.tubes = frames, 1
        return recognizer.prediction(
            total_K / self._windows,
            self.info.name,
            span=(0, frames),
            times=(float(ends[0]), float(ends[1]) + float(1 / self.info.fps)),
        )

    def _events(self, prediction: Prediction) -> Iterator[Event]:
        yield prediction
        actions = tuple(_action(prediction, label) for label in prediction.labels)
        yield from actions
        box: Box = (0.0, 0.0, float(self.info.width), float(self.info.height))
        yield TubeEnd(
            video=prediction.video,
            tube=0,
            type=UNKNOWN,
            start=prediction.start,
            stop=prediction.stop,
            start_time=prediction.start_time,
            stop_time=prediction.stop_time,
            scores=prediction.scores,
            actions=actions,
            best_window_THWC=self._summary.best_window(),
            best_start=self._summary.best_start,
            boxes=(box,),
        )
        if self._frames:
            answered = (AnsweredBox(TubeBox(0, box), prediction.labels, prediction.scores),)
            for frame in self._reader:
                if self._stop.is_set():
                    self.interrupted = True
                    return
                yield AnsweredFrame(frame, 1.0, answered)


def _action(prediction: Prediction, label: str) -> Action:
    score = prediction.scores[label]
    return Action(
        video=prediction.video,
        tube=prediction.tube,
        type=UNKNOWN,
        label=label,
        start=prediction.start,
        stop=prediction.stop,
        start_time=prediction.start_time,
        stop_time=prediction.stop_time,
        score=score,
        peak=score,
    )
