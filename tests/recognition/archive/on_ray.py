"""Recognises an archive on a Ray cluster of this machine, and kills a worker in the middle.

    python on_ray.py VIDEOS MODEL OUT

In a process of its own: Ray may end the process that started it. Prints what happened as JSON.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import ray

from tinyvirat.recognition.archive.cluster import RayCrew, Share
from tinyvirat.recognition.archive.records import Plan
from tinyvirat.recognition.archive.run import recognize_archive

videos, model, out = map(Path, sys.argv[1:])
outputs = ("jsonl", "csv", "actev")
plan = Plan(out, str(model), outputs=outputs, device="cpu", precision="float32")
killed: list[int] = []


def kill() -> None:
    """Kills the first worker that begins the long video."""
    until = time.monotonic() + 250
    while time.monotonic() < until:
        for path in (out / ".archive" / "work").glob("a_long_mp4-*"):
            pid = int(path.name.rsplit("-", 2)[1])
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return
        time.sleep(0.002)


ray.init(
    num_cpus=2,
    include_dashboard=False,
    log_to_driver=False,
    object_store_memory=80 << 20,
    logging_level="ERROR",
)
threading.Thread(target=kill, daemon=True).start()
crew = RayCrew(plan, "local", Share(workers=2))
paths = sorted(path for path in videos.rglob("*.mp4"))
done = recognize_archive(paths, videos, plan, crew, progress=False)
print(
    json.dumps(
        {
            "killed": killed,
            "attempts": {one.job.name: one.attempts for one in done.outcomes},
            "failed": {one.job.name: one.error for one in done.failed},
            "threads": {one.job.name: one.note.threads for one in done.outcomes if one.note},
        }
    )
)
