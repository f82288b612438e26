"""Checkpoint files from elsewhere, read without running anything that is in them."""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from tinyvirat.models.importers.rebuild import COUNTER, ImportWeightsError

MAX_BYTES = 4 << 30
"""Largest file, and largest sum of tensors in it. The largest network here has half a gigabyte."""

MAX_DEPTH = 8
MAX_ENTRIES = 100_000
WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Where projects put the weights beside epoch, optimiser and options, which are left out."""

TORCH_MAGIC = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
"""Pickled at the beginning of files of `torch.save` from before PyTorch 1.6."""

RESAVE = (
    "re-save its weights alone where you trust it: "
    "torch.save({k: v for k, v in network.state_dict().items()}, 'weights.pt')"
)


def read_foreign(path: Path) -> dict[str, Tensor]:
    """Reads the tensors of a checkpoint file; nothing in it can be executed.

    Understood, by content and not by suffix: files of `torch.save` (`.pt`, `.pth`, `.pth.tar`)
    with tensors only, `.safetensors`, `.npz`, and pickles of numpy arrays. Of a training checkpoint
    only the weights are kept. Nested dictionaries are flattened, names joined with `/`.

    Args:
        path: the file.

    Returns:
        Names to tensors on the CPU, in the file's dtype.

    Raises:
        ImportWeightsError: the file cannot be read, holds anything but tensors, or is too large.
    """
    path = Path(path)
    if not path.is_file():  # A pipe or a device could be read forever.
        raise ImportWeightsError(f"{path}: no such file")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ImportWeightsError(f"{path}: {size} bytes; at most {MAX_BYTES} are read")
        content = _reader(path)(path)
    except ImportWeightsError:
        raise
    except Exception as error:  # The readers' parsers raise almost anything on damaged files.
        first = (str(error).splitlines() or [""])[0]
        raise ImportWeightsError(
            f"{path}: not a readable checkpoint ({type(error).__name__}: {first})"
        ) from error
    return tensors_in(content, str(path))


def tensors_in(content: object, where: str) -> dict[str, Tensor]:
    """The weights in a loaded checkpoint, flat, checked to be tensors of real numbers.

    Args:
        content: nested dictionaries of tensors and numpy arrays, perhaps in one of `WRAPPERS`.
        where: what errors name as the origin.

    Raises:
        ImportWeightsError: there is something else in it, or too much, or nothing.
    """
    if not isinstance(content, Mapping):
        raise ImportWeightsError(f"{where} holds a {type(content).__name__}, not names and tensors")
    for key in WRAPPERS:
        inner = content.get(key)
        if isinstance(inner, Mapping):
            content = inner
            break
    flat: dict[str, Tensor] = {}
    _flatten(content, (), flat, [0], where)
    if not flat:
        raise ImportWeightsError(f"{where} holds no tensors")
    if sum(tensor.numel() * tensor.element_size() for tensor in flat.values()) > MAX_BYTES:
        raise ImportWeightsError(f"{where} holds tensors of more than {MAX_BYTES} bytes")
    if all(name.startswith("module.") for name in flat):
        flat = {name.removeprefix("module."): tensor for name, tensor in flat.items()}
    return flat


def _flatten(
    content: Mapping[Any, Any],
    above: tuple[str, ...],
    flat: dict[str, Tensor],
    seen: list[int],
    where: str,
) -> None:
    """Fills `flat`. A crafted dictionary may hold itself: depth and visits are limited."""
    for key, value in content.items():
        seen[0] += 1
        if len(above) >= MAX_DEPTH or seen[0] > MAX_ENTRIES:
            raise ImportWeightsError(
                f"{where} is nested deeper than {MAX_DEPTH} or has over {MAX_ENTRIES} entries"
            )
        if not isinstance(key, str):
            raise ImportWeightsError(f"{where} has a name that is not text: {str(key)[:80]}")
        path = (*above, key)
        if isinstance(value, Mapping):
            _flatten(value, path, flat, seen, where)
        else:
            name = "/".join(path)
            flat[name] = _tensor(value, name, where)


def _tensor(value: object, name: str, where: str) -> Tensor:
    """`value` as an ordinary tensor of floating-point numbers (or a counter)."""
    if isinstance(value, PickledArray):
        try:
            value = value.array()
        except ValueError as error:
            raise ImportWeightsError(f"{where}: {name!r} is {error}") from None
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        native = value.astype(value.dtype.newbyteorder("="), copy=False)
        # Read-only memory would make PyTorch warn; a copy here is one copy more than needed.
        value = torch.from_numpy(native if native.flags.writeable else native.copy())
    if not isinstance(value, Tensor):
        found = getattr(value, "dtype", type(value).__name__)
        raise ImportWeightsError(f"{where}: {name!r} is {found}, not a tensor of real numbers")
    ordinary = value.layout == torch.strided and value.device.type != "meta"
    if name.endswith(COUNTER) and ordinary and not value.is_complex():
        return value
    if not ordinary or not value.is_floating_point() or value.ndim == 0 or value.numel() == 0:
        raise ImportWeightsError(
            f"{where}: {name!r} is {value.dtype} of shape {tuple(value.shape)}; weights are dense "
            "floating-point tensors with at least one element"
        )
    return value


def _reader(path: Path) -> Callable[[Path], object]:
    with path.open("rb") as file:
        head = file.read(32)
    if head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > MAX_BYTES:
            raise ImportWeightsError(f"{path}: unpacks to {unpacked} bytes, over {MAX_BYTES}")
        return _read_npz if all(m.filename.endswith(".npy") for m in members) else _read_torch
    if TORCH_MAGIC in head:
        return _read_torch
    if head[8:9] == b"{":
        return _read_safetensors
    return _read_pickle


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        match = re.search(r"(?:GLOBAL|global|class)\W+([\w.]+)", str(error))
        named = f" ({match[1]})" if match else ""
        raise ImportWeightsError(
            f"{path}: holds objects besides tensors{named}, which could run code; {RESAVE}"
        ) from error


def _read_safetensors(path: Path) -> object:
    from safetensors.torch import load_file

    return load_file(path)


def _read_npz(path: Path) -> object:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_pickle(path: Path) -> object:
    # Python 2 wrote raw bytes as text: latin1 gives the bytes back one to one.
    return ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()


class PickledArray:
    """A numpy array as its pickle describes it, checked before numpy sees a byte of it."""

    __slots__ = ("state",)

    def __setstate__(self, state: object) -> None:
        self.state = state

    def array(self) -> np.ndarray[Any, Any]:
        """The array, read-only.

        Raises:
            ValueError: it is not plain numbers, or its shape disagrees with its data.
        """
        match getattr(self, "state", None):
            case (_, tuple(shape), PickledDType() as dtype, bool(fortran), bytes() | str() as raw):
                data = raw.encode("latin1") if isinstance(raw, str) else raw
                plain = dtype.plain()
                sizes = all(type(n) is int and n >= 0 for n in shape)
                if sizes and math.prod(shape) * plain.itemsize == len(data):
                    order: Any = "F" if fortran else "C"
                    return np.frombuffer(data, plain).reshape(shape, order=order)
        raise ValueError("an array whose shape, type and data do not fit together")


class PickledDType:
    """A numpy data type as its pickle describes it."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        match state:
            case (int(), "<" | ">" | "|" | "=" as order, *_):
                self.order = "=" if order == "|" else order

    def plain(self) -> np.dtype[Any]:
        """The data type.

        Raises:
            ValueError: it is not an integer or a floating-point number.
        """
        if not isinstance(self.code, str) or not re.fullmatch(r"f[248]|[iu][1248]", self.code):
            raise ValueError(f"an array of type {str(self.code)[:40]!r}, not of real numbers")
        return np.dtype(f"{self.order}{self.code}")


class ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of numpy arrays; refuses every name but the three that such pickles need.

    Even those three are not numpy's own: their C code trusts what a pickle says of an array. The
    stand-ins only note it, so that `PickledArray` can check it.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return RECONSTRUCT
        elif module == "numpy" and name in ("ndarray", "dtype"):
            return NDARRAY if name == "ndarray" else DTYPE
        raise pickle.UnpicklingError(
            f"it refers to {module}.{name}; only numpy arrays are read, because anything else "
            "could run code: save the arrays as .npz or .safetensors instead"
        )


class _StandIn:
    """A name of numpy's in a pickle. Without attributes, so that no pickle can change it."""

    __slots__ = ()


class _NDArray(_StandIn):
    __slots__ = ()


class _Reconstruct(_StandIn):
    __slots__ = ()

    def __call__(self, kind: object, *_: object) -> PickledArray:
        if kind is not NDARRAY:
            raise pickle.UnpicklingError("an array of a kind other than numpy.ndarray")
        return PickledArray()


class _DType(_StandIn):
    __slots__ = ()

    def __call__(self, code: object, *_: object) -> PickledDType:
        return PickledDType(code)


NDARRAY: Final = _NDArray()
RECONSTRUCT: Final = _Reconstruct()
DTYPE: Final = _DType()
