"""A rendered scene on disk: the video, its masks without loss, and the truth as JSON."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyvirat.annotations import Activity, Track
from tinyvirat.common.files import inside, write_text, written_beside
from tinyvirat.datasets.simulate.config import SceneConfig, SimulationError, as_plain
from tinyvirat.datasets.simulate.render import Scene, SceneFrame, iter_frames, tracks_of
from tinyvirat.datasets.simulate.world import build_world
from tinyvirat.video import VideoWriter

VIDEO_FILE, MASKS_FILE, TRUTH_FILE = "scene.mp4", "masks.npz", "truth.json"
ABOUT = "A rendered drawing for tests and demonstrations; no result about real footage."
MASK_CHUNK = 256  # frames a member of a masks file
LARGEST_TRUTH = 1 << 30  # bytes

# What JSON and arrays of the wrong form, and archives of the wrong content, end in.
UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    MemoryError,
    NotImplementedError,  # a way to compress that nobody here uses
    RuntimeError,  # an archive with a password
    SyntaxError,  # an array's header is read as a literal
)

Masks = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true of a written scene.

    Attributes:
        video: the file of the frames.
        masks: the file of the masks, for `read_masks`.
        width: of a frame in pixels.
        height: of a frame in pixels.
        fps: frames a second.
        frames: how many.
        tracks: one an actor.
        activities: what they do.
    """

    video: Path
    masks: Path
    width: int
    height: int
    fps: Fraction
    frames: int
    tracks: tuple[Track, ...]
    activities: tuple[Activity, ...]


def write_scene(scene: Scene | SceneConfig, folder: Path) -> Path:
    """Writes `scene.mp4`, `masks.npz` and, when both are whole, `truth.json`.

    Args:
        scene: a rendered scene, or a configuration, which is then rendered frame by frame in memory
            that does not grow with its length.
        folder: where to; it is made.

    Returns:
        the path of `truth.json`, for `read_truth`.

    Raises:
        tinyvirat.video.VideoError: the video cannot be written.
    """
    folder = Path(folder)
    if isinstance(scene, Scene):
        config, tracks, activities = scene.config, scene.tracks, scene.activities
        size = (scene.view.width, scene.view.height)
        frames: Iterable[SceneFrame] = map(
            SceneFrame, range(len(scene.frames_THWC)), scene.frames_THWC, scene.masks_THW
        )
    else:
        config, world = scene, build_world(scene)
        tracks, activities = tracks_of(world), world.activities
        size = (config.width, config.height)
        frames = iter_frames(world)
    (folder / TRUTH_FILE).unlink(missing_ok=True)
    with (
        VideoWriter(folder / VIDEO_FILE, config.fps, crf=config.crf) as video,
        mask_writer(folder / MASKS_FILE) as add_mask,
    ):
        for frame in frames:
            video.write(frame.frame_HWC)
            add_mask(frame.mask_HW)
    text = json.dumps(_plain(config, size, tracks, activities), indent=None)
    write_text(folder / TRUTH_FILE, text + "\n")
    return folder / TRUTH_FILE


def _plain(
    config: SceneConfig,
    size: tuple[int, int],
    tracks: Iterable[Track],
    activities: Iterable[Activity],
) -> dict[str, object]:
    return {
        "about": ABOUT,
        "video": VIDEO_FILE,
        "masks": MASKS_FILE,
        "width": size[0],
        "height": size[1],
        "fps": str(config.fps),
        "frames": config.frames,
        "tracks": [
            {
                "id": track.id,
                "type": track.type,
                "frames": track.frames_T.tolist(),
                "boxes": track.boxes_T4.tolist(),
            }
            for track in tracks
        ],
        "activities": [
            {
                "id": activity.id,
                "label": activity.label,
                "start": activity.start,
                "stop": activity.stop,
                "actors": list(activity.actors),
            }
            for activity in activities
        ],
        "config": as_plain(config),
    }


def read_truth(path: Path) -> Truth:
    """Reads the truth of a scene that `write_scene` wrote.

    Args:
        path: its `truth.json`.

    Raises:
        SimulationError: the file is missing, or is not such a file.
        TinyviratError: it names a file outside its folder.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_TRUTH:
            raise SimulationError(f"{path}: larger than {LARGEST_TRUTH} bytes; not a scene's truth")
        row = json.loads(path.read_text(encoding="utf-8"))
        return Truth(
            video=inside(path.parent, row["video"], where=str(path)),
            masks=inside(path.parent, row["masks"], where=str(path)),
            width=int(row["width"]),
            height=int(row["height"]),
            fps=Fraction(row["fps"]),
            frames=int(row["frames"]),
            tracks=tuple(_track(one) for one in row["tracks"]),
            activities=tuple(_activity(one) for one in row["activities"]),
        )
    except OSError as error:
        raise SimulationError(f"{path}: cannot be read: {error.strerror}") from error
    except UNFIT as error:
        raise SimulationError(
            f"{path}: not the truth of a rendered scene ({type(error).__name__}: {error}); "
            "render it again"
        ) from error


def _track(row: dict[str, Any]) -> Track:
    boxes = np.array(row["boxes"], dtype=np.float64).reshape(-1, 4)
    frames = np.array(row["frames"], dtype=np.int64).reshape(-1)
    return Track(int(row["id"]), str(row["type"]), frames, boxes)


def _activity(row: dict[str, Any]) -> Activity:
    who = tuple(int(one) for one in row["actors"])
    return Activity(int(row["id"]), str(row["label"]), int(row["start"]), int(row["stop"]), who)


@contextmanager
def mask_writer(path: Path) -> Iterator[MaskSink]:
    """Gives a function that adds one mask (H, W) after another; the file appears when all are in.

    The file is an ordinary `.npz` whose members, in order, are pieces of `masks_THW`; the same
    masks always give the same bytes.
    """
    with written_beside(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        sink = MaskSink(archive)
        yield sink
        sink.flush()


class MaskSink:
    """Collects masks and writes them piece by piece."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._waiting: list[Masks] = []
        self._written = 0

    def __call__(self, mask_HW: Masks) -> None:
        """Adds the next mask."""
        self._waiting.append(mask_HW)
        if len(self._waiting) == MASK_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        if not self._waiting:
            return
        # A member named this way carries 1980 as its date: no clock in the bytes.
        member = zipfile.ZipInfo(f"{self._written:09d}.npy")
        member.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(member, "w") as file:
            np.lib.format.write_array(file, np.stack(self._waiting), allow_pickle=False)
        self._written += len(self._waiting)
        self._waiting.clear()


def read_masks(path: Path) -> Masks:
    """The masks of a scene or clip: uint8 of shape (T, H, W), 0 where nobody is.

    Raises:
        SimulationError: the file is missing, or is not such a file.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            masks = np.concatenate([archive[name] for name in sorted(archive.files)])
    except OSError as error:
        raise SimulationError(f"{path}: cannot be read: {error}") from error
    except (*UNFIT, *BROKEN_ZIP) as error:
        raise SimulationError(f"{path}: not a file of masks ({error}); render it again") from error
    if masks.dtype != np.uint8 or masks.ndim != 3:
        raise SimulationError(
            f"{path}: {masks.dtype} of shape {masks.shape}; masks are uint8 of (T, H, W)"
        )
    return np.asarray(masks)
