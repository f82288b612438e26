"""Rendered surveillance scenes with known truth, for tests and demonstrations.

Small people and vehicles, drawn as articulated figures, do known things on textured ground under a
noisy camera. They are drawings: nothing measured on them is evidence about real footage, and no
result may be presented from them.
"""

from tinyvirat.datasets.simulate.camera import View
from tinyvirat.datasets.simulate.clips import CLIP_ACTIONS, simulate_clips
from tinyvirat.datasets.simulate.config import (
    ACTIONS,
    LABELS_OF,
    PERSON_ACTIONS,
    VEHICLE_ACTIONS,
    SceneConfig,
    SimulationError,
)
from tinyvirat.datasets.simulate.render import (
    Scene,
    SceneFrame,
    boxes_of,
    iter_frames,
    render_scene,
    tracks_of,
)
from tinyvirat.datasets.simulate.world import World, build_world
from tinyvirat.datasets.simulate.write import Truth, read_masks, read_truth, write_scene

__all__ = [
    "ACTIONS",
    "CLIP_ACTIONS",
    "LABELS_OF",
    "PERSON_ACTIONS",
    "VEHICLE_ACTIONS",
    "Scene",
    "SceneConfig",
    "SceneFrame",
    "SimulationError",
    "Truth",
    "View",
    "World",
    "boxes_of",
    "build_world",
    "iter_frames",
    "read_masks",
    "read_truth",
    "render_scene",
    "simulate_clips",
    "tracks_of",
    "write_scene",
]
