"""The whole construction of one video, and what is then decided over all of them.

The order is the paper's (section III): labels, merging, splitting where labels change, size,
pieces, rare classes. Only with windows that stand still are pieces cut before the size is tested:
the union of all boxes of somebody who crosses the scene would be as large as the scene.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tinyvirat.annotations import Activity, Annotations
from tinyvirat.common.words import counted
from tinyvirat.datasets.records import check_split
from tinyvirat.datasets.tubes.cut import chunks, is_long_enough, span_chunks
from tinyvirat.datasets.tubes.labels import select_labels
from tinyvirat.datasets.tubes.locate import Seen, Stretch, located, seen
from tinyvirat.datasets.tubes.merge import merge, merge_unlocated
from tinyvirat.datasets.tubes.records import PlannedClip, Span, Tube, WindowArray
from tinyvirat.datasets.tubes.rules import BuildRules, RulesError
from tinyvirat.datasets.tubes.windows import is_wanted, windows_of

NAMED = 5
"""Ids that a problem names; the others are counted."""


@dataclass(frozen=True)
class LeftOut:
    """What did not become a clip.

    Attributes:
        short: tubes of fewer frames than `CutRule.shortest`.
        small: tubes, or pieces of tubes with windows that stand still, below the size that is kept.
        large: the same above it.
        labels: names that are not looked at, with the number of their activities; sorted.
    """

    short: int = 0
    small: int = 0
    large: int = 0
    labels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class VideoPlan:
    """What is to be cut out of one video.

    Attributes:
        video: its name without folder and suffix.
        split: `train`, `val` or `test`.
        clips: by their first frame; `select` decides which of them remain.
        problems: what could not be planned and why, in words; nothing of it is fatal.
        unlocated: what would be clips, size apart, if activities without any box had one.
        left_out: what the rules left out, counted.
    """

    video: str
    split: str
    clips: tuple[PlannedClip, ...]
    problems: tuple[str, ...] = ()
    unlocated: tuple[Span, ...] = ()
    left_out: LeftOut = LeftOut()


def plan_video(
    annotations: Annotations,
    rules: BuildRules,
    split: str,
    frame_size: tuple[int, int] | None = None,
    frames: int | None = None,
) -> VideoPlan:
    """Plans the clips of one video.

    Args:
        annotations: of the video.
        rules: how.
        split: the side the video is on.
        frame_size: width and height of its frames in pixels, when they are known: boxes are then
            clipped to the frame, and windows are moved into it as far as they fit.
        frames: how many frames it has, when that is known: what lies beyond is left out.

    Raises:
        tinyvirat.datasets.records.ManifestError: an unknown split.
    """
    check_split(split)
    video = annotations.clip
    labelled = select_labels(annotations.activities, rules.labels)
    seen_of = {
        track.id: seen(track, rules.locate.longest_gap, frame_size, frames)
        for track in annotations.tracks
    }
    stretches = {one.id: located(one, seen_of) for one in labelled.activities}
    nowhere = [one for one in labelled.activities if not stretches[one.id]]
    spans = merge_unlocated(video, nowhere, rules.merge)
    tubes = merge(video, (s for every in stretches.values() for s in every), rules.merge)
    cut = _cut(tubes, rules, frame_size)
    return VideoPlan(
        video=video,
        split=split,
        clips=tuple(
            PlannedClip(f"{video}/{number}", tube, windows_T4, split)
            for number, (tube, windows_T4) in enumerate(cut.clips)
        ),
        problems=_problems(labelled.activities, stretches, seen_of),
        unlocated=tuple(
            piece
            for span in spans
            if is_long_enough(span.stop - span.start, rules.cut)
            for piece in span_chunks(span, rules.cut)
        ),
        left_out=replace(cut.left_out, labels=labelled.left_out),
    )


def select(plans: Sequence[VideoPlan], rules: BuildRules) -> tuple[PlannedClip, ...]:
    """Leaves out classes with too few clips, and clips that have no other class.

    Args:
        plans: of all videos.
        rules: how.

    Returns:
        The clips, video by video as given, with the labels that remain.

    Raises:
        RulesError: nothing remains, or a video is planned twice or on two sides; says what to do.
    """
    _check_sides(plans)
    clips = [clip for plan in plans for clip in plan.clips]
    if not clips:
        raise RulesError(_why_nothing(plans, rules))
    counts = Counter(label for clip in clips for label in clip.tube.labels)
    least = rules.select.min_samples
    kept = {label for label, count in counts.items() if count >= least}
    if not kept:
        label, most = max(counts.items(), key=lambda item: (item[1], item[0]))
        raise RulesError(
            f"none of the {len(counts)} classes of the {len(clips)} clips has min_samples = "
            f"{least} clips; the most has {label!r}, {most}. Set --min-samples to {most} or less, "
            "or add videos"
        )
    return tuple(
        clip if kept.issuperset(clip.tube.labels) else _with_labels(clip, kept)
        for clip in clips
        if kept.intersection(clip.tube.labels)
    )


@dataclass(frozen=True)
class _Cut:
    clips: tuple[tuple[Tube, WindowArray], ...]
    left_out: LeftOut


def _cut(tubes: Iterable[Tube], rules: BuildRules, frame_size: tuple[int, int] | None) -> _Cut:
    """Tubes as clips of the wanted length and size, with their windows, in the order of time."""
    clips: list[tuple[Tube, WindowArray]] = []
    short = small = large = 0
    for tube in tubes:
        if not is_long_enough(len(tube.boxes_T4), rules.cut):
            short += 1
            continue
        first = chunks(tube, rules.cut) if rules.crop.window == "fixed" else (tube,)
        for part in first:
            windows_T4 = windows_of(part.boxes_T4, rules.crop, frame_size)
            side = int(windows_T4[0, 2] - windows_T4[0, 0])
            if is_wanted(side, rules.size):
                for piece in chunks(part, rules.cut):
                    begin = piece.start - part.start
                    stop = begin + len(piece.boxes_T4)
                    clips.append((piece, windows_T4[begin:stop]))
            elif rules.size.larger_than is None and side > rules.size.largest:
                large += 1
            else:
                small += 1
    clips.sort(key=lambda clip: (clip[0].start, clip[0].activities, clip[0].tracks))
    return _Cut(tuple(clips), LeftOut(short, small, large))


def _with_labels(clip: PlannedClip, kept: set[str]) -> PlannedClip:
    labels = tuple(label for label in clip.tube.labels if label in kept)
    return replace(clip, tube=replace(clip.tube, labels=labels))


def _check_sides(plans: Sequence[VideoPlan]) -> None:
    split_of: dict[str, str] = {}
    for plan in plans:
        other = split_of.setdefault(plan.video, plan.split)
        if other != plan.split:
            raise RulesError(
                f"{plan.video}: planned for {other} and for {plan.split}; a source video belongs "
                "to one side"
            )
    if len(split_of) < len(plans):
        twice, _ = Counter(plan.video for plan in plans).most_common(1)[0]
        raise RulesError(f"{twice}: planned twice; keep one of its annotations")


def _why_nothing(plans: Sequence[VideoPlan], rules: BuildRules) -> str:
    left = [plan.left_out for plan in plans]
    spans = sum(len(plan.unlocated) for plan in plans)
    names = Counter[str]()
    for one in left:
        names.update(dict(one.labels))
    reasons = [
        f"tubes shorter than cut.shortest = {rules.cut.shortest} frames: "
        f"{sum(one.short for one in left)}",
        f"smaller than size allows: {sum(one.small for one in left)}",
        f"larger: {sum(one.large for one in left)}",
        f"spans without boxes: {spans}",
        f"activities that labels.select = {rules.labels.select} leaves out: {sum(names.values())}",
    ]
    return (
        f"no clip can be made of the annotations of {counted(len(plans), 'video')} "
        f"({'; '.join(reasons)}). "
        "Change these rules with --set, or give other annotations"
    )


def _problems(
    activities: Sequence[Activity],
    stretches: dict[int, tuple[Stretch, ...]],
    seen_of: dict[int, Seen],
) -> tuple[str, ...]:
    nobody = [one for one in activities if not one.actors]
    nowhere = [one for one in activities if one.actors and not stretches[one.id]]
    partly = [
        one
        for one in activities
        if 0 < sum(len(s.boxes_T4) for s in stretches[one.id]) < one.stop - one.start
    ]
    absent = sorted(
        {
            actor
            for one in activities
            if stretches[one.id]
            for actor in one.actors
            if not len(seen_of[actor].frames_T)
        }
    )
    named = [
        ("without actors, so that nothing says where", nobody),
        ("of actors without a box in its span", nowhere),
        ("located in a part of its span only; the rest is left out", partly),
    ]
    found = [
        f"{counted(len(ones), 'activity', 'activities')} {what}: "
        + _first([f"{one.id} ({one.label})" for one in ones])
        for what, ones in named
        if ones
    ]
    if absent:
        tracks = counted(len(absent), "actor")
        found.append(f"{tracks} of other activities never located: {_first(map(str, absent))}")
    return tuple(found)


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:NAMED]) + (", ..." if len(listed) > NAMED else "")
