"""The demonstration from the first rendered clip to the page; what is done already is not repeated.

The folder holds `clips/` (the rendered set), `method/` and `bicubic/` (ordinary run folders),
`evaluation/` (every prediction), `recognised/`, `pictures/`, `index.html`, `summary.json`,
`summary.md` and `cache/` (decoded frames).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyvirat.common.files import write_text
from tinyvirat.common.plain import to_plain
from tinyvirat.datasets.cache import FrameCache
from tinyvirat.datasets.manifest import Manifest, read_manifest
from tinyvirat.datasets.simulate import simulate_clips
from tinyvirat.demo.attention import measure_attention
from tinyvirat.demo.outcome import NOTE, ClassScore, Outcome, Recognised, Scores, chance_of
from tinyvirat.demo.page import write_page
from tinyvirat.demo.pictures import draw_strip
from tinyvirat.demo.settings import BICUBIC, METHOD, RUNS, DemoError, Settings, iterations
from tinyvirat.evaluation.evaluate import predict, quality
from tinyvirat.evaluation.predictions import Predictions
from tinyvirat.evaluation.quality import Quality
from tinyvirat.evaluation.report import Report, report_on, write_report
from tinyvirat.evaluation.resampled import MeanAveragePrecision
from tinyvirat.evaluation.significance import paired_difference
from tinyvirat.evaluation.tables import as_markdown
from tinyvirat.models.inference import Inference
from tinyvirat.recognition.load import ActionRecognizer, load
from tinyvirat.recognition.render import render
from tinyvirat.training.data import ClipFiles
from tinyvirat.training.recipe import Recipe
from tinyvirat.training.run import Order
from tinyvirat.training.run import run as train

SETTINGS, SUMMARY, SUMMARY_TEXT, PAGE = "demo.json", "summary.json", "summary.md", "index.html"
CLIPS, LARGE = Path("clips", "manifest.jsonl"), Path("clips", "large.jsonl")
CACHE = "cache"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Demo:
    """A demonstration in its folder.

    Attributes:
        out: the folder.
        settings: what it does.
        cpu: compute on the CPU even where there is a GPU.
        say: told what begins now.
    """

    out: Path
    settings: Settings
    cpu: bool
    say: Say

    @property
    def cache(self) -> FrameCache:
        """Of decoded frames, in the demonstration's own folder."""
        return FrameCache(self.out / CACHE)


def run_demo(out: Path, settings: Settings, say: Say, *, cpu: bool = False) -> Outcome:
    """Renders, trains, evaluates, recognises and writes the page; resumes where it was stopped.

    Args:
        out: the folder; it is made.
        settings: what to do.
        say: told in a line what begins.
        cpu: compute on the CPU even where there is a GPU.

    Raises:
        DemoError: the folder holds something else, or a demonstration with other settings.
    """
    began = time.monotonic()
    recipes = {name: settings.recipe(name) for name in RUNS}  # refused before anything heavy
    _claim(out, settings)
    demo = Demo(out, settings, cpu, say)
    _render(demo)
    for name, recipe in recipes.items():
        _train(demo, name, recipe)
    say("evaluating on unseen scenes")
    outcome, strip, recognised = _measure(demo, began)
    write_text(out / SUMMARY, json.dumps(to_plain(outcome), indent=1) + "\n")
    tables = "\n".join(as_markdown(table) for table in outcome.tables())
    write_text(out / SUMMARY_TEXT, f"# Demonstration, seed {settings.seed}\n\n{tables}")
    curves = [out / name / "curves.png" for name in RUNS]
    write_page(out / PAGE, outcome, strip, recognised, curves)
    return outcome


def _claim(out: Path, settings: Settings) -> None:
    """Takes an empty folder, or goes on in one of the same demonstration."""
    text = json.dumps(to_plain(settings), indent=1) + "\n"
    path = out / SETTINGS
    if path.is_file():
        if path.read_text(encoding="utf-8") != text:
            raise DemoError(
                f"{out}: holds a demonstration with other settings (another seed?); name another "
                "--out, or delete the folder to start anew"
            )
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DemoError(f"{out}: holds other things already; name a new or empty folder with --out")
    else:
        write_text(path, text)


def _render(demo: Demo) -> None:
    if (demo.out / CLIPS).is_file():  # it is written last
        return
    s = demo.settings
    demo.say("rendering scenes")
    simulate_clips(
        demo.out / CLIPS.parent,
        clips_per_action=s.clips_per_action,
        frames=s.frames,
        fps=s.fps,
        sides=s.sides,
        large_side=s.large_side,
        splits=s.splits,
        seed=s.seed,
    )


def _train(demo: Demo, name: str, recipe: Recipe) -> None:
    folder = demo.out / name
    if _run_facts(folder).get("complete"):
        return
    demo.say(f"training {name}: {iterations(recipe)} iterations")
    files = ClipFiles(demo.out / CLIPS, demo.out / LARGE)
    train(recipe, Order(files, folder, cache=demo.out / CACHE, cpu=demo.cpu))


def _run_facts(folder: Path) -> dict[str, Any]:
    """A run's own summary; empty before there is one."""
    path = folder / SUMMARY
    if not path.is_file() or not (folder / "model").is_dir():
        return {}
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DemoError(f"{path}: damaged ({error}); delete {folder} to train again") from error
    return facts


def _measure(demo: Demo, began: float) -> tuple[Outcome, Path, Path]:
    """Everything that is measured on the test split, and the two pictures of the page."""
    manifest, large = read_manifest(demo.out / CLIPS), read_manifest(demo.out / LARGE)
    device = "cpu" if demo.cpu else "auto"
    # float32: a map and PSNR lose digits in half precision, and these numbers are compared.
    recognizers = {name: load(demo.out / name, device=device, precision="float32") for name in RUNS}
    found = {name: _evaluate(demo, name, recognizers[name], manifest) for name in RUNS}
    predictions = {name: one[0] for name, one in found.items()}
    targets_NK = predictions[METHOD].known_targets()
    gain = paired_difference(
        MeanAveragePrecision(),
        predictions[BICUBIC].logits_NK,
        predictions[METHOD].logits_NK,
        targets_NK,
        predictions[METHOD].sources,
    )
    method = recognizers[METHOD].inference
    attention = measure_attention(method, manifest, "test", cache=demo.cache)
    assert attention is not None  # the recipe asks for the branch
    strip = draw_strip(method, manifest, large, demo.out / "pictures" / "strip.png")
    demo.say("recognising one clip")
    recognised, picture = _recognise(demo, recognizers[METHOD], manifest)
    clips = demo.settings.recipe(METHOD).clips
    outcome = Outcome(
        about=NOTE,
        seed=demo.settings.seed,
        clips={split: len(manifest.of(split)) for split in ("train", "val", "test")},
        sides=(clips.size, clips.full),
        method=_scores(demo, METHOD, found[METHOD][1]),
        bicubic=_scores(demo, BICUBIC, found[BICUBIC][1]),
        chance=chance_of(targets_NK),
        gain=gain.interval,
        quality=_quality(demo, method, large),
        attention=attention,
        recognised=recognised,
        precision=str(_run_facts(demo.out / METHOD)["precision"]),
        seconds=round(time.monotonic() - began, 1),
    )
    return outcome, strip, picture


def _evaluate(
    demo: Demo, name: str, recognizer: ActionRecognizer, manifest: Manifest
) -> tuple[Predictions, Report]:
    predictions = predict(recognizer.inference, manifest, "test", cache=demo.cache)
    report = report_on(predictions)
    write_report(demo.out / "evaluation" / name, report, predictions)
    return predictions, report


def _scores(demo: Demo, name: str, report: Report) -> Scores:
    facts = _run_facts(demo.out / name)
    many = report.multi_label
    assert many is not None  # the recipes say labels: multi
    return Scores(
        iterations=sum(phase["steps"] for phase in facts["phases"].values()),
        seconds=round(sum(phase["seconds"] for phase in facts["phases"].values()), 1),
        parameters=facts["parameters"],
        gmac=facts["gmac"],
        f1_macro=report.intervals["macro"],
        mean_average_precision=report.intervals["mean_average_precision"],
        per_class=tuple(
            ClassScore(one.name, one.positives, one.f1, precision)
            for one, precision in zip(many.f1.per_class, many.average_precision, strict=True)
        ),
    )


def _quality(demo: Demo, method: Inference, large: Manifest) -> dict[str, Quality]:
    """PSNR and SSIM on unseen large clips, which the model itself is not made for."""
    method.preprocess = demo.settings.recipe(METHOD).clips.preprocess_large()
    found = quality(method, large, "test", cache=demo.cache)
    method.preprocess = method.spec.preprocess
    assert found is not None  # the recipe has a super-resolution network
    return found


def _recognise(
    demo: Demo, recognizer: ActionRecognizer, manifest: Manifest
) -> tuple[Recognised, Path]:
    """The first test clip, as `tinyvirat recognize` would."""
    record = manifest.of("test")[0]
    prediction = recognizer.recognize(manifest.file(record))[0]
    still, _ = render(recognizer, prediction, demo.out / "recognised" / record.id)
    named = Recognised(
        clip=str(Path(CLIPS.parent, record.path).as_posix()),
        truth=record.labels,
        labels=prediction.labels,
        scores={label: round(score, 4) for label, score in prediction.top(len(prediction.scores))},
    )
    return named, still
