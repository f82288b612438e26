"""What makes an archive resume: a note beside a video's outputs that says what they were made of.

A video is recognised in a folder of its own under `.archive/work`. When all of it is whole, its
files are moved into place, and last of all comes `done.json`. A later run that finds the note, an
unchanged source, the same fingerprint and files of the noted sizes leaves the video alone. Killed
at any moment, it finds either these or no note.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tinyvirat.common.files import inside, locked, sha256_of, write_text
from tinyvirat.common.plain import PlainDataError, from_plain, to_plain
from tinyvirat.models.engines import is_exported
from tinyvirat.models.saved import DESCRIPTION, model_folder
from tinyvirat.recognition.archive.records import (
    HIDDEN,
    OF_FRAMES,
    ArchiveError,
    Job,
    Note,
    Plan,
    Written,
)
from tinyvirat.recognition.outputs.opening import ALL
from tinyvirat.recognition.stream.settings import StreamSettings

DONE = "done.json"
VERSION = 1
"""Of the way outputs are made; another one makes all of them again."""


def places(plan: Plan, job: Job) -> tuple[Path, Path]:
    """Where the outputs of a long video are, and where those of a clip."""
    own = plan.out / job.name
    return own, own if plan.outputs is not None else plan.out / HIDDEN / "clips" / job.name


def wanted(plan: Plan, *, clip: bool) -> tuple[str, ...]:
    """Names of what is written."""
    if plan.outputs is not None:
        return plan.outputs
    return ("jsonl",) if clip else ALL


def settings_of(plan: Plan, *, clip: bool = False) -> StreamSettings:
    """How a video is read."""
    return StreamSettings(frames=any(one in OF_FRAMES for one in wanted(plan, clip=clip)))


def fingerprint(plan: Plan) -> str:
    """A hash of all that decides the outputs of a video besides the video.

    It is of contents where it can be: the model's description, which has the hash of the weights,
    and a file of tubes. Of a folder of tubes it is the names, sizes and times of the files.

    Raises:
        TinyviratError: there is no such model, or no such file of tubes.
    """
    facts = {
        "version": VERSION,
        "model": model_digest(plan.model),
        "tubes": _tubes_digest(plan.tubes),
        "outputs": [*wanted(plan, clip=False), *wanted(plan, clip=True)],
        "settings": to_plain(settings_of(plan)),
        "engine": plan.engine,
        "precision": plan.precision,
        "input_size": plan.input_size,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def model_digest(name: str) -> str:
    """The hash by which a model is known, as SHA-256.

    Raises:
        ModelError: no such model.
    """
    if not is_exported(name):
        return sha256_of(model_folder(name) / DESCRIPTION)
    weights = Path(name).with_suffix(".bin")  # of OpenVINO
    return "".join(sha256_of(one) for one in (Path(name), weights) if one.is_file())


def _tubes_digest(tubes: str | None) -> str | None:
    if tubes is None or tubes in ("whole", "motion"):
        return tubes
    path = Path(tubes)
    if path.is_file():
        return sha256_of(path)
    if not path.is_dir():
        raise ArchiveError(
            f"{path}: no such file of tubes; --tubes takes whole, motion, or a file or folder"
        )
    facts = [
        [one.relative_to(path).as_posix(), one.stat().st_size, one.stat().st_mtime_ns]
        for one in sorted(path.rglob("*"))
        if one.is_file()
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def finished(plan: Plan, job: Job, mark: str) -> Note | None:
    """The note of a video that need not be recognised again.

    Args:
        plan: what is to be made of it.
        job: the video.
        mark: the fingerprint that it must have.
    """
    for place in dict.fromkeys(places(plan, job)):
        note = _read(place / DONE)
        if note is None or (note.fingerprint, note.video, note.error) != (mark, job.video, None):
            continue
        try:
            stat = job.path.stat()
            same = (note.size, note.modified_ns) == (stat.st_size, stat.st_mtime_ns)
            if same and all((place / f.path).stat().st_size == f.size for f in note.files):
                return note
        except OSError:
            continue
    return None


def install(work: Path, place: Path, note: Note) -> None:
    """Moves the files of a video into place.

    What an earlier note there names and is not written again is removed; nothing else is touched.

    Args:
        work: the folder with the files, on the same file system.
        place: the folder for them.
        note: names them.
    """
    done = place / DONE
    before = _read(done)
    place.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    for file in note.files:
        target = place / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (work / file.path).replace(target)
    if before is not None:
        for path in {file.path for file in before.files} - {file.path for file in note.files}:
            inside(place, path, where=str(done)).unlink(missing_ok=True)
    write_text(done, json.dumps(to_plain(note), indent=1) + "\n")


def written_in(work: Path) -> tuple[Written, ...]:
    """All files of a folder."""
    files = sorted(path for path in work.rglob("*") if path.is_file())
    return tuple(Written(one.relative_to(work).as_posix(), one.stat().st_size) for one in files)


def _read(path: Path) -> Note | None:
    """A note; None where there is none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return from_plain(Note, data, where=str(path))
    except (OSError, ValueError, RecursionError, PlainDataError):
        return None


def work_folder(out: Path) -> Path:
    """Where outputs are made before they are put into place."""
    return out / HIDDEN / "work"


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Holds a folder for one run: made if need be, for nobody else meanwhile.

    Raises:
        ArchiveError: it is a file, cannot be made, or another run is at work there.
    """
    if out.exists() and not out.is_dir():
        raise ArchiveError(f"{out}: is a file; the outputs need a folder")
    busy = ArchiveError(f"{out}: another run is at work there; wait for it")
    with ExitStack() as stack:
        try:
            work_folder(out).mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(out / HIDDEN / "lock", busy))
        except OSError as error:
            raise ArchiveError(f"{out}: cannot be written to: {error.strerror}") from error
        _clear(work_folder(out))
        try:
            yield
        finally:
            _clear(work_folder(out))


def _clear(folder: Path) -> None:
    """Removes what runs that were killed have left."""
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
