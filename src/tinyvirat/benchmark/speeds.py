"""Networks in all engines and precisions, measured against each other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyvirat.benchmark.children import Child, ChildError, Crew
from tinyvirat.benchmark.matrix import flop
from tinyvirat.benchmark.records import PUBLISHED, BenchmarkError, Peak, Speed
from tinyvirat.benchmark.turns import Found, Pace, Party
from tinyvirat.models.zoo import ZOO, config_to_json, cost_of

PRECISIONS = ("float32", "bfloat16", "int8")
MATRICES = ("float32", "bfloat16")
ENGINES = ("torch", "compiled", "onnx", "openvino")
EXPORTED = ("onnx", "openvino")
FRAMES = 16

COMPARED_WITH = {
    "prog-dvsr-x8-fast": "prog-dvsr-x8",
    "prog-dvsr-x4-fast": "prog-dvsr-x4",
    "prog-dvsr-x8-slim": "prog-dvsr-x8",
    "prog-dvsr-x4-slim": "prog-dvsr-x4",
    "any-size-dvsr": "prog-dvsr-x4",
    "x3d-s": "i3d-112",
}
"""Our own networks to the published one that each stands in for."""

MEASURED_ONLY = ("reference", "matrix")
"""Beginnings of the names of children whose output is of no interest."""

MATRIX_SIDES: tuple[int, ...] = (1024, 2048)
"""Sides of the matrices that the peak is measured with, in turn."""


@dataclass(frozen=True)
class Subject:
    """A network to measure.

    Attributes:
        name: in the zoo, or of a trained model.
        config: what builds it.
        side: of its clips in pixels.
        frames: of its clips.
        published: the name of what it is compared with.
        reference: that one's own config and side; None: it is compared with itself.
        model: a folder with trained weights; None: fresh ones.
    """

    name: str
    config: Any
    side: int
    frames: int = FRAMES
    published: str | None = None
    reference: tuple[Any, int] | None = None
    model: Path | None = None


@dataclass(frozen=True)
class How:
    """What all measurements share.

    Attributes:
        engines: to measure in.
        precisions: to measure in.
        threads: of each process.
        seed: of weights and clips.
        device: where PyTorch computes.
        pace: how long it may take.
    """

    engines: tuple[str, ...] = ENGINES
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    threads: int = 1
    seed: int = 0
    device: str = "cpu"
    pace: Pace = field(default_factory=Pace)


def subject(name: str) -> Subject:
    """A network of the zoo.

    Raises:
        BenchmarkError: there is none of that name.
    """
    if name not in ZOO:
        raise BenchmarkError(f"{name!r} is no network: choose from {', '.join(ZOO)}, or all")
    entry = ZOO[name]
    published = COMPARED_WITH.get(name)
    reference = None if published is None else (ZOO[published].config, ZOO[published].side)
    return Subject(name, entry.config, entry.side, FRAMES, published or name, reference)


def trained(folder: Path) -> Subject:
    """A trained model: its error is that of weights which have learnt something.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    from tinyvirat.models.saved import DESCRIPTION, model_folder, read_description

    found = model_folder(str(folder))
    spec, _ = read_description(found / DESCRIPTION)
    side = spec.preprocess.sizes[-1]
    return Subject(
        spec.name, spec.config, side, spec.sampler.length, spec.name, None, found.resolve()
    )


def measure(one: Subject, how: How, folder: Path) -> tuple[list[Speed], dict[str, Found]]:
    """All rows of a network, and what the matrices gave meanwhile.

    Args:
        one: the network.
        how: engines, precisions and the rest.
        folder: for exported files and outputs; nothing in it is needed afterwards.

    Returns:
        A row for each engine and precision, that as published first, and the turns of the matrices
        by precision.
    """
    cost = cost_of(one.config, one.side, one.frames)
    cases = [(PUBLISHED, "float32"), *((e, p) for e in how.engines for p in how.precisions)]
    exported, why = _export(one, how, folder)
    rows: dict[tuple[str, str], Speed] = {}
    with Crew(threads=how.threads, seconds=how.pace.limit) as crew:
        for engine, precision in cases:
            reason = why if engine in EXPORTED else None
            reason = reason or impossible(engine, precision)
            if reason is not None:
                rows[engine, precision] = Speed(
                    one.name, engine, precision, cost.parameters, cost.gmac, reason=reason
                )
            else:
                job = network_job(one, how) | {"engine": engine, "precision": precision}
                crew.start(f"{engine} {precision}", job | {"file": str(exported)})
        if one.reference is not None:
            config, side = one.reference
            job = network_job(one, how) | {"config": config_to_json(config), "side": side}
            crew.start(
                "reference", job | {"engine": PUBLISHED, "precision": "float32", "model": None}
            )
        start_matrices(how, crew)
        party = Party(crew.children, how.pace)
        alone = how.pace.batches[:1]
        sizes = {f"matrix {p}": MATRIX_SIDES for p in MATRICES}
        # Each size would be compiled anew, which takes minutes.
        sizes |= {f"compiled {p}": alone for p in PRECISIONS}
        found = party.play(sizes)
        answers = {}
        for number, name in enumerate(crew.children):
            path = folder / f"{number}.npz"
            if name.startswith(MEASURED_ONLY) or not party.order(name, answer=str(path)):
                continue
            answers[name] = path
    for engine, precision in cases:
        if (engine, precision) in rows:
            continue
        mine = found[f"{engine} {precision}"]
        row = Speed(one.name, engine, precision, cost.parameters, cost.gmac, reason=mine.reason)
        rows[engine, precision] = _filled(
            row,
            mine,
            found.get("reference", found[f"{PUBLISHED} float32"]),
            one.published,
            _compared(answers, f"{engine} {precision}"),
        )
    matrices = {p: found[f"matrix {p}"] for p in MATRICES}
    return [rows[case] for case in cases], matrices


def start_matrices(how: How, crew: Crew) -> None:
    """Starts a child for each precision whose peak is of interest."""
    for precision in MATRICES:
        crew.start(f"matrix {precision}", {"kind": "matrix", "precision": precision} | _shared(how))


def peaks(turns: Sequence[dict[str, Found]]) -> tuple[Peak, ...]:
    """The machine's peaks, from all turns of matrices of a run."""
    rates: dict[str, dict[int, list[float]]] = {}
    for one in turns:
        for precision, found in one.items():
            for size, seconds in found.seconds.items():
                of_size = rates.setdefault(precision, {}).setdefault(size, [])
                of_size.extend(flop(size) / s / 1e9 for s in seconds)
    return tuple(
        Peak(precision, max(map(max, by_size.values())), statistics.median(by_size[min(by_size)]))
        for precision, by_size in sorted(rates.items(), reverse=True)
    )


def with_share(row: Speed, peak: Peak | None, device: str = "cpu") -> Speed:
    """The row with its share of the machine's peak, which is that of `device`."""
    elsewhere = row.engine in EXPORTED and device != "cpu"
    if peak is None or row.seconds_batched is None or elsewhere:
        return row
    return replace(row, share=2.0 * row.gmac / row.seconds_batched / peak.best)


def difference(found: Path, wanted: Path) -> tuple[float | None, float | None]:
    """Relative error of the output, and PSNR in dB of the enlarged clip, both of files of outputs.

    Equal clips have a PSNR of infinity, which is None here: there is nothing to tell.
    """
    with np.load(found, allow_pickle=False) as mine, np.load(wanted, allow_pickle=False) as theirs:
        output, exact = mine["output"].astype(np.float64), theirs["output"].astype(np.float64)
        size = float(np.linalg.norm(exact))
        error = float(np.linalg.norm(output - exact)) / max(size, 1e-30)
        if "video" not in mine or "video" not in theirs:
            return error, None
        square = float(np.mean((mine["video"].astype(np.float64) - theirs["video"]) ** 2))
    # Levels reach from -1 to 1.
    return error, None if square == 0 else 10.0 * math.log10(4.0 / square)


def _compared(answers: dict[str, Path], name: str) -> tuple[float | None, float | None]:
    exact = answers.get(f"{PUBLISHED} float32")
    if exact is None or name not in answers:
        return None, None
    return difference(answers[name], exact)


def _filled(
    row: Speed,
    mine: Found,
    reference: Found,
    published: str | None,
    compared: tuple[float | None, float | None],
) -> Speed:
    if compared[0] is not None and not math.isfinite(compared[0]):
        return replace(row, reason="its output is not finite")
    best, theirs = mine.best(), reference.best()
    first = next(iter(mine.seconds), None)
    if best is None or first is None:
        return row
    alone, their_alone = mine.median(first), reference.median(first)
    return replace(
        row,
        seconds=None if alone is None else alone / first,
        batch=best[0],
        seconds_batched=best[1],
        ratio=None if alone is None or their_alone is None else their_alone / alone,
        ratio_batched=None if theirs is None else theirs[1] / best[1],
        published=published,
        error=compared[0],
        psnr=compared[1],
        memory_mb=mine.memory_mb,
        prepare_seconds=mine.facts.get("prepare_seconds"),
    )


def _export(one: Subject, how: How, folder: Path) -> tuple[Path, str | None]:
    """Where the exported network is, or why it is not."""
    path = folder / "network.onnx"
    if not set(EXPORTED) & set(how.engines):
        return path, "not exported"
    job = network_job(one, how) | {"kind": "export", "file": str(path)}
    with Child(job, threads=how.threads, seconds=how.pace.limit) as child:
        try:
            child.ready()
        except ChildError as error:
            return path, f"not exported: {error}"
    return path, None


def impossible(engine: str, precision: str) -> str | None:
    """Why an engine has no such precision."""
    if precision == "int8":
        return "int8 takes a network quantised with calibration clips, which is not made here"
    if engine == "onnx" and precision != "float32":
        return "ONNX Runtime computes 3D convolutions in float32 only, on CPUs"
    return None


def network_job(one: Subject, how: How) -> dict[str, Any]:
    """What a child is told of a network, all but its engine and precision."""
    return {
        "kind": "network",
        "config": config_to_json(one.config),
        "model": None if one.model is None else str(one.model),
        "side": one.side,
        "frames": one.frames,
    } | _shared(how)


def _shared(how: How) -> dict[str, Any]:
    return {"seed": how.seed, "device": how.device}
