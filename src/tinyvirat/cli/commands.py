"""The tree of commands: every name, where its function is, and one line about it.

A command is one function; its signature is its command line (see `tinyvirat.cli.parser`). Adding
one is one line in `COMMANDS`. Only the module of the command that runs is imported, so that the
rest costs nothing at start.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

COMMANDS: dict[str, tuple[str, str]] = {
    "data prepare folder": (
        "tinyvirat.cli.data:prepare_folder",
        "make a manifest of a folder with one sub-folder a class",
    ),
    "data prepare tinyvirat": (
        "tinyvirat.cli.prepare:tinyvirat",
        "make a manifest of TinyVIRAT as downloaded",
    ),
    "data prepare tinyvirat-v2": (
        "tinyvirat.cli.prepare:tinyvirat_v2",
        "make a manifest of TinyVIRAT-v2, with its unlabelled test clips",
    ),
    "data prepare ucf101": (
        "tinyvirat.cli.prepare:ucf101",
        "make a manifest of UCF-101 from its official lists",
    ),
    "data prepare hmdb51": (
        "tinyvirat.cli.prepare:hmdb51",
        "make a manifest of HMDB-51 from its official lists",
    ),
    "data build-virat": (
        "tinyvirat.cli.build:build_virat",
        "build TinyVIRAT, or a data set like it, from annotated videos",
    ),
    "data protocols": (
        "tinyvirat.cli.prepare:protocols",
        "list the low resolutions of the paper's tables",
    ),
    "data submit": (
        "tinyvirat.cli.submit:submit",
        "write the TinyAction challenge's answer file",
    ),
    "data check": (
        "tinyvirat.cli.check:check",
        "decode every clip and look for what is wrong with a data set",
    ),
    "data stats": (
        "tinyvirat.cli.stats:stats",
        "count a data set and draw it, after the paper's tables and figures",
    ),
    "recognize": (
        "tinyvirat.cli.recognize:recognize",
        "say who does what in videos, streams, cameras and clips",
    ),
    "train": ("tinyvirat.cli.train:train", "train as a recipe says; resumes"),
    "finetune": (
        "tinyvirat.cli.finetune:finetune",
        "train a model on classes of your own, in one command",
    ),
    "reproduce": (
        "tinyvirat.cli.reproduce:reproduce",
        "run a table of the paper, and set it beside what is printed",
    ),
    "evaluate": ("tinyvirat.cli.evaluate:evaluate", "score a model on a manifest's clips"),
    "results": (
        "tinyvirat.cli.results:results",
        "write the page of measured results from the runs' files",
    ),
    "export": (
        "tinyvirat.cli.export:export",
        "write a model as a file for ONNX Runtime, OpenVINO or torch.export",
    ),
    "bench": (
        "tinyvirat.cli.bench:bench",
        "measure networks, training and commands against the published ones and the machine",
    ),
    "app": (
        "tinyvirat.cli.app:app",
        "show a page to try recognition on, and to teach it",
    ),
    "serve": ("tinyvirat.cli.serve:serve", "answer over HTTP"),
    "models": ("tinyvirat.cli.models:models", "list the networks, with parameters and cost"),
    "weights fetch": (
        "tinyvirat.cli.weights:fetch",
        "bring pretrained weights, pinned by hash",
    ),
    "weights import": (
        "tinyvirat.cli.weights:import_weights",
        "turn somebody else's checkpoint into a model folder",
    ),
    "demo": (
        "tinyvirat.cli.demo:demo",
        "render, train, measure and show it all, without data or a connection",
    ),
    "doctor": ("tinyvirat.cli.doctor:doctor", "say what this machine can do, and what is missing"),
}
"""Words of the command to (`module:function`, summary), in the order in which help shows them."""

GROUPS: dict[str, str] = {
    "weights": "pretrained weights",
    "data": "prepare data sets, check them and look at them",
    "data prepare": "make the manifest of a data set",
}
"""Words that only lead to commands, and what those commands are about."""


def find(words: list[str]) -> tuple[str, list[str]]:
    """The longest command or group that `words` begin with, and the words after it.

    The name is `""`, the group of everything, when the first word is neither.
    """
    name = ""
    for used in range(1, len(words) + 1):
        longer = " ".join(words[:used])
        if longer not in COMMANDS and longer not in GROUPS:
            return name, words[used - 1 :]
        name = longer
    return name, []


def children(group: str) -> dict[str, str]:
    """The commands and groups directly under `group` (`""` is the top), as last word to summary."""
    prefix = f"{group} " if group else ""
    summaries = GROUPS | {name: summary for name, (_, summary) in COMMANDS.items()}
    order = [*COMMANDS, *GROUPS]
    below = [name.removeprefix(prefix) for name in order if name.startswith(prefix)]
    words = dict.fromkeys(rest.split(" ")[0] for rest in below)
    return {word: summaries[prefix + word] for word in words}


def load(name: str) -> Callable[..., Any]:
    """Imports the function of the command `name`."""
    module, function = COMMANDS[name][0].split(":")
    command: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return command
