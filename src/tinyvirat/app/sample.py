"""The sample that the page offers: a rendered scene. The package ships no footage."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

from tinyvirat.common.files import cache_folder
from tinyvirat.datasets.simulate import SceneConfig, build_world, iter_frames
from tinyvirat.datasets.simulate.config import as_plain
from tinyvirat.video import VideoWriter

SAMPLE = SceneConfig(
    seed=11,
    width=640,
    height=360,
    fps=Fraction(15),
    frames=150,
    cast=(
        "activity_walking",
        "activity_running",
        "activity_carrying",
        "Push",
        "vehicle_moving",
        "vehicle_turning_left",
    ),
    actor_height=(24.0, 60.0),
    noise=3.0,
)
NAME = "sample.mp4"


def sample_video(config: SceneConfig = SAMPLE) -> Path:
    """The rendered sample, made when it is first asked for and kept in the cache folder.

    Args:
        config: of the scene.

    Raises:
        tinyvirat.video.VideoError: it cannot be written.
    """
    key = hashlib.sha256(json.dumps(as_plain(config), sort_keys=True).encode()).hexdigest()[:16]
    path = cache_folder() / "samples" / key / NAME
    if not path.is_file():
        with VideoWriter(path, config.fps, crf=config.crf) as writer:
            for frame in iter_frames(build_world(config)):
                writer.write(frame.frame_HWC)
    return path
