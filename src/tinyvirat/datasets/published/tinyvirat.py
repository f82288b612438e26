"""TinyVIRAT v1 (Demir, Rawat, Shah 2020) and v2 (the TinyAction challenge, 2021), as downloaded.

v1 is `{"tubes": [{"path", "dim", "label"}, ...]}` in `tiny_train.json` and `tiny_test.json`, v2 a
list of `{"id", "video_id", "path", "dim", "label"}` in `tiny_train_v2.json`, `tiny_val_v2.json` and
`tiny_test_v2_public.json`, whose entries have no labels. Clips lie in `videos/<split>/<path>`.

Both are read tolerantly: only `path` must be there; `dim` is a claim that is compared with what
decodes; unknown keys are kept in `extra`; all labels of a clip are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from tinyvirat.common import strict_json
from tinyvirat.datasets.published.facts import TINYVIRAT, TINYVIRAT_CLASSES, TINYVIRAT_V2, Facts
from tinyvirat.datasets.published.layout import VideoFiles, one_folder
from tinyvirat.datasets.published.listing import ListedClip, Listing, PublishedError
from tinyvirat.datasets.records import LARGEST_SIDE, MOST_FRAMES

CLASS_MAP = "class_map.json"
VIDEOS = "videos"
KNOWN_KEYS = ("id", "video_id", "path", "dim", "label")
# v2's largest file is about 6 MB; more is something else.
LARGEST_JSON = 1 << 28


@dataclass(frozen=True)
class _Version:
    """What the two versions do not have in common."""

    facts: Facts
    files: dict[str, tuple[str, ...]]
    remedy: str


V1 = _Version(
    TINYVIRAT,
    {"train": ("tiny_train.json",), "test": ("tiny_test.json",)},
    "get TinyVIRAT.zip from the address in the authors' repository and unpack it",
)
V2 = _Version(
    TINYVIRAT_V2,
    {
        "train": ("tiny_train_v2.json",),
        "val": ("tiny_val_v2.json",),
        "test": ("tiny_test_v2_public.json", "tiny_test_v2.json"),
    },
    "get TinyVIRAT-v2.zip from the challenge's page and unpack it",
)


def list_tinyvirat(root: Path, version: int = 1) -> Listing:
    """TinyVIRAT as its JSON files describe it.

    Args:
        root: the folder of the JSON files, or one around it, whatever they are called.
        version: 1 or 2.

    Raises:
        PublishedError: no such files, one that is not JSON of this form, an entry without a path or
            with one that leaves its folder.
    """
    form = {1: V1, 2: V2}[version]
    names = {name for several in form.files.values() for name in several}
    home = one_folder(
        root,
        lambda folder: any((folder / name).is_file() for name in names),
        f"an annotation file of {form.facts.name} ({', '.join(sorted(names))})",
        form.remedy,
    )
    files = VideoFiles(home)
    clips: list[ListedClip] = []
    differences = list(files.left_out)
    for split, several in form.files.items():
        path = next((home / name for name in several if (home / name).is_file()), None)
        if path is None:
            differences.append(f"{home / several[0]}: is not there")
            continue
        found = [
            _clip(_Entry(path, number, data), split, files)
            for number, data in enumerate(_entries(path), start=1)
        ]
        clips += _without_repetitions(found, path, differences)
    classes = _classes(home / CLASS_MAP, clips, differences)
    return Listing(
        facts=form.facts,
        root=home,
        classes=classes,
        clips=tuple(clips),
        unlisted=files.others(clip.file for clip in clips),
        differences=tuple(differences),
    )


class _Entry:
    """One entry of a JSON file: where it stands, and its fields, each checked as it is taken."""

    def __init__(self, path: Path, number: int, data: object) -> None:
        self.where = f"{path}, entry {number}"
        if not isinstance(data, dict):
            self.wrong(f"holds {data!r:.80}, not an object with a path")
        self.data: dict[str, Any] = data

    def wrong(self, what: str) -> NoReturn:
        raise PublishedError(f"{self.where}: {what}")

    def text(self, key: str) -> str | None:
        """A text, a number as text, or `None` where it is missing."""
        value = self.data.get(key)
        if value is None or (isinstance(value, str) and not value):
            return None
        if not isinstance(value, str | int) or isinstance(value, bool):
            self.wrong(f"{key} is {value!r:.80}; it must be text")
        return str(value)

    def labels(self) -> tuple[str, ...]:
        """All labels, each once; none where they are not given."""
        value = self.data.get("label")
        several = [value] if isinstance(value, str) else value or []
        if not isinstance(several, list) or not all(isinstance(label, str) for label in several):
            self.wrong(f"label is {value!r:.80}; it must be a list of class names")
        return tuple(dict.fromkeys(several))

    def dim(self) -> tuple[int, int, int] | None:
        """Frames, height and width as claimed; `None` where that is no such claim."""
        value = self.data.get("dim")
        if not isinstance(value, list) or len(value) != 3:
            return None
        most = (MOST_FRAMES, LARGEST_SIDE, LARGEST_SIDE)
        if not all(type(n) is int and 0 <= n <= m for n, m in zip(value, most, strict=True)):
            return None
        return (value[0], value[1], value[2])


def _entries(path: Path) -> list[object]:
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise PublishedError(f"{path}: is larger than any such file ({LARGEST_JSON} bytes)")
        data = strict_json.parse(path.read_bytes())
    except OSError as error:
        raise PublishedError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PublishedError(f"{path}: not JSON ({error}); unpack the archive again") from error
    if isinstance(data, dict):
        data = data.get("tubes")
    if not isinstance(data, list):
        raise PublishedError(f'{path}: holds neither a list of clips nor {{"tubes": [...]}}')
    return data


def _clip(entry: _Entry, split: str, files: VideoFiles) -> ListedClip:
    path = entry.text("path")
    if path is None:
        entry.wrong("path is missing; without it the clip cannot be found")
    relative = f"{VIDEOS}/{split}/{path}"
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path:
        entry.wrong(f"the path {path!r:.120} leaves its folder")
    name = entry.text("id") or parts.with_suffix("").as_posix()
    video = entry.text("video_id") or (parts.parts[0] if len(parts.parts) > 1 else None)
    source = video or f"{split}/{name}"
    return ListedClip(
        id=f"{split}/{name}",
        name=relative,
        file=files.at(PurePosixPath(relative).as_posix()),
        split=split,
        labels=entry.labels(),
        source=source,
        origin=source,
        dim=entry.dim(),
        extra={key: value for key, value in entry.data.items() if key not in KNOWN_KEYS},
    )


def _without_repetitions(
    clips: Sequence[ListedClip], path: Path, differences: list[str]
) -> list[ListedClip]:
    """The clips, one entry a file with the labels of all its entries; repetitions are told."""
    kept: dict[str, ListedClip] = {}
    repeated: list[str] = []
    for clip in clips:
        first = kept.setdefault(clip.name, clip)
        if first is not clip:
            repeated.append(clip.name)
            both = dict.fromkeys([*first.labels, *clip.labels])
            kept[clip.name] = replace(first, labels=tuple(both))
    if repeated:
        differences.append(
            f"{path}: {len(repeated)} entries name a clip again, such as {repeated[0]}; its labels "
            "are taken together"
        )
    ids = Counter(clip.id for clip in kept.values())
    twice = next((name for name, times in ids.items() if times > 1), None)
    if twice is not None:
        raise PublishedError(f"{path}: the id {twice!r} stands for {ids[twice]} different clips")
    return list(kept.values())


def _classes(path: Path, clips: Sequence[ListedClip], differences: list[str]) -> tuple[str, ...]:
    """The classes in order: those of the class map, or the 26; what else occurs comes after."""
    classes = _class_map(path) if path.is_file() else TINYVIRAT_CLASSES
    if classes != TINYVIRAT_CLASSES:
        differences.append(f"{path}: its classes are not the published 26 in their order")
    times = Counter(label for clip in clips for label in clip.labels)
    unknown = tuple(sorted(set(times) - set(classes)))
    if unknown:
        count = sum(times[label] for label in unknown)
        differences.append(
            f"{count} labels are not among the {len(classes)} classes, and were added after them: "
            + ", ".join(unknown)
        )
    absent = [label for label in classes if label not in times]
    if absent and times:
        differences.append(f"{len(absent)} classes do not occur: {', '.join(absent)}")
    return (*classes, *unknown)


def _class_map(path: Path) -> tuple[str, ...]:
    """The classes of `{"Opening": 0, ...}` in the order of their numbers."""
    try:
        data = strict_json.parse(path.read_bytes()) if path.stat().st_size < LARGEST_JSON else None
    except (OSError, ValueError) as error:
        raise PublishedError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(data, dict) or sorted(map(repr, data.values())) != sorted(
        map(repr, range(len(data)))
    ):
        raise PublishedError(f'{path}: must hold numbers from 0 on by class, {{"Opening": 0, ...}}')
    return tuple(sorted(data, key=lambda label: data[label]))
