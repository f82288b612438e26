"""`tinyvirat export`: a model as a file for ONNX Runtime, OpenVINO or `torch.export`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tinyvirat.export.run import Written


def export(
    run: str,
    *,
    format: Literal["onnx", "openvino", "pt2"],
    out: Path | None = None,
    frame_size: tuple[int, int] | None = None,
    json: bool = False,
) -> int:
    """Writes a model as a file for other engines, with its labels and thresholds inside.

    The file takes uint8 frames, any number of clips at once, and gives logits. It holds
    super-resolution, attention where it is used, and the classifier. It is tried before it is kept:
    logits that differ from PyTorch's by more than 1e-4 of their range are an error. A model that
    takes clips of several sides gives a file for each.

    Args:
        run: a run's or a model's folder, or the name of fetched weights.
        format: onnx, openvino (an .xml with its .bin) or pt2 (torch.export).
        out: the file, or a folder; default: the folder exported within the model's, where
            `tinyvirat recognize --engine` finds it.
        frame_size: height and width of frames as decoded; the fitting and resizing are then in the
            file too. Default: frames that have been fitted to the model's input side.
        json: print what was written as JSON instead of a table.
    """
    from tinyvirat.export.run import export_model

    written = export_model(run, format, out=out, frame_size=frame_size)
    if json:
        from tinyvirat.common.plain import to_plain

        print(json_module.dumps(to_plain(written), indent=1))
    else:
        _show(written)
    return 0


def _show(written: list[Written]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    table = Table(
        Column("file", overflow="fold"),
        "takes uint8 frames",
        Column("MB", justify="right"),
        Column("difference", justify="right"),
        Column("seconds", justify="right"),
    )
    for one in written:
        kind = "fitted" if one.takes.prepared else "as decoded"
        shape = f"B x {one.takes.frames} x {one.takes.height} x {one.takes.width} x 3, {kind}"
        table.add_row(
            escape(str(one.path)),
            shape,
            f"{one.size / 1e6:.1f}",
            f"{one.difference:.1e}",
            f"{one.seconds:.1f}",
        )
    Console().print(table)
