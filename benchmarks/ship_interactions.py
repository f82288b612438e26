"""Makes a shipped recogniser of interactions of the runs of `interactions.sh`: thresholds, card.

    python benchmarks/ship_interactions.py OUT FOLDER [ALARMS] [--kind light]

OUT is the folder of those runs, of which the large ones (`bicubic`) or the light ones are taken;
FOLDER has the model's name and gets `weights.safetensors` in float16, `model.json`,
`CARD.md` and `scores.json`. ALARMS is the folder that `tinyvirat recognize WALKERS --model FOLDER
--out ALARMS` wrote about a video in which people only walk; without it, the card says that nobody
looked.

Every clip was answered once by a model that had not seen its set. Thresholds for the shipped model
come from all of these answers; the scores on the card do not: what one set's clips are scored at
was set on the other's.
"""

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tinyvirat.common.files import write_text
from tinyvirat.datasets.manifest import read_manifest
from tinyvirat.evaluation.evaluate import predict
from tinyvirat.evaluation.prediction_file import read_predictions
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.resampled import F1, Accuracy, MeanAveragePrecision
from tinyvirat.evaluation.significance import Interval, bootstrap, bootstrap_mean
from tinyvirat.evaluation.thresholds import Thresholds, TuningSet, few_false_alarms
from tinyvirat.models.inference import Inference
from tinyvirat.models.saved import ModelSpec, load_model, save_model
from tinyvirat.training.journal import environment

WAYS = ("set1_to_set2", "set2_to_set1")
RATE = 0.01
"""The part of the clips without an interaction that may get past its threshold."""
LEAST = 0.3
"""No threshold is lower: the clips without an interaction here are easier than a street."""
CARD = Path(__file__).with_name("interactions_card.md")
TAUGHT = """
It learnt from the large model, which saw the same clips, as well as from their labels (logits,
features and attention)."""
TITLES = {
    "bicubic": ("what people do to each other, at 28 pixels", 112, ""),
    "light": ("the same at a quarter of the cost", 56, TAUGHT),
}
"""What each model's card is called, the side of what I3D is given, and how it learnt."""


@dataclass(frozen=True)
class Score:
    """A row of the card."""

    what: str
    clips: int
    interval: Interval

    def row(self) -> str:
        one = self.interval
        spread = "" if one.low is None else f" [{one.low * 100:.1f}, {one.high * 100:.1f}]"
        return f"| {self.what} | {one.point * 100:.1f}{spread} | {self.clips} |"


def main(out: Path, folder: Path, alarms: Path | None, kind: str) -> None:
    """Writes the model, and what is known about it."""
    answers = {
        way: read_predictions(out / way / kind / "evaluation" / "predictions.jsonl") for way in WAYS
    }
    run = out / "both" / kind
    model = load_model(run / "model")
    thresholds = few_false_alarms(pooled(tuple(answers.values())), RATE, least=LEAST)
    manifest = read_manifest(out / "data" / "both.jsonl")
    spec = replace(
        model.spec,
        name=folder.name,
        origin=f"UT-Interaction, both sets; I3D from Kinetics-400; commit {commit(run)}",
        thresholds=thresholds.probabilities,
        tuned_on=tuple(dict.fromkeys(record.source for record in manifest.records)),
    )
    save_model(folder, replace(model, spec=spec), dtype=torch.float16)
    scores = [score for way in WAYS for score in scored(way, answers)]
    shown = replace(manifest, records=tuple(r for r in manifest.records if r.labels))
    seen = predict(Inference(load_model(folder), device="cpu", precision="float32"), shown, "train")
    here = environment()
    facts: dict[str, Any] = {
        "commit": commit(run),
        **cost(run),
        "thresholds": dict(zip(spec.labels, spec.thresholds, strict=True)),
        "on_its_own_training_clips": own(spec, seen),
        "scores": [{"what": s.what, "clips": s.clips, **vars(s.interval)} for s in scores],
        "walkers": None if alarms is None else walkers(alarms),
        **{name: here[name] for name in ("time", "python", "torch", "processor")},
    }
    write_text(folder / "scores.json", json.dumps(facts, indent=1) + "\n")
    write_text(folder / "CARD.md", card(facts, scores, folder, kind))


def pooled(parts: tuple[Predictions, ...]) -> TuningSet:
    """Answers of several models for clips that each had not seen."""
    return TuningSet(
        np.concatenate([part.logits_NK for part in parts]),
        np.concatenate([part.known_targets() for part in parts]),
        parts[0].classes,
        tuple(source for part in parts for source in part.sources),
    )


def scored(way: str, answers: dict[str, Predictions]) -> list[Score]:
    """One direction's scores, at thresholds that the other direction's answers set."""
    one = answers[way]
    (other,) = (answers[name] for name in WAYS if name != way)
    limits = few_false_alarms(pooled((other,)), RATE, least=LEAST)
    targets_NK, name = one.known_targets(), way.replace("_", " ")
    shown_N = targets_NK.any(1)
    named = f"{name}: the likeliest interaction is the one shown"
    rows = [
        Score(
            named,
            int(shown_N.sum()),
            bootstrap(Accuracy(), one.logits_NK[shown_N], targets_NK[shown_N], of(one, shown_N)),
        )
    ]
    for what, metric in (
        ("mean average precision, with clips that show none", MeanAveragePrecision()),
        ("F1, macro, at thresholds", F1("macro", limits)),
    ):
        found = bootstrap(metric, one.logits_NK, targets_NK, one.sources)
        rows.append(Score(f"{name}: {what}", len(one.ids), found))
    for what, kept_N in (
        ("clips of an interaction for which anything is said", shown_N),
        ("people who stand or walk, for whom anything is said", ~shown_N & kind(one, "ut")),
        ("other videos for which anything is said", ~shown_N & kind(one, "ucf")),
    ):
        if kept_N.any():
            rows.append(Score(f"{name}: {what}", int(kept_N.sum()), said(one, limits, kept_N)))
    return rows


def said(one: Predictions, limits: Thresholds, kept_N: np.ndarray) -> Interval:
    """For which part of some clips any interaction is named."""
    any_N = limits.predict(one.logits_NK[kept_N]).any(1)
    return bootstrap_mean(any_N.astype(float), of(one, kept_N))


def of(one: Predictions, kept_N: np.ndarray) -> list[str]:
    """The sources of some clips."""
    return [source for source, kept in zip(one.sources, kept_N, strict=True) if kept]


def kind(one: Predictions, name: str) -> np.ndarray:
    """Which clips are of UT-Interaction (`ut`) or of UCF-101 (`ucf`)."""
    return np.array([clip.startswith(f"{name}/") for clip in one.ids])


def own(spec: ModelSpec, seen: Predictions) -> dict[str, object]:
    """What the shipped file answers for the clips it learnt from: a check, not a score."""
    targets_NK = seen.known_targets()
    probabilities_NK = spec.probabilities(torch.from_numpy(seen.logits_NK)).numpy()
    shown = np.flatnonzero(targets_NK.any(1))
    likeliest = {seen.ids[n]: seen.classes[probabilities_NK[n].argmax()] for n in shown}
    right = [targets_NK[n, probabilities_NK[n].argmax()] for n in shown]
    return {
        "clips": len(shown),
        "accuracy": float(np.mean(right)),
        "likeliest": likeliest,
        "probability": {seen.ids[n]: round(float(probabilities_NK[n].max()), 4) for n in shown},
    }


def walkers(alarms: Path) -> dict[str, object]:
    """What was said about people who only walk."""
    rows = [json.loads(line) for line in (alarms / "predictions.jsonl").read_text().splitlines()]
    actions = [json.loads(line) for line in (alarms / "actions.jsonl").read_text().splitlines()]
    return {
        "video": Path(rows[0]["video"]).name,
        "tubes": len({row["tube"] for row in rows}),
        "tube_seconds": sum(row["stop_time"] - row["start_time"] for row in rows),
        "false_alarms": len(actions),
        "tubes_with_false_alarms": len({row["tube"] for row in actions}),
        "labels": sorted({row["label"] for row in actions}),
    }


def commit(run: Path) -> str:
    """Of the code that trained the model."""
    starts = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    return str(starts[-1]["commit"])


def cost(run: Path) -> dict[str, float]:
    """Parameters, and GMAC of a window."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return {name: summary[name] for name in ("parameters", "gmac")}


def card(facts: dict[str, Any], scores: list[Score], folder: Path, kind: str) -> str:
    """The card's text, with its figures."""
    alarms = facts["walkers"]
    told = "Nobody has looked yet."
    if isinstance(alarms, dict):
        told = (
            f"`{alarms['video']}`: {alarms['tubes']} tubes, {alarms['tube_seconds'] / 60:.1f} "
            f"minutes of them, {alarms['false_alarms']} false alarms, in "
            f"{alarms['tubes_with_false_alarms']} tubes ({', '.join(alarms['labels']) or 'none'})."
        )
    thresholds = facts["thresholds"]
    title, side, taught = TITLES[kind]
    return CARD.read_text(encoding="utf-8").format(
        title=f"{folder.name}: {title}",
        side=side,
        taught=taught,
        parameters=f"{facts['parameters'] / 1e6:.1f}",
        gmac=f"{facts['gmac']:.1f}",
        commit=facts["commit"],
        megabytes=f"{(folder / 'weights.safetensors').stat().st_size / 1e6:.1f}",
        thresholds=", ".join(f"{label} {value:.3f}" for label, value in thresholds.items()),
        rate=f"{RATE * 100:g} %",
        least=f"{LEAST:g}",
        scores="\n".join(score.row() for score in scores),
        walkers=told,
        own=facts["on_its_own_training_clips"],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("alarms", type=Path, nargs="?")
    parser.add_argument("--kind", choices=tuple(TITLES), default="bicubic")
    main(**vars(parser.parse_args()))
