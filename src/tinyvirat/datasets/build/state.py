"""How far a build has come: what makes it resume, and hold no half-written clip.

Beside the data set lies a hidden folder `.build`. A video is cut in `.build/work`; when all of its
clips are whole, their folder is moved into place, and `.build/cut/<video>.json` says so, with a
fingerprint of all that decides their bytes. A build that finds the note, the same fingerprint and
files of the noted sizes does not cut the video again. Killed at any moment, it finds either these
or nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tinyvirat.common.files import locked, write_text
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.datasets.build.records import BuildError, CutVideo, NamedClip
from tinyvirat.datasets.records import SPLITS

HIDDEN = ".build"
VIDEOS = "videos"
VERSION = 1
"""Of the way clips are cut and encoded; another one cuts all of them again."""


def work_folder(out: Path) -> Path:
    """Where videos are cut before their clips are put into place."""
    return out / HIDDEN / "work"


@contextmanager
def opened(out: Path, about: dict[str, object]) -> Iterator[None]:
    """Holds a folder for one build: made if need be, for nobody else meanwhile.

    Args:
        out: the folder of the data set.
        about: what must be the same for every build in this folder, as JSON values.

    Raises:
        BuildError: the folder holds something else or a build of another kind, or another build is
            at work there.
    """
    hidden = out / HIDDEN
    if out.exists() and not out.is_dir():
        raise BuildError(f"{out}: is a file; name a folder that is new or empty")
    if out.is_dir() and any(out.iterdir()) and not hidden.is_dir():
        raise BuildError(
            f"{out}: holds something that is no build of a data set; name a folder that is new or "
            "empty"
        )
    for folder in (hidden / "cut", hidden / "work"):
        folder.mkdir(parents=True, exist_ok=True)
    busy = BuildError(f"{out}: another build is at work there; wait for it, or name another folder")
    with locked(hidden / "lock", busy):
        _check_about(out, hidden / "about.json", about)
        shutil.rmtree(hidden / "work", ignore_errors=True)
        (hidden / "work").mkdir(exist_ok=True)
        yield


def fingerprint(file: Path, folder: str, clips: Sequence[NamedClip], settings: str) -> str:
    """A hash of everything that decides the bytes of a video's clips.

    Args:
        file: the video; its size and time of change stand for what is in it.
        folder: of the clips.
        clips: their names, spans and windows.
        settings: of the encoder.
    """
    found = file.stat()
    digest = hashlib.sha256()
    head = [VERSION, settings, folder, file.name, found.st_size, found.st_mtime_ns]
    digest.update(json.dumps(head).encode())
    for one in clips:
        windows_T4 = one.clip.windows_T4
        line = [one.name, one.clip.tube.start, len(windows_T4)]
        digest.update(json.dumps(line).encode())
        digest.update(windows_T4.astype("<i8").tobytes())
    return digest.hexdigest()


def save_cut(out: Path, work: Path, cut: CutVideo) -> None:
    """Puts the clips of a video into place and notes that they are done.

    Args:
        out: the folder of the data set.
        work: a folder with the clips of `cut` and nothing else; it is moved.
        cut: what was done.
    """
    note, target = _note(out, cut.video), out / cut.folder
    _forget(out, note)
    if target.exists():
        shutil.rmtree(target)
    if cut.clips:
        target.parent.mkdir(parents=True, exist_ok=True)
        work.chmod(0o755)
        work.replace(target)
    write_text(note, json.dumps(to_plain(cut)) + "\n")


def load_cut(out: Path, video: str, fingerprint: str) -> CutVideo | None:
    """What was done for a video, if it is there and still what would be done."""
    cut = _read(_note(out, video))
    if cut is None or cut.fingerprint != fingerprint:
        return None
    for clip in cut.clips:
        try:
            if (out / cut.folder / f"{clip.name}.mp4").stat().st_size != clip.bytes:
                return None
        except OSError:
            return None
    return cut


def forget_others(out: Path, videos: Sequence[str]) -> None:
    """Removes the clips of videos that are noted as cut and no longer part of the data set."""
    keep = set(videos)
    for note in sorted((out / HIDDEN / "cut").glob("*.json")):
        if note.stem not in keep:
            _forget(out, note)


def _forget(out: Path, note: Path) -> None:
    """Removes a note and the clips that it is about, if they are where a build puts them."""
    cut = _read(note)
    note.unlink(missing_ok=True)
    if cut is not None:
        parts = PurePosixPath(cut.folder).parts
        if len(parts) == 3 and (parts[0], parts[2]) == (VIDEOS, note.stem) and parts[1] in SPLITS:
            shutil.rmtree(out / cut.folder, ignore_errors=True)


def _note(out: Path, video: str) -> Path:
    return out / HIDDEN / "cut" / f"{video}.json"


def _read(note: Path) -> CutVideo | None:
    try:
        return from_plain(CutVideo, json.loads(note.read_bytes()), where=str(note))
    except (OSError, ValueError, RecursionError, PlainDataError):
        return None


def _check_about(out: Path, path: Path, about: dict[str, object]) -> None:
    text = json.dumps(about, sort_keys=True, indent=1) + "\n"
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError):
        write_text(path, text)
        return
    if before == json.loads(text):
        return
    other = sorted(key for key in about if about[key] != before.get(key)) if before else []
    raise BuildError(
        f"{out}: was built with other rules or options ({', '.join(other)}); name another folder, "
        f"or remove {out} to build it anew"
    )
