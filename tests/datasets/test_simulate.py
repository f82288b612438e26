"""A rendered scene is the same every time, and its truth is true of its pixels."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tinyvirat.annotations import Track
from tinyvirat.datasets.simulate import (
    ACTIONS,
    Scene,
    SceneConfig,
    SimulationError,
    View,
    World,
    boxes_of,
    build_world,
    iter_frames,
    render_scene,
    tracks_of,
)
from tinyvirat.datasets.simulate.camera import camera_of
from tinyvirat.datasets.simulate.plan import SPEEDS
from tinyvirat.datasets.simulate.scenery import Fixture
from tinyvirat.datasets.simulate.shapes import Shapes, flatten
from tinyvirat.datasets.simulate.world import shapes_of

BUSY = SceneConfig(seed=4, frames=12, people=4, vehicles=2)
SMALL = SceneConfig(
    seed=1, width=96, height=64, frames=4, people=2, vehicles=1, actor_height=(10, 30)
)


@pytest.fixture(scope="module")
def busy() -> Scene:
    return render_scene(BUSY)


def digest(scene: Scene) -> str:
    data = scene.frames_THWC.tobytes() + scene.masks_THW.tobytes()
    return hashlib.sha256(data).hexdigest()


def cast(*actions: str, frames: int = 30, seed: int = 3, fps: int = 15) -> SceneConfig:
    return SceneConfig(
        seed=seed, width=400, height=200, frames=frames, fps=Fraction(fps), cast=actions,
        actor_height=(24, 44), noise=0.0,
    )  # fmt: skip


def box_of_mask(mask_HW: np.ndarray, value: int) -> np.ndarray:
    rows, columns = np.nonzero(mask_HW == value)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def overlap(a_4: np.ndarray, b_4: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    both = np.clip(np.minimum(a_4[2:], b_4[2:]) - np.maximum(a_4[:2], b_4[:2]), 0, None).prod()
    return float(both / ((a_4[2:] - a_4[:2]).prod() + (b_4[2:] - b_4[:2]).prod() - both))


# The same values, the same bytes


def test_the_same_configuration_gives_the_same_bytes() -> None:
    assert digest(render_scene(SMALL)) == digest(render_scene(SMALL))
    assert digest(render_scene(SMALL)) != digest(render_scene(replace(SMALL, seed=2)))


def test_the_bytes_are_the_same_on_every_machine() -> None:
    # Change the number when the drawing is meant to change, and only then.
    config = replace(SMALL, occluders=1, jitter=1.0)
    assert digest(render_scene(config))[:16] == "d458d70d135a0097"


def test_frames_do_not_depend_on_where_drawing_begins(busy: Scene) -> None:
    late = list(iter_frames(BUSY, start=7, stop=10))
    assert [frame.index for frame in late] == [7, 8, 9]
    for frame in late:
        assert np.array_equal(frame.frame_HWC, busy.frames_THWC[frame.index])
        assert np.array_equal(frame.mask_HW, busy.masks_THW[frame.index])


def test_chunks_leave_no_seam(monkeypatch: pytest.MonkeyPatch, busy: Scene) -> None:
    monkeypatch.setattr("tinyvirat.datasets.simulate.render.CHUNK", 5)
    assert digest(render_scene(BUSY)) == digest(busy)


def test_a_long_scene_gives_its_first_frame_at_once() -> None:
    first = next(iter_frames(replace(SMALL, frames=5_000)))
    assert first.index == 0
    assert first.frame_HWC.shape == (64, 96, 3)


# Boxes, masks and sizes


def test_boxes_enclose_masks_tightly(busy: Scene) -> None:
    found = []
    for value, track in enumerate(busy.tracks, start=1):
        for frame, box in zip(track.frames_T, track.boxes_T4, strict=True):
            if crowded(busy, track, int(frame), box):
                continue
            seen = box_of_mask(busy.masks_THW[frame], value)
            assert np.all(seen[:2] >= box[:2] - 2)
            assert np.all(seen[2:] <= box[2:] + 2)
            found.append(overlap(seen, box))
    assert len(found) > 25
    assert np.mean(found) > 0.85
    assert min(found) > 0.6


def crowded(scene: Scene, track: Track, frame: int, box: np.ndarray) -> bool:
    """Whether somebody else is near enough to hide part of the actor, or the edge is."""
    if box.min() <= 0 or box[2] >= scene.view.width or box[3] >= scene.view.height:
        return True
    for other in scene.tracks:
        at = np.flatnonzero(other.frames_T == frame)
        if other.id != track.id and len(at):
            near = other.boxes_T4[at[0]]
            if np.all(np.minimum(near[2:], box[2:]) + 2 > np.maximum(near[:2], box[:2])):
                return True
    return False


def test_several_act_at_once(busy: Scene) -> None:
    assert len(busy.tracks) == 6
    assert [track.type for track in busy.tracks] == ["vehicle"] * 2 + ["person"] * 4
    assert max(len(np.unique(mask)) - 1 for mask in busy.masks_THW) >= 5
    assert busy.masks_THW.max() <= len(busy.tracks)
    started = [activity for activity in busy.activities if activity.start == 0]
    assert len({who for activity in started for who in activity.actors}) == 6


def test_tracks_stay_inside_the_frame(busy: Scene) -> None:
    for track in busy.tracks:
        assert track.boxes_T4.min() >= 0
        assert track.boxes_T4[:, [0, 2]].max() <= 320
        assert track.boxes_T4[:, [1, 3]].max() <= 240
        assert set(track.frames_T.tolist()) <= set(range(BUSY.frames))


def test_activities_name_real_actors_and_frames(busy: Scene) -> None:
    ids = {track.id for track in busy.tracks}
    for activity in busy.activities:
        assert set(activity.actors) <= ids
        assert 0 <= activity.start < activity.stop <= BUSY.frames
        assert activity.label in ACTIONS


@pytest.mark.parametrize("heights", [(10.0, 16.0), (16.0, 64.0), (60.0, 128.0)])
def test_standing_people_are_as_tall_as_asked(heights: tuple[float, float]) -> None:
    tall = []
    for seed in range(6):
        config = SceneConfig(
            seed=seed, frames=1, actor_height=heights, cast=("activity_standing",) * 3
        )
        for track in tracks_of(build_world(config)):
            tall += (track.boxes_T4[:, 3] - track.boxes_T4[:, 1]).tolist()
    # Toes that point at the camera, and hair, reach a little beyond the body's height.
    assert min(tall) > heights[0] * 0.93
    assert max(tall) < heights[1] * 1.09
    assert max(tall) > 1.1 * min(tall)


def test_posts_and_bushes_hide_who_is_behind_them() -> None:
    world = build_world(cast("activity_standing", frames=1))
    x, z = world.actors[0].motion.place_T2[0]

    def seen(away: float) -> int:
        ends = np.array([[[x, 0.4, z + away], [x, 1.0, z + away]]])
        disc = Fixture(x, z + away, ends, np.array([[0.5, 0.5]]), np.array([[60.0, 80.0, 40.0]]))
        frame = next(iter_frames(replace(world, fixtures=(disc,))))
        assert set(np.unique(frame.mask_HW)) <= {0, 1}
        return int((frame.mask_HW == 1).sum())

    alone = int((next(iter_frames(world)).mask_HW == 1).sum())
    assert seen(+0.6) == alone
    assert 0 < seen(-0.6) < 0.6 * alone


def test_a_scene_has_the_posts_and_bushes_asked_for() -> None:
    config = replace(SMALL, occluders=5)
    assert len(build_world(config).fixtures) == 5
    assert len(tracks_of(build_world(config))) == 3


def test_noise_has_the_strength_asked_for() -> None:
    still = SceneConfig(seed=2, frames=2, people=0, vehicles=0, noise=6.0)
    noisy = render_scene(still).frames_THWC.astype(float)
    clean = render_scene(replace(still, noise=0.0)).frames_THWC
    assert np.array_equal(clean[0], clean[1])
    usable = (clean > 20) & (clean < 235)
    assert (noisy - clean)[usable].std() == pytest.approx(6.0, abs=0.15)
    assert abs((noisy - clean)[usable].mean()) < 0.05
    assert abs(np.corrcoef((noisy - clean)[0].ravel(), (noisy - clean)[1].ravel())[0, 1]) < 0.02


def test_a_shaking_camera_moves_image_and_truth_together() -> None:
    config = replace(cast("activity_standing", frames=8), jitter=4.0)
    world = build_world(config)
    boxes = boxes_of(world, world.actors[0])
    assert np.abs(np.diff(boxes[:, 0])).max() > 0.4
    for frame in iter_frames(world):
        seen = box_of_mask(frame.mask_HW, 1)
        assert overlap(seen, boxes[frame.index]) > 0.6
        assert np.abs((seen[:2] + seen[2:]) / 2 - box_centre(boxes[frame.index])).max() < 1.2


def box_centre(box_4: np.ndarray) -> np.ndarray:
    return (box_4[:2] + box_4[2:]) / 2


# Resolution


def test_another_scale_shows_the_same_moment() -> None:
    config = replace(cast("activity_walking", "vehicle_moving", frames=3), blur=0.0)
    fine, coarse = render_scene(config, scale=2.0), render_scene(config)
    mean = fine.frames_THWC.reshape(3, 200, 2, 400, 2, 3).mean(axis=(2, 4))
    error = np.abs(mean - coarse.frames_THWC)
    assert error.mean() < 2.5
    moved = np.abs(np.roll(mean, 3, axis=2) - coarse.frames_THWC)
    assert error[coarse.masks_THW > 0].mean() < 0.5 * moved[coarse.masks_THW > 0].mean()
    for big, little in zip(fine.tracks, coarse.tracks, strict=True):
        assert np.abs(big.boxes_T4 / 2 - little.boxes_T4).max() < 0.1


def test_a_view_is_a_piece_of_the_whole() -> None:
    config = cast("activity_walking", frames=3)
    part = render_scene(config, view=View(200, 100, 120, 90))
    everything = render_scene(config).frames_THWC[:, 100:190, 200:320]
    # The lens looks over the edge of a piece by a pixel.
    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert np.array_equal(part.frames_THWC[inner], everything[inner])


# Labels and motion


def ground_path(world: World, view: View | None = None) -> np.ndarray:
    """Where the only actor's feet are on the ground, measured from the masks of rendered frames."""
    camera = camera_of(world.config)
    places = []
    for frame in iter_frames(world, view=view):
        box = box_of_mask(frame.mask_HW, 1)
        depth = camera.focal * camera.above / (box[3] - camera.horizon)
        across = (box[0] + box[2]) / 2 - camera.centre
        places.append((across * depth / camera.focal, depth))
    return np.array(places)


@pytest.mark.parametrize(
    ("action", "mode"), [("activity_walking", "walk"), ("activity_running", "run")]
)
def test_people_move_at_the_speed_of_what_they_do(action: str, mode: str) -> None:
    world = build_world(cast(action))
    motion = world.actors[0].motion
    stated = np.diff(motion.travelled_T).mean() * 15
    assert SPEEDS[mode][0] <= stated <= SPEEDS[mode][1]
    path = ground_path(world)
    gone = np.sqrt(((path[-1] - path[0]) ** 2).sum()) / (len(path) - 1) * 15
    assert gone == pytest.approx(stated, rel=0.15)


@pytest.mark.parametrize("action", ["activity_standing", "activity_gesturing"])
def test_people_who_stand_stay(action: str) -> None:
    path = ground_path(build_world(cast(action)))
    assert np.abs(path[:, 0] - np.median(path[:, 0])).max() < 0.5


def test_a_view_moves_and_scales_what_the_camera_sees() -> None:
    camera = camera_of(BUSY)
    ball = np.array([1.0, 0.5, (camera.near + camera.far) / 2])
    shapes = Shapes(
        np.stack((ball, ball))[None, None], np.array([[0.1, 0.1]]), (), np.zeros((1, 1, 3)),
        np.zeros((1, 1)),
    )  # fmt: skip
    spot, size = camera.project(ball)
    for view in (View(0, 0, 320, 240), View(30.5, 20, 90, 60, 1.5)):
        box = flatten(shapes, camera, view, np.array([[0.25, 0.0]])).boxes_T4[0]
        there = (spot + np.array([0.25, 0.0]) - np.array([view.x, view.y])) * view.scale
        assert np.abs(box_centre(box) - there).max() <= 1 / 64
        assert box[2] - box[0] == pytest.approx(0.2 * float(size) * view.scale, abs=1 / 32)


def test_who_waves_moves_the_arms_and_who_stands_does_not() -> None:
    def unrest(action: str) -> float:
        scene = render_scene(cast(action))
        changed = (scene.masks_THW[1:] > 0) != (scene.masks_THW[:-1] > 0)
        return float(changed.sum() / (scene.masks_THW[1:] > 0).sum())

    assert unrest("activity_gesturing") > 3 * unrest("activity_standing")


def test_one_foot_is_always_still_while_walking() -> None:
    world = build_world(cast("activity_walking", fps=60, frames=120))
    ankles = shapes_of(world, world.actors[0], 0, 120).ends_TC23[:, [1, 8], 1]  # ends of the shins
    steps = np.sqrt((np.diff(ankles[..., [0, 2]], axis=0) ** 2).sum(axis=2))
    pace = np.diff(world.actors[0].motion.travelled_T).mean()
    assert np.minimum(steps[:, 0], steps[:, 1]).mean() < 0.2 * pace
    assert steps.max() > 1.5 * pace


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_vehicles_turn_to_the_side_they_say(side: str, sign: int) -> None:
    for seed in range(4):
        world = build_world(cast(f"vehicle_turning_{side}", seed=seed))
        steps = np.diff(world.actors[0].motion.place_T2, axis=0)
        # X to the right and Z away from the camera: seen from above, Z is up.
        turn = steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]
        assert (np.sign(turn[np.abs(turn) > 1e-9]) == sign).all()
        assert np.abs(turn).max() > 1e-4


def test_vehicles_stop_and_start() -> None:
    for action, first, last in (("vehicle_stopping", 2.5, 0), ("vehicle_starting", 0, 1.0)):
        world = build_world(cast(action))
        speed = np.diff(world.actors[0].motion.travelled_T) * 15
        assert speed[0] >= first
        assert speed[-1] >= last
        assert min(speed[0], speed[-1]) == pytest.approx(0, abs=0.2)
        spans = {one.label: (one.start, one.stop) for one in world.activities}
        moving = np.flatnonzero(np.diff(world.actors[0].motion.travelled_T, prepend=0) > 0)
        assert spans["vehicle_moving"] == (moving[0], moving[-1] + 1)
        assert spans[action][1] <= spans["vehicle_moving"][1]


def test_brake_lamps_show_who_stops() -> None:
    world = build_world(cast("vehicle_stopping"))
    assert world.actors[0].motion.braking_T.all()
    assert not build_world(cast("vehicle_moving")).actors[0].motion.braking_T.any()


def test_talking_takes_two_who_face_each_other() -> None:
    world = build_world(cast("Talking"))
    a, b = (actor.motion for actor in world.actors)
    apart = b.place_T2[0] - a.place_T2[0]
    distance = np.sqrt((apart**2).sum())
    assert 0.8 < distance < 1.2
    looks = np.array([np.cos(a.heading_T[0]), np.sin(a.heading_T[0])])
    assert looks @ apart == pytest.approx(distance)
    assert [one.actors for one in world.activities if one.label == "Talking"] == [(0, 1)]
    assert sum(one.label == "activity_standing" for one in world.activities) == 2


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_brings_its_labels(action: str) -> None:
    world = build_world(cast(action))
    assert action in {activity.label for activity in world.activities}
    also = {
        "activity_carrying": "activity_walking", "Push": "activity_walking",
        "Pull": "activity_walking", "activity_gesturing": "activity_standing",
        "vehicle_stopping": "vehicle_moving", "vehicle_turning_left": "vehicle_moving",
    }  # fmt: skip
    if action in also:
        assert also[action] in {activity.label for activity in world.activities}


def test_labels_change_over_a_longer_scene() -> None:
    config = SceneConfig(seed=0, frames=600, people=3, vehicles=2, fps=Fraction(15))
    world = build_world(config)
    person = next(actor for actor in world.actors if actor.type == "person")
    mine = [one for one in world.activities if person.id in one.actors]
    assert len(mine) >= 2
    for one in mine:
        clash = [two for two in mine if two.label == one.label and two.id != one.id]
        assert all(two.start > one.stop or two.stop < one.start for two in clash)
    for actor in world.actors:
        step = np.sqrt((np.diff(actor.motion.place_T2, axis=0) ** 2).sum(axis=1))
        if actor.type == "person":
            assert step.max() < 5 / 15
        motion = actor.motion
        assert np.isfinite(motion.place_T2).all()


# What cannot be drawn


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"width": 321}, "width"),
        ({"height": 8}, "height"),
        ({"fps": Fraction(0)}, "fps"),
        ({"frames": 0}, "frames"),
        ({"people": 300}, "people"),
        ({"people": 200, "vehicles": 100}, "300 actors"),
        ({"actor_height": (20, 22)}, "actor_height"),
        ({"actor_height": (20, 230)}, "actor_height"),
        ({"actor_height": (1, 20)}, "actor_height"),
        ({"actions": ("Riding",)}, "Riding"),
        ({"cast": ("activity_flying",)}, "activity_flying"),
        ({"actions": ("vehicle_moving",)}, "people"),
        ({"actions": ("Talking",), "vehicles": 1}, "vehicles"),
        ({"noise": -1.0}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"blur": 5.0}, "blur"),
        ({"jitter": 99.0}, "jitter"),
        ({"crf": 52}, "crf"),
        ({"occluders": -1}, "occluders"),
    ],
)
def test_a_configuration_out_of_range_is_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(SimulationError, match=named):
        SceneConfig(**change)  # type: ignore[arg-type]


def test_a_scene_without_anybody_is_an_empty_place() -> None:
    scene = render_scene(replace(SMALL, people=0, vehicles=0))
    assert scene.tracks == ()
    assert scene.activities == ()
    assert not scene.masks_THW.any()
