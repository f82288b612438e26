"""Memory and speed of recognition over an hour of video: a short one, played again and again.

    python benchmarks/hour_of_video.py VIDEO --model MODEL [--minutes 60] [--out FOLDER]
        [--outputs jsonl,csv] [--tubes motion] [--precision auto]

The video is decoded anew each time, so that this is as good as a long file. Prints, for every five
minutes of video, the memory of the process (resident, and the most so far) and how long it took,
and writes `hour_of_video.json` into FOLDER, together with the outputs that are named.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tinyvirat.common.files import write_text
from tinyvirat.recognition.load import load
from tinyvirat.recognition.outputs.opening import ALL, open_sinks
from tinyvirat.recognition.stream import SourceInfo, StreamSettings, run_stream
from tinyvirat.recognition.stream.ahead import Pause
from tinyvirat.recognition.stream.sources import FileStream
from tinyvirat.recognition.stream.stages import Stages
from tinyvirat.video import Frame

EVERY_MINUTES = 5
MIB = 1 << 20


def resident() -> int:
    """Bytes of this process that are in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class Again:
    """A file that begins again at its end, until it has lasted for so many minutes."""

    dropped = 0
    reconnects = 0

    def __init__(self, path: Path, minutes: float) -> None:
        self._path = path
        self._file = FileStream(path)
        self._frames = round(minutes * 60 * self._file.info.fps)
        self.info: SourceInfo = replace(self._file.info, frames=self._frames)
        self.rows: list[dict[str, float]] = []
        self._began = time.monotonic()

    def frames(self, stages: Stages) -> Iterator[Frame | Pause]:
        """Every frame, numbered on."""
        index, step = 0, float(1 / self.info.fps)
        every = round(EVERY_MINUTES * 60 / step)
        while True:
            for item in self._file.frames(stages):
                if not isinstance(item, Frame):
                    continue
                yield Frame(index, index * step, item.frame_HWC)
                index += 1
                if index % every == 0 or index == self._frames:
                    self._row(index * step / 60)
                if index == self._frames:
                    return
            self._file.close()
            self._file = FileStream(self._path)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def _row(self, minutes: float) -> None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        row = {
            "minutes": minutes,
            "resident_mib": resident() / MIB,
            "most_mib": most / MIB,
            "seconds": time.monotonic() - self._began,
        }
        self.rows.append(row)
        print(" | ".join(f"{value:.0f}" for value in row.values()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tubes", default="motion")
    parser.add_argument("--out", type=Path, default=Path("hour_of_video"))
    parser.add_argument("--outputs", default="")
    parser.add_argument("--precision", default="auto")
    asked = parser.parse_args()
    outputs = tuple(name for name in asked.outputs.split(",") if name)
    if unknown := set(outputs) - set(ALL):
        parser.error(f"no outputs: {', '.join(sorted(unknown))}")
    recognizer = load(asked.model, precision=asked.precision)
    source = Again(asked.video, asked.minutes)
    sinks = open_sinks(asked.out, recognizer, outputs) if outputs else []
    settings = StreamSettings(frames=bool({"video", "report"} & set(outputs)))
    print("minutes of video | resident, MiB | most, MiB | seconds")
    end = run_stream(recognizer, source, sinks, asked.tubes, settings, progress=False)
    told = {"frames": end.frames, "tubes": end.tubes, "windows": end.windows, "rows": source.rows}
    told |= {"seconds": end.seconds, "stages": dict(end.stages)}
    write_text(asked.out / "hour_of_video.json", json.dumps(told, indent=1) + "\n")
    print(f"{end.frames} frames, {end.tubes} tubes, {end.windows} windows in {end.seconds:.0f} s")


if __name__ == "__main__":
    main()
