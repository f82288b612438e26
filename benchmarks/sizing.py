"""How many cores, and how much memory, network and storage, 1,000 cameras need.

    python benchmarks/sizing.py RUN --model MODEL [--page docs/many-cameras.md] [assumptions]

RUN is the folder that `tinyvirat recognize FOLDER --out RUN --model MODEL` has written: its notes
(`done.json`) have the seconds by stage, the processor's seconds and the memory of every long video.
Prints the tables, or writes them between the marks of a page. Nothing in them is typed by hand: the
costs are measured, everything else is an option of this script and is named in the page.

What is measured are seconds of the processor, which a busy machine does not change as it does those
of the clock; they are shared out to the stages as the stages' own seconds are. Reading (decoding
and looking for tubes) costs by the frame, recognising (cutting out and the network) by the window:

    cores of a camera = (fps * reading + tubes * fps / hop * recognising) / load
"""

import argparse
import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tinyvirat.benchmark.page import between_marks
from tinyvirat.common.files import write_text
from tinyvirat.common.plain import from_plain
from tinyvirat.models.saved import DESCRIPTION, ModelSpec, model_folder, read_description
from tinyvirat.recognition.archive.notes import DONE
from tinyvirat.recognition.archive.records import Note
from tinyvirat.recognition.stream import StreamSettings
from tinyvirat.recognition.stream.windows import sliding
from tinyvirat.training.journal import environment

READING, RECOGNISING = ("decode", "proposals"), ("crop", "network")
TUBES = (0.1, 0.5, 1.0, 3.0, 10.0)
ROWS = ("predictions.jsonl", "actions.jsonl")
DAY = 86_400


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        reading: processor's seconds a frame.
        recognising: processor's seconds a window.
        memory: MB of a worker, at most.
        rows: bytes of rows an hour of a tube.
        about: of which videos and machine, in words.
    """

    reading: float
    recognising: float
    memory: float
    rows: float
    about: str


def measured(run: Path) -> Costs:
    """The costs of the long videos of a run."""
    paths = sorted(run.glob(f"*/{DONE}"))
    found = [
        (path.parent, from_plain(Note, json.loads(path.read_text()), where=str(path)))
        for path in paths
    ]
    notes = [(folder, note) for folder, note in found if not note.clip and note.windows]
    if not notes:
        sys.exit(f"{run}: no long video with windows was recognised there")
    frames = sum(note.frames for _, note in notes)
    windows = sum(note.windows for _, note in notes)
    reading = sum(share(note, READING) for _, note in notes)
    recognising = sum(share(note, RECOGNISING) for _, note in notes)
    rows = [
        json.loads(line)
        for folder, _ in notes
        for line in (folder / ROWS[0]).read_text().splitlines()
    ]
    tube_seconds = sum(row["stop_time"] - row["start_time"] for row in rows)
    written = sum(file.size for _, note in notes for file in note.files if file.path in ROWS)
    sizes = sorted({f"{note.width} x {note.height}, {float(note.fps):g} fps" for _, note in notes})
    kinds = sorted(
        {f"{note.device}, {note.precision}, {note.threads} thread(s)" for _, note in notes}
    )
    return Costs(
        reading / frames,
        recognising / windows,
        max(note.memory_mb for _, note in notes),
        3600 * written / tube_seconds,
        f"{len(notes)} video(s) ({'; '.join(sizes)}), {frames} frames, {windows} windows; "
        + "; ".join(kinds),
    )


def share(note: Note, stages: tuple[str, ...]) -> float:
    """The processor's seconds of some stages."""
    seconds = {one.name: one.amount for one in note.stages}
    return note.cpu_seconds * sum(seconds[name] for name in stages) / sum(seconds.values())


def cores(costs: Costs, tubes: float, windows: float, given: argparse.Namespace) -> float:
    """Cores of all cameras; `windows` are those of a tube a second."""
    camera = given.fps * costs.reading + tubes * windows * costs.recognising
    return float(given.cameras * camera / given.load)


def tables(costs: Costs, spec: ModelSpec, given: argparse.Namespace) -> str:
    """Everything that goes into the page."""
    faster = 1.0 if spec.fps is None else given.fps / spec.fps
    hop = sliding(spec.sampler, StreamSettings().overlap, faster).hop
    windows = given.fps / hop
    return "\n".join(
        [
            made(costs, spec, given),
            "",
            *costs_table(costs, hop, windows, given),
            "",
            *cores_table(costs, windows, given),
            "",
            *others_table(costs, given),
        ]
    )


def made(costs: Costs, spec: ModelSpec, given: argparse.Namespace) -> str:
    """Where the figures come from."""
    facts = environment([])
    text = (
        f"Made by `{given.command}` at commit {facts['commit']}, tinyvirat {facts['tinyvirat']}, "
        f"torch {facts['torch']}, {facts['processor']}, {facts['time']}; do not edit. Measured on "
        f"{costs.about}; model `{spec.name}`. Assumed: {given.cameras:,} cameras at {given.fps:g} "
        f"frames a second, machines of {given.cores} cores at a load of {given.load:.0%}, streams "
        f"of {given.mbit:g} Mbit/s, windows that overlap by {StreamSettings().overlap:.0%}."
    )
    return textwrap.fill(text, 100, break_on_hyphens=False)


def costs_table(costs: Costs, hop: int, windows: float, given: argparse.Namespace) -> list[str]:
    """What one frame and one window cost."""
    return [
        "| measured | |",
        "|---|---:|",
        f"| reading a frame: decoding, looking for tubes | {1000 * costs.reading:.1f} ms |",
        f"| recognising a window: cutting out, network | {1000 * costs.recognising:.0f} ms |",
        f"| windows a second of one core | {1 / costs.recognising:.1f} |",
        f"| windows a second of one tube: every {hop} frames | {windows:.2f} |",
        f"| memory of a worker, at most | {costs.memory:.0f} MB |",
        f"| rows (JSONL) an hour of one tube | {costs.rows / 1e6:.2f} MB |",
    ]


def cores_table(costs: Costs, windows: float, given: argparse.Namespace) -> list[str]:
    """What all cameras take, by how much happens before them."""
    lines = [
        f"| tubes at once, mean of a camera | cameras a core | cores for {given.cameras:,} cameras "
        f"| machines of {given.cores} cores | one hour of all on one machine |",
        "|---:|---:|---:|---:|---:|",
    ]
    for tubes in TUBES:
        all_cores = cores(costs, tubes, windows, given)
        hours = all_cores * given.load / given.cores  # an archive can fill it
        lines.append(
            f"| {tubes:g} | {given.cameras / all_cores:.2f} | {all_cores:,.0f} | "
            f"{-(-all_cores // given.cores):,.0f} | {hours:,.1f} h |"
        )
    return lines


def others_table(costs: Costs, given: argparse.Namespace) -> list[str]:
    """Network, storage, memory."""
    video = given.mbit * 1e6 / 8 * DAY
    rows = costs.rows * 24
    return [
        f"| {given.cameras:,} cameras | |",
        "|---|---:|",
        f"| network, all streams | {given.cameras * given.mbit / 1000:.1f} Gbit/s |",
        f"| video, a day of all | {given.cameras * video / 1e12:.1f} TB |",
        f"| rows, a day of all, for each tube that is always there | "
        f"{given.cameras * rows / 1e9:.1f} GB |",
        f"| memory of a machine, a worker a core | {costs.memory * given.cores / 1024:.0f} GB |",
    ]


def main() -> None:
    """Makes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--load", type=float, default=0.7)
    parser.add_argument("--mbit", type=float, default=4.0)
    given = parser.parse_args()
    options = [
        f"--{name} {getattr(given, name):g}"
        for name in ("cameras", "fps", "cores", "load", "mbit")
        if getattr(given, name) != parser.get_default(name)
    ]
    given.command = " ".join(["python benchmarks/sizing.py RUN --model MODEL", *options])
    spec, _ = read_description(model_folder(given.model) / DESCRIPTION)
    text = tables(measured(given.run), spec, given)
    if given.page is None:
        print(text)
    else:
        page = between_marks(given.page.read_text(encoding="utf-8"), text, str(given.page))
        write_text(given.page, page)


if __name__ == "__main__":
    main()
