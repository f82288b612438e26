"""What a plan is run on: manifests, made of a data set's folder where needed, and weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from tinyvirat.common.files import sha256_of
from tinyvirat.datasets.health.quarantine import quarantine_file
from tinyvirat.datasets.manifest import Manifest
from tinyvirat.datasets.published import (
    Listing,
    list_hmdb51,
    list_tinyvirat,
    list_ucf101,
    prepare,
    write_prepared,
)
from tinyvirat.models.saved import ModelError, model_folder
from tinyvirat.reproduce.errors import ReproduceError
from tinyvirat.reproduce.named import Dataset
from tinyvirat.reproduce.plan import Plan
from tinyvirat.training.data import ClipFiles

MANIFESTS = {
    "tinyvirat": "tinyvirat.jsonl",
    "ucf101": "ucf101_split1.jsonl",
    "hmdb51": "hmdb51_split1.jsonl",
}
"""Where the manifest of a data set's folder is written, in that folder."""

WEIGHTS = {
    "i3d-charades": "pytorch-i3d",
    "resnet50-kinetics": "3d-resnets-2018",
    "wide-resnet50-kinetics": "3d-resnets-2018",
}
"""Weights that the paper starts from, with the layout to import them by: nobody may ship them."""


@dataclass(frozen=True)
class Sources:
    """The clips of a plan.

    Attributes:
        files: their manifests.
        clips: training clips that have labels.
        sr_clips: training clips that give pairs.
        tested: clips of the test split.
        classes: how many.
        sha256: of the manifest of labelled clips.
        labelled: checksum of these and of what is in quarantine beside them.
        digest: the same of all clips, those that give pairs too.
    """

    files: ClipFiles
    clips: int
    sr_clips: int
    tested: int
    classes: int
    sha256: str
    labelled: str
    digest: str


def open_sources(plan: Plan, files: ClipFiles) -> Sources:
    """Reads, or first makes, the manifests of a plan.

    Args:
        plan: the plan.
        files: where the clips are; `data` may be the folder of the table's data set, in which the
            manifest is then written.

    Raises:
        TinyviratError: a manifest or folder that cannot be used; tiny clips are to give pairs.
    """
    tiny = [row.key for row in plan.rows if row.recipe.clips.tiny and row.recipe.super_resolution]
    if tiny and files.sr_data is None:
        raise ReproduceError(
            f"the rows {', '.join(tiny)} learn super-resolution, and their clips are tiny: they "
            "give no high-resolution truth. Name a manifest of larger clips with --sr-data (of "
            "VIRAT: `tinyvirat data build-virat`), or choose other rows with --rows"
        )
    if files.data.is_dir():
        if files.root is not None:
            raise ReproduceError(
                f"{files.data}: is a folder; {files.root} as root is for a manifest, leave it out"
            )
        files = replace(files, data=_manifest(plan, files.data))
    found = files.read()
    manifest, large = found["data"], found["sr_data"]
    _refuse_unlabelled(manifest)
    return Sources(
        files=files,
        clips=len(manifest.of("train")),
        sr_clips=len(large.of("train")),
        tested=len(manifest.of("test")),
        classes=len(manifest.labels),
        sha256=sha256_of(manifest.path),
        labelled=_digest([manifest]),
        digest=_digest([manifest] if large is manifest else [manifest, large]),
    )


def _refuse_unlabelled(manifest: Manifest) -> None:
    """Says before days of training that there is nothing to score them by.

    Raises:
        ReproduceError: no clip of the test split has a label.
    """
    tested = manifest.of("test")
    if not any(record.labels for record in tested):
        raise ReproduceError(
            f"{manifest.path}: none of the {len(tested)} clips of its test split has a label, and "
            "rows are scored on that; name a manifest whose test split is labelled, or train and "
            "answer with `tinyvirat train` and `tinyvirat data submit`"
        )


def _manifest(plan: Plan, root: Path) -> Path:
    """The manifest of a data set's folder, made when it is first asked for."""
    dataset = plan.text.dataset
    if dataset is None:
        raise ReproduceError(f"{root}: is a folder; {plan.name} takes a manifest")
    path = root / MANIFESTS[dataset]
    if not path.is_file():
        write_prepared(path, prepare(_listing(dataset, root), path))
    return path


def _listing(dataset: Dataset, root: Path) -> Listing:
    if dataset == "tinyvirat":
        return list_tinyvirat(root)
    return list_ucf101(root) if dataset == "ucf101" else list_hmdb51(root)


def _digest(manifests: list[Manifest]) -> str:
    """A checksum of manifests and of what is in quarantine beside them."""
    paths = [one.path for one in manifests]
    beside = [quarantine_file(path) for path in paths]
    sums = [sha256_of(path) if path.is_file() else "" for path in (*paths, *beside)]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def check_weights(plan: Plan) -> None:
    """Makes sure, before work begins, that the weights that rows start from are here.

    Raises:
        ReproduceError: names those that are not, and how to get them.
    """
    starts: dict[str, list[str]] = {}
    wanted: dict[str, list[str]] = {}
    for row in plan.rows:
        teacher = None if row.teacher is None else row.teacher.recipe
        for recipe in (row.recipe, row.before, teacher):
            if recipe is None:
                continue
            if recipe.weights is not None and (recipe.phase2 or recipe.phase3):
                starts.setdefault(recipe.weights, []).append(row.key)
                wanted.setdefault(recipe.weights, []).append(row.key)
            if recipe.phase1 is not None and recipe.phase1.feature_loss is not None:
                wanted.setdefault(recipe.phase1.feature_loss.weights, []).append(row.key)
    missing = [name for name in wanted if not _is_here(name)]
    if missing:
        lines = [f"{name}: rows {', '.join(wanted[name])}; {_remedy(name)}" for name in missing]
        absent = {name: starts[name] for name in missing if name in starts}
        raise ReproduceError(
            f"weights that rows need are not here. {'. '.join(lines)}{_instead(absent, plan)}"
        )


def _instead(absent: dict[str, list[str]], plan: Plan) -> str:
    """What rows can start from instead of weights that are not here."""
    if not absent:
        return ""
    others = ["--set weights=null for fresh ones"]
    rows = absent.get("i3d-charades", [])
    if rows:
        start = ("weights=i3d-kinetics400", "classifier.input_size=224")
        all_rows = {row.key for row in plan.rows} <= set(rows)
        own = start if all_rows else [f"'{row}:{one}'" for row in rows for one in start]
        others.insert(0, f"--set {' '.join(own)}")
    return f". Or let these rows start from others: {', or '.join(others)}; the table then says so"


def _remedy(name: str) -> str:
    """How to get weights."""
    layout = WEIGHTS.get(name)
    if layout is None:
        return f"`tinyvirat weights fetch {name}`, or name a model's folder"
    return (
        f"import the published checkpoint: tinyvirat weights import FILE --layout {layout} "
        f"--labels CLASSES.txt --name {name}"
    )


def _is_here(name: str) -> bool:
    try:
        model_folder(name)
    except ModelError:
        return False
    return True
