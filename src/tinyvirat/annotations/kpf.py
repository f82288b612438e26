"""DIVA annotations in KPF, Kitware's YAML: activities, geometry and types of objects.

What the format means, and what is done with it at this border:

- `geom` records: a box `g0` (x1 y1 x2 y2, two corners in pixels) of object `id1` in frame `ts0`,
  from 0. Corners are taken as they are. `id0`, `ts1` (seconds), `keyframe`, `src` are not used.
- `types` records: what object `id1` is; of several in `cset3` the likeliest. Lower case here, and
  the `Null` of files that do not know becomes `unknown`.
- `act` records: a label (`act2`, `act3`; of several the likeliest), an id (`id2`), spans of frames
  and actors. Both ends of a `tsr0` belong to the span, so that it is `[first, last + 1)` here:
  in the sequences with geometry the boxes run from the first to the last frame, and NIST's
  conversion of the same data to ActEV JSON says so too. The actors' own spans are checked only.
- `meta` and `regions` records are passed over.

An object that has a type and no box becomes a track without frames. The forms a file may have are
those of `kpf_stream`. Source: the KPF page of the KWIVER documentation, and the DIVA files for
VIRAT and MEVA.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from tinyvirat.annotations.building import (
    ActivityBuilder,
    TrackBuilder,
    assembled,
    box_reason,
    span_reason,
)
from tinyvirat.annotations.kpf_stream import KpfStream, RecordError, Tree, whole_number
from tinyvirat.annotations.problems import AnnotationError, ProblemLog, shortened
from tinyvirat.annotations.records import Activity, Annotations, Track
from tinyvirat.common.files import inside, written_beside

_PASSED_OVER = frozenset({"meta", "regions"})
_YAML_WORDS = frozenset(["null", "none", "true", "false", "yes", "no", "on", "off", "y", "n"])


def read_kpf(files: Sequence[Path], *, clip: str, lenient: bool = False) -> Annotations:
    """Reads the KPF files of one clip, in any order; each may hold records of any kind.

    Geometry is streamed: a file of 200 MB takes about 100 MB for its boxes and little else.

    Args:
        files: the activities, geometry and types files, or some of them. Without any geometry and
            any type the actors are tracks of type `unknown` without frames.
        clip: the video's name, for the result.
        lenient: skip and count records that are not as they should be, instead of raising.

    Raises:
        AnnotationError: a file cannot be read or is no KPF at all, or (unless lenient) a record is
            malformed: not YAML, an alias, too long, nested too deeply, a key missing, no number, a
            size that is not positive, a reversed span, a second box in a frame, frames that go
            back, a repeated id, or an actor that neither the geometry nor the types know.
    """
    log = ProblemLog(lenient=lenient)
    tracks = TrackBuilder()
    activities = ActivityBuilder()
    for path in files:
        _read_file(path, tracks, activities, log)
    if not len(tracks):
        for actor in sorted(activities.actors()):
            tracks.declare(actor, "unknown")
    return assembled(clip, tracks, activities, log)


def write_kpf(
    folder: Path, annotations: Annotations, *, fps: Fraction | None = None
) -> tuple[Path, Path, Path]:
    """Writes the activities, geometry and types file of one clip, one record a line.

    Args:
        folder: where to; it is made when absent.
        annotations: what to write.
        fps: frames a second, for the times of the boxes; without it they are left out.

    Returns:
        The paths of the activities, geometry and types file.

    Raises:
        AnnotationError: a box that is not finite or has no size.
    """
    clip = annotations.clip
    names = ("activities", "geom", "types")
    paths = [inside(folder, f"{clip}.{name}.yml", where=f"clip {clip}") for name in names]
    head = f"- {{ meta: {_quoted(clip)} }}\n"
    _write_lines(paths[0], head, map(_activity_line, annotations.activities))
    _write_lines(paths[1], head, _geometry_lines(annotations.tracks, fps, paths[1]))
    _write_lines(paths[2], head, map(_type_line, annotations.tracks))
    return paths[0], paths[1], paths[2]


def _read_file(
    path: Path, tracks: TrackBuilder, activities: ActivityBuilder, log: ProblemLog
) -> None:
    stream = KpfStream(path, log)
    add_box = tracks.add_box
    for record in stream:
        if isinstance(record, tuple):
            reason = add_box(*record)
        else:
            try:
                reason = _take(record, tracks, activities, path, stream.line)
            except RecordError as error:
                reason = str(error)
        if reason is not None:
            log.add(path, stream.line, reason)


def _take(
    record: Tree, tracks: TrackBuilder, activities: ActivityBuilder, path: Path, line: int
) -> str | None:
    """Takes in one record other than geometry; the reason when it cannot."""
    if isinstance(record, dict) and not _PASSED_OVER.isdisjoint(record):
        return None
    if not isinstance(record, dict) or len(record) != 1:
        return "a record is a mapping of one key: geom, types, act, meta or regions"
    ((kind, body),) = record.items()
    if kind not in ("act", "types"):
        return f"a record of the unknown kind {shortened(kind)}; known: geom, types, act, meta"
    if not isinstance(body, dict):
        return f"the body of a record {kind} is a mapping"
    if kind == "types":
        return tracks.declare(whole_number(body, "id1"), _likeliest(body, "cset"))
    label = _likeliest(body, "act")
    spans = _spans(body)
    actors = list(_actors(body))
    return activities.add(whole_number(body, "id2"), label, spans, actors, path=path, line=line)


def _likeliest(body: dict[str, Tree], packet: str) -> str:
    """The name with the highest likelihood in the packet `cset3`, `act2` or of another domain."""
    keys = [key for key in body if re.fullmatch(rf"{packet}[0-9]+", key, re.ASCII)]
    if len(keys) != 1:
        raise RecordError(f"there are {len(keys)} keys {packet}0, {packet}1, ... instead of one")
    names = body[keys[0]]
    if isinstance(names, str):
        return names
    if not isinstance(names, dict) or not names:
        raise RecordError(f"{keys[0]} names nothing")
    likelihoods = {}
    for name, value in names.items():
        # A set (`!!set {Talking: null}`) has no likelihoods.
        number = "1" if value in ("", "null", "~") else value
        if not isinstance(number, str) or not re.fullmatch(r"[0-9.]+(?:[eE][-+]?[0-9]+)?", number):
            raise RecordError(f"the likelihood of {shortened(name)} is {shortened(str(value))}")
        try:
            likelihoods[name] = float(number)
        except ValueError:
            raise RecordError(f"the likelihood of {shortened(name)} is {number!r}") from None
    return max(likelihoods, key=likelihoods.__getitem__)


def _spans(body: dict[str, Tree]) -> list[tuple[int, int]]:
    """The half-open spans of a `timespan`; those in seconds are left out."""
    timespan = body.get("timespan")
    if not isinstance(timespan, list):
        raise RecordError("there is no timespan: [{tsr0: [first, last]}]")
    spans = []
    for packet in timespan:
        if not isinstance(packet, dict):
            raise RecordError("a timespan is a list of {tsr0: [first, last]}")
        ends = packet.get("tsr0")
        if ends is None:
            continue
        if not isinstance(ends, list) or len(ends) != 2:
            raise RecordError("tsr0 is not [first, last]")
        first, last = (whole_number({"tsr0": end}, "tsr0") for end in ends)
        reason = span_reason(first, last + 1)
        if reason is not None:
            raise RecordError(reason)
        spans.append((first, last + 1))
    if not spans:
        raise RecordError("the timespan has no tsr0, the range of frames")
    return spans


def _actors(body: dict[str, Tree]) -> Iterator[int]:
    actors = body.get("actors", [])
    if not isinstance(actors, list):
        raise RecordError("the actors are no list")
    for actor in actors:
        if not isinstance(actor, dict):
            raise RecordError("an actor is {id1: ..., timespan: ...}")
        if "timespan" in actor:
            _spans(actor)
        yield whole_number(actor, "id1")


def _write_lines(path: Path, head: str, lines: Iterable[str]) -> None:
    with written_beside(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(head)
        file.writelines(lines)


def _quoted(text: str) -> str:
    """A YAML scalar that reads back as `text`: plain when it is a simple word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.lower() not in _YAML_WORDS:
        return text
    escaped = (
        f"\\{character}"
        if character in '"\\'
        else character
        if " " <= character <= "~"
        else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{"".join(escaped)}"'


def _number(value: float) -> str:
    """A number that reads back as itself, whole ones without a point."""
    return str(int(value)) if value.is_integer() else repr(value)


def _activity_line(activity: Activity) -> str:
    timespan = f"timespan: [{{tsr0: [{activity.start}, {activity.stop - 1}]}}]"
    actors = ", ".join(f"{{id1: {actor}, {timespan}}}" for actor in activity.actors)
    return (
        f"- {{ act: {{act2: {{{_quoted(activity.label)}: 1.0}}, id2: {activity.id}, {timespan}, "
        f"src: truth, actors: [{actors}]}} }}\n"
    )


def _type_line(track: Track) -> str:
    return f"- {{ types: {{id1: {track.id}, cset3: {{{_quoted(track.type)}: 1.0}} }} }}\n"


def _geometry_lines(tracks: Iterable[Track], fps: Fraction | None, path: Path) -> Iterator[str]:
    detection = 0
    for track in tracks:
        for frame, row in zip(track.frames_T.tolist(), track.boxes_T4.tolist(), strict=True):
            reason = box_reason(*row)
            if reason is not None:
                raise AnnotationError(f"{path}: track {track.id}, frame {frame}: {reason}")
            time = "" if fps is None else f"ts1: {float(frame / fps):.6g}, "
            corners = " ".join(map(_number, row))
            yield (
                f"- {{ geom: {{id1: {track.id}, id0: {detection}, ts0: {frame}, {time}"
                f"g0: {corners}, src: truth, keyframe: true}} }}\n"
            )
            detection += 1
