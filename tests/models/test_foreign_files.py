"""Checkpoint files of others: each format is read, nothing in it is run, damage is an error."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from tinyvirat.models.importers import ImportWeightsError, foreign, read_foreign

WEIGHTS = {
    "conv.weight": torch.arange(12, dtype=torch.float32).reshape(2, 3, 2),
    "conv.bias": torch.tensor([0.5, -0.5], dtype=torch.float64),
    "norm.num_batches_tracked": torch.tensor(7),
}
ARRAYS = {name: tensor.numpy() for name, tensor in WEIGHTS.items()}


def to_pickle(path: Path, content: object, protocol: int = 4) -> None:
    path.write_bytes(pickle.dumps(content, protocol=protocol))


def to_legacy(path: Path, content: object) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "new.pt": lambda path: torch.save(WEIGHTS, path),
    "old.pth": lambda path: to_legacy(path, WEIGHTS),
    "w.safetensors": lambda path: save_file(WEIGHTS, path),
    "w.npz": lambda path: np.savez(path, **ARRAYS),
    "packed.npz": lambda path: np.savez_compressed(path, **ARRAYS),
    "3.pkl": lambda path: to_pickle(path, ARRAYS, 3),
    "4.ckpt": lambda path: to_pickle(path, ARRAYS, 4),
}


def same(got: dict[str, torch.Tensor]) -> None:
    assert got.keys() == WEIGHTS.keys()
    for name, tensor in WEIGHTS.items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor), name


@pytest.mark.parametrize("name", WRITERS)
def test_reads_every_format(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    same(read_foreign(tmp_path / name))


@pytest.mark.parametrize("name", WRITERS)
def test_content_decides_and_not_the_suffix(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    renamed = (tmp_path / name).rename(tmp_path / "weights.bin")
    same(read_foreign(renamed))


@pytest.mark.parametrize("save", [torch.save, lambda c, path: to_legacy(path, c)])
@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_of_a_training_checkpoint_only_the_weights_are_taken(
    tmp_path: Path, save: Callable[[object, Path], None], key: str
) -> None:
    path = tmp_path / "save_200.pth.tar"
    parallel = OrderedDict((f"module.{name}", t) for name, t in WEIGHTS.items())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
    save({"epoch": 200, "arch": "resnet-50", key: parallel, "o": optimizer.state_dict()}, path)
    same(read_foreign(path))


def test_nested_dictionaries_are_joined(tmp_path: Path) -> None:
    nested = {"params": {"a/b": {"kernel": np.ones((1, 2), np.float32)}}, "stats": {"mean": [1.0]}}
    nested["stats"]["mean"] = np.zeros(3)
    to_pickle(tmp_path / "w.ckpt", nested)
    got = read_foreign(tmp_path / "w.ckpt")
    assert {name: tuple(t.shape) for name, t in got.items()} == {
        "params/a/b/kernel": (1, 2),
        "stats/mean": (3,),
    }


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
        np.arange(6, dtype=np.float16)[::2],
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
    ],
    ids=["big-endian", "Fortran", "strided", "transposed"],
)
def test_arrays_of_any_order_keep_their_values(tmp_path: Path, array: np.ndarray) -> None:
    to_pickle(tmp_path / "w.pkl", {"w": array})
    np.savez(tmp_path / "w.npz", w=array)
    for name in ("w.pkl", "w.npz"):
        np.testing.assert_array_equal(read_foreign(tmp_path / name)["w"].numpy(), array)


def test_reads_arrays_pickled_by_python_2(tmp_path: Path) -> None:
    # What Python 2 wrote at protocol 2: names of the old numpy, the bytes of the data as text.
    raw = np.array([1.5, -2.25], "<f4").tobytes()
    body = (
        b"\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U" + bytes([len(raw)]) + raw + b"tbs."
    )
    (tmp_path / "w.pkl").write_bytes(body)
    assert read_foreign(tmp_path / "w.pkl")["w"].tolist() == [1.5, -2.25]


class Evil:
    """Unpickled by an ordinary reader, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def object_npz(path: Path, evil: Evil) -> None:
    np.savez(path, w=np.array([evil], dtype=object))


ATTACKS: dict[str, Callable[[Path, Evil], Any]] = {
    "pickle": lambda path, evil: to_pickle(path, {"w": evil}),
    "pickle, protocol 0": lambda path, evil: to_pickle(path, {"w": evil}, 0),
    "torch": lambda path, evil: torch.save({"state_dict": {"w": evil}}, path),
    "torch, legacy": lambda path, evil: to_legacy(path, {"state_dict": {"w": evil}}),
    "npz": object_npz,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_in_a_file_is_executed(tmp_path: Path, name: str) -> None:
    path, marker = tmp_path / "w.pt", tmp_path / "marker"
    if name == "npz":
        path = path.with_suffix(".npz")
    ATTACKS[name](path, Evil(marker))
    with pytest.raises(ImportWeightsError) as caught:
        read_foreign(path)
    assert str(caught.value).startswith(str(path))
    assert not marker.exists()


@pytest.mark.parametrize("name", ["pickle", "torch, legacy"])
def test_the_attacks_are_live(tmp_path: Path, name: str) -> None:
    path, marker = tmp_path / "w.pt", tmp_path / "marker"
    ATTACKS[name](path, Evil(marker))
    if name == "pickle":
        pickle.loads(path.read_bytes())
    else:
        torch.load(path, weights_only=False)
    assert marker.exists()


def refers_to(module: str, name: str) -> bytes:
    """A pickle that calls MODULE.NAME without arguments and puts the result under `w`."""
    return b"\x80\x04}\x8c\x01w" + b"c" + f"{module}\n{name}\n".encode() + b")Rs."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "getcwd"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),
        ("numpy", "core.multiarray.fromfile"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "fromfile"),
        ("numpy.core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
        ("numpy.core.multiarray.os", "_reconstruct"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("tinyvirat.models.importers.foreign", "read_foreign"),
    ],
)
def test_a_pickle_may_name_three_things_only(tmp_path: Path, module: str, name: str) -> None:
    (tmp_path / "w.pkl").write_bytes(refers_to(module, name))
    with pytest.raises(ImportWeightsError, match="only numpy arrays are read") as caught:
        read_foreign(tmp_path / "w.pkl")
    assert f"{module}.{name}" in str(caught.value)


def described(state: object, code: str = "f4") -> bytes:
    """A pickled array whose state is `state`; `...` in it stands for the data type."""

    class Array:
        def __reduce__(self) -> tuple[object, ...]:
            reconstruct: Any = np.zeros(1).__reduce__()[0]
            return reconstruct, (np.ndarray, (0,), b"b"), state

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> None:
            return None

        def reducer_override(self, obj: object) -> Any:
            if obj is ...:
                return np.dtype, (code, False, True), (3, "<", None, None, None, -1, -1, 0)
            return NotImplemented

    buffer = io.BytesIO()
    Pickler(buffer, 4).dump({"w": Array()})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ((1, (2,), ..., False, b"1234"), "f4"),
        ((1, (-1, -1), ..., False, b"1234"), "f4"),
        ((1, (1 << 62, 4), ..., False, b""), "f4"),
        ((1, (1.0,), ..., False, b"1234"), "f4"),
        ((1, (True,), ..., False, b"1234"), "f4"),
        ((1, (1,), ..., False, [b"1234"]), "O8"),
        ((1, (1,), ..., False, b"12345678"), "O8"),
        ((1, (1,), ..., False, b"12345678"), "V8"),
        ((1, (1,), ..., False, b"12345678"), "c8"),
        ((1, (1,), "f4", False, b"1234"), "f4"),
        ((1, (1,), ..., b"1234"), "f4"),
        ("state", "f4"),
        (None, "f4"),
    ],
)
def test_pickled_arrays_are_checked_before_they_are_made(
    tmp_path: Path, state: object, code: str
) -> None:
    (tmp_path / "w.pkl").write_bytes(described(state, code))
    with pytest.raises(ImportWeightsError, match=r"'w'|not a readable checkpoint"):
        read_foreign(tmp_path / "w.pkl")


def test_the_checks_let_a_right_array_pass(tmp_path: Path) -> None:
    (tmp_path / "w.pkl").write_bytes(described((1, (1,), ..., False, struct.pack("<f", 2.5))))
    assert read_foreign(tmp_path / "w.pkl")["w"].tolist() == [2.5]


def test_a_pickle_cannot_change_what_the_next_one_meets(tmp_path: Path) -> None:
    for name in ("ndarray", "dtype"):
        # Sets an attribute on the named object itself: (None, {"plain": 1}) as its state.
        body = b"\x80\x04cnumpy\n" + name.encode() + b"\nN}\x8c\x05plainK\x01s\x86b."
        (tmp_path / "evil.pkl").write_bytes(body)
        with pytest.raises(ImportWeightsError):
            read_foreign(tmp_path / "evil.pkl")
    to_pickle(tmp_path / "w.pkl", ARRAYS)
    same(read_foreign(tmp_path / "w.pkl"))


def test_dictionaries_that_hold_themselves_end_in_an_error(tmp_path: Path) -> None:
    cyclic: dict[str, object] = {}
    cyclic["again"] = cyclic
    wide: dict[str, object] = {}
    for _ in range(6):
        wide = {f"{i}": wide for i in range(30)}
    for content in (cyclic, wide):
        to_pickle(tmp_path / "w.pkl", content)
        with pytest.raises(ImportWeightsError, match="nested deeper"):
            read_foreign(tmp_path / "w.pkl")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([1, 2], "holds a list, not names and tensors"),
        ({}, "holds no tensors"),
        ({"epoch": 3}, "'epoch' is int"),
        ({"w": np.array(["text"])}, "'w' is"),
        ({"w": np.zeros((0, 3))}, r"'w' is torch.float64 of shape \(0, 3\)"),
        ({"w": np.array(1.0)}, r"of shape \(\)"),
        ({"w": np.arange(3)}, "'w' is torch.int64"),
        ({3: np.ones(2)}, "not text: 3"),
    ],
)
def test_what_are_no_weights_is_named(tmp_path: Path, content: object, complaint: str) -> None:
    to_pickle(tmp_path / "w.pkl", content)
    with pytest.raises(ImportWeightsError, match=complaint) as caught:
        read_foreign(tmp_path / "w.pkl")
    assert str(caught.value).startswith(str(tmp_path / "w.pkl"))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.empty(2, device="meta"),
    ],
    ids=["sparse", "complex", "without memory"],
)
@pytest.mark.filterwarnings("ignore:.*")
def test_only_ordinary_tensors_are_weights(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "w.pt")
    with pytest.raises(ImportWeightsError):
        read_foreign(tmp_path / "w.pt")


def test_too_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "MAX_BYTES", 100_000)
    zeros = np.zeros((100, 1000), np.float32)
    np.savez_compressed(tmp_path / "bomb.npz", w=zeros)
    assert (tmp_path / "bomb.npz").stat().st_size < 2_000
    with pytest.raises(ImportWeightsError, match=r"unpacks to \d+ bytes"):
        read_foreign(tmp_path / "bomb.npz")
    torch.save({"w": torch.ones(1).expand(1000, 1000)}, tmp_path / "view.pt")
    with pytest.raises(ImportWeightsError, match="tensors of more than 100000 bytes"):
        read_foreign(tmp_path / "view.pt")
    np.savez(tmp_path / "plain.npz", w=zeros)
    with pytest.raises(ImportWeightsError, match=r"bytes; at most 100000 are read"):
        read_foreign(tmp_path / "plain.npz")


def test_an_array_that_claims_more_than_its_file_holds_is_an_error(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    header = header.ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"1234"
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("w.npy", member)
    with pytest.raises(ImportWeightsError, match="not a readable checkpoint"):
        read_foreign(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"PK\x03\x04",
        b"hello",
        b"\x80\x04",
        b"{" * 40,
        b"\xff" * 8 + b"{",
        b"\x80\x04I1\n.",
    ],
)
def test_files_that_are_no_checkpoints_are_errors(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(ImportWeightsError):
        read_foreign(tmp_path / "w.pt")


def test_what_is_no_file_is_an_error_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.pt", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ImportWeightsError, match="no such file"):
            read_foreign(path)


@pytest.mark.parametrize("name", WRITERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore:.*")
def test_damage_is_an_error_or_harmless(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        place = data.draw(st.integers(0, len(content) - 1), label="place")
        content[place] = data.draw(st.integers(0, 255), label="byte")
    end = data.draw(st.sampled_from([len(content), len(content) // 2, len(content) - 1]))
    path.write_bytes(content[:end])
    try:
        got = read_foreign(path)
    except ImportWeightsError:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in got.values())
