"""A traced program as an ONNX file in operators that every runtime computes alike."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from onnxscript import ir
from torch.export import ExportedProgram

from tinyvirat import __version__
from tinyvirat.export.program import without_stack_traces
from tinyvirat.models.engines import INPUT, KEY, OUTPUT

OPSET = 20
BATCH = "batch"
MODES = {"cubic": "bicubic", "linear": "bilinear"}


def to_onnx(program: ExportedProgram, description: str) -> bytes:
    """A program with its description as one self-contained ONNX file.

    Args:
        program: one input, one output, its first dimension dynamic.
        description: JSON, kept under the key `tinyvirat`.

    Returns:
        The bytes of the file.
    """
    model = _converted(program)
    _replace_antialiased(model.graph)
    _tidy(model)
    model.metadata_props[KEY] = description
    model.producer_name, model.producer_version = "tinyvirat", __version__
    data: bytes = ir.to_proto(model).SerializeToString()
    return data


def _converted(program: ExportedProgram) -> ir.Model:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it says that torchvision, which nothing here needs, is absent
    try:
        with warnings.catch_warnings(), without_stack_traces():
            warnings.simplefilter("ignore")
            converted = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert converted is not None
    return converted.model


def _replace_antialiased(graph: ir.Graph) -> None:
    """Antialiased resizes as products with two constant matrices.

    OpenVINO reads such a resize without its antialiasing, and others do not read it at all.
    """
    for node in list(graph):
        antialias = node.attributes.get("antialias")
        if node.op_type != "Resize" or antialias is None or not antialias.as_int():
            continue
        image, resized = node.inputs[0], node.outputs[0]
        assert image is not None and image.shape is not None and resized.shape is not None
        mode = MODES[node.attributes["mode"].as_string()]
        columns = resize_matrix(_fixed(image, -1), _fixed(resized, -1), mode)
        rows = resize_matrix(_fixed(image, -2), _fixed(resized, -2), mode)
        across = _product(
            graph, node, image, _constant(graph, columns.T, f"{resized.name}_columns")
        )
        down = _product(graph, node, _constant(graph, rows, f"{resized.name}_rows"), across)
        down.shape, down.type, down.name = resized.shape, resized.type, resized.name
        resized.replace_all_uses_with(down)
        graph.remove(node, safe=True)


def resize_matrix(length: int, size: int, mode: str) -> NDArray[np.float32]:
    """What an antialiased resize of floats does to one axis, (size, length): its answer to every
    single pixel."""
    single_1LL = torch.eye(length)[None, None]
    shape = (size, length)
    resized = F.interpolate(single_1LL, size=shape, mode=mode, antialias=True, align_corners=False)
    matrix: NDArray[np.float32] = resized[0, 0].numpy()
    return matrix


def _fixed(value: ir.Value, axis: int) -> int:
    assert value.shape is not None
    size = value.shape[axis]
    assert isinstance(size, int)
    return size


def _constant(graph: ir.Graph, array: NDArray[np.float32], name: str) -> ir.Value:
    value = ir.val(name, const_value=ir.tensor(np.ascontiguousarray(array), name=name))
    graph.register_initializer(value)
    return value


def _product(graph: ir.Graph, before: ir.Node, left: ir.Value, right: ir.Value) -> ir.Value:
    node = ir.node("MatMul", [left, right])
    graph.insert_before(before, node)
    return node.outputs[0]


def _tidy(model: ir.Model) -> None:
    """Takes out what tells of this machine, and gives the dynamic dimension its name."""
    symbol = model.graph.inputs[0].shape
    assert symbol is not None
    generated = str(symbol[0])
    made = (value for node in model.graph for value in node.outputs)
    for value in (*model.graph.inputs, *model.graph.initializers.values(), *made):
        value.metadata_props.clear()
        if value.shape is not None:
            value.shape = ir.Shape(
                [
                    size if isinstance(size, int) else str(size.value).replace(generated, BATCH)
                    for size in value.shape
                ]
            )
    for one in (model, model.graph, *model.graph):
        one.metadata_props.clear()
        one.doc_string = None
