"""`tinyvirat doctor`: what this machine can do, and what is missing.

Nothing is believed that can be tried: clips are decoded, a file is written, convolutions are timed.
"""

from __future__ import annotations

import json as json_text
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from tinyvirat import __version__
from tinyvirat.common.files import CACHE_VARIABLE, cache_folder
from tinyvirat.common.words import counted

INSTALL = "pip install -c constraints.txt -e ."
LITTLE_SPACE_GB = 2.0
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: `version`, `device`, `decoder` or `storage`.
        name: what was looked at, such as `torch`.
        found: what was found, or the reason why it does not work.
        well: whether it works.
        needed: whether tinyvirat is of no use without it.
        remedy: what to do when it does not work; empty when it does.
    """

    area: str
    name: str
    found: str
    well: bool = True
    needed: bool = True
    remedy: str = ""


def doctor(*, json: bool = False) -> int:
    """Say what this machine can do, and what is missing.

    Tries everything it names: decodes a built-in clip, writes to the cache folder, and times a 3D
    convolution in each number format on each device. Exits with 1 when something needed is missing.

    Args:
        json: print the findings as JSON instead of a table.
    """
    findings = [*versions(), *devices(), *clip_decoders(), *storage()]
    if json:
        text = json_text.dumps([asdict(finding) for finding in findings], indent=2)
        sys.stdout.write(text + "\n")
    else:
        _show(findings)
    return int(any(finding.needed and not finding.well for finding in findings))


def versions() -> Iterator[Finding]:
    """Python, this package, and every dependency it declares."""
    system = platform.platform(terse=True)
    yield Finding("version", "python", f"{platform.python_version()} on {system}")
    yield Finding("version", "tinyvirat", __version__)
    for requirement in metadata.requires("tinyvirat") or []:
        if re.search(r"extra == ['\"]dev['\"]", requirement):
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        try:
            yield Finding("version", name, metadata.version(name), needed=extra is None)
        except metadata.PackageNotFoundError:
            remedy = f'pip install "tinyvirat[{extra[1]}]"' if extra else INSTALL
            yield Finding("version", name, "not installed", False, extra is None, remedy)


def devices() -> Iterator[Finding]:
    """Every device torch can compute on, with the measured speed of the number formats."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        yield Finding("device", "torch", f"does not load: {error}", False, remedy=INSTALL)
        return
    cores = counted(os.cpu_count() or 1, "core")
    yield _device("cpu", f"{cores}, {counted(torch.get_num_threads(), 'thread')}")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory = properties.total_memory / 2**30
        yield _device(f"cuda:{index}", f"{properties.name}, {memory:.0f} GiB")
    if torch.backends.mps.is_available():
        yield _device("mps", "Apple GPU")
    if NVIDIA_DRIVER.exists() and not torch.cuda.is_available():
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        remedy = "install a build of torch for this driver: https://pytorch.org/get-started/locally"
        found = f"there is a driver, but torch {torch.__version__} is built {built}"
        yield Finding("device", "nvidia", found, False, needed=False, remedy=remedy)


def _device(device: str, description: str) -> Finding:
    from tinyvirat.common import precision

    try:
        results = precision.measure(device)
    except RuntimeError as error:
        remedy = "run on another device, or install a build of torch for this one"
        return Finding("device", device, f"{description}: {error}", False, device == "cpu", remedy)
    fastest = str(precision.fastest_dtype(device)).removeprefix("torch.")
    speeds = ", ".join(
        f"{str(one.dtype).removeprefix('torch.')} "
        + (f"does not work ({one.reason})" if one.ratio is None else f"{one.ratio:.2g}x")
        for one in results
    )
    return Finding("device", device, f"{description}; speed: {speeds}; computes in {fastest}")


def clip_decoders() -> Iterator[Finding]:
    """Which decoders decode a built-in clip. One is enough, and PyAV must be it."""
    try:
        from tinyvirat.video import decoders
    except (ImportError, OSError) as error:
        yield Finding("decoder", "pyav", f"does not load: {error}", False, remedy=INSTALL)
        return
    remedies = {
        "pyav": INSTALL,
        "torchcodec": "install FFmpeg (apt-get install ffmpeg) and a torchcodec that fits this "
        'torch: pip install -c constraints.txt -e ".[torchcodec]"',
    }
    for name, reason in decoders().items():
        yield Finding(
            "decoder",
            name,
            reason or "decodes",
            reason is None,
            needed=name == "pyav",
            remedy=remedies.get(name, "") if reason else "",
        )


def storage() -> Iterator[Finding]:
    """Whether the cache folder can be written to, and the space left there."""
    folder = cache_folder()
    remedy = f"set {CACHE_VARIABLE} to a folder that can be written to"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"written by tinyvirat doctor")
            file.flush()
        free_gb = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        yield Finding("storage", str(folder), f"cannot be written to: {error}", False, True, remedy)
        return
    roomy = free_gb >= LITTLE_SPACE_GB
    remedy = "" if roomy else f"set {CACHE_VARIABLE} to a folder with more space"
    found = f"can be written to, {free_gb:.1f} GB free"
    yield Finding("storage", str(folder), found, roomy, needed=False, remedy=remedy)


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table("", Column("what", overflow="fold"), Column("found", overflow="fold"))
    previous = findings[0].area
    for finding in findings:
        if finding.area != previous:
            table.add_section()
            previous = finding.area
        state = "[green]ok[/]" if finding.well else "[red]MISSING[/]" if finding.needed else "-"
        remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
        optional = "" if finding.needed or finding.well else "optional: "
        table.add_row(state, escape(finding.name), escape(optional + finding.found + remedy))
    console = Console()
    console.print(table)
    broken = [finding.name for finding in findings if finding.needed and not finding.well]
    console.print(
        f"Needed and missing: {', '.join(broken)}." if broken else "All that is needed works."
    )
