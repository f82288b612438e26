"""Exports every network of the zoo at its full size, and writes the table of docs/deploy.md.

    python benchmarks/export_zoo.py docs/deploy.md [NAME ...]

Weights are fresh, with settled batch norms: what is measured is whether each engine computes what
PyTorch computes, how large the file is, and how long writing and trying it takes. Super-resolution
networks are put before a 3D ResNet-18, classifiers after a bicubic enlargement.
"""

import sys
import tempfile
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

from tinyvirat.common.files import write_text
from tinyvirat.export.run import Written, export_model
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import Model, ModelSpec, save_model
from tinyvirat.models.zoo import ZOO, ZooEntry
from tinyvirat.training.journal import environment
from tinyvirat.video.sampling import AllWindows

FORMATS = ("onnx", "openvino", "pt2")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CLASSIFIER = ResNet3DConfig(18, 26, "A")


def main(page: Path, names: list[str]) -> None:
    """Exports what is named, or everything, and replaces the table between the page's marks."""
    rows = []
    for name in names or ZOO:
        with tempfile.TemporaryDirectory() as folder:
            save_model(Path(folder), recogniser(name, ZOO[name]))
            found = {}
            for format in FORMATS:
                (found[format],) = export_model(folder, format)
                print(name, format, found[format], file=sys.stderr, flush=True)
                found[format].path.unlink()
        rows.append(row(name, ZOO[name].side, found))
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    write_text(page, f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


def recogniser(name: str, entry: ZooEntry) -> Model:
    """The entry as a whole recogniser with fresh weights."""
    config, side = entry.config, entry.side
    if not isinstance(config, RecognizerConfig):
        if hasattr(config, "num_classes"):
            config, side = RecognizerConfig(config, None, side=side), 28
        else:
            mask = bool(getattr(config, "attention", False))
            config = RecognizerConfig(CLASSIFIER, config, zero_to_one=True, mask=mask)
    torch.manual_seed(0)
    network = config.build()
    settle(network, side)
    labels = tuple(f"class {k}" for k in range(config.classifier.num_classes))
    preprocess = Preprocess(side, full=None, short_side=None, fit="pad")
    return Model(ModelSpec(name, config, labels, True, preprocess, AllWindows(16)), network)


def settle(network: nn.Module, side: int) -> None:
    """Gives every batch norm the statistics of two clips, so that no layer's output explodes."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.rand(2, 3, 16, side, side) * 2 - 1)
    network.eval()


def row(name: str, side: int, found: dict[str, Written]) -> str:
    """One line of the table."""
    differences = " | ".join(f"{found[format].difference:.0e}" for format in FORMATS)
    seconds = " | ".join(f"{found[format].seconds:.0f}" for format in FORMATS)
    return f"| {name} | {found['onnx'].size / 1e6:.1f} | {differences} | {seconds} |"


def table(rows: list[str]) -> str:
    """The table with what it was made on."""
    facts = environment()
    made = f"torch {torch.__version__}, {facts['threads']} threads"
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("onnxruntime", "openvino"))
    return "\n".join(
        [
            "Made by `python benchmarks/export_zoo.py docs/deploy.md` at commit",
            f"{facts['commit']}, tinyvirat {facts['tinyvirat']},",
            f"{made}, {versions}, {facts['processor']}, {facts['time']}; do not edit.",
            "",
            f"| network | ONNX, MB | {' | '.join(f'{f}: difference' for f in FORMATS)} "
            f"| {' | '.join(f'{f}: s' for f in FORMATS)} |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
