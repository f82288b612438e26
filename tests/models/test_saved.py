"""A recogniser on disk: what is written comes back, and nothing damaged or crafted gets in."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tinyvirat.common.files import sha256_of
from tinyvirat.models.dvsr import ProgressiveDVSRConfig
from tinyvirat.models.i3d import I3DConfig
from tinyvirat.models.preprocess import Preprocess
from tinyvirat.models.recognizer import RecognizerConfig
from tinyvirat.models.resnet3d import ResNet3DConfig
from tinyvirat.models.saved import (
    DESCRIPTION,
    WEIGHTS,
    Model,
    ModelError,
    ModelSpec,
    describe,
    load_model,
    read_description,
    replace_description,
    save_model,
)
from tinyvirat.video.sampling import AllWindows, SlidingWindows

from .network_checks import clips, seeded

CONFIG = RecognizerConfig(
    ResNet3DConfig(10, num_classes=3, width=4),
    ProgressiveDVSRConfig(2, 4, 2, attention=True),
    side=32,
    zero_to_one=True,
    mask=True,
)
SPEC = ModelSpec(
    name="tiny",
    config=CONFIG,
    labels=("walking", "opening a door", "übergeben"),
    multi_label=True,
    preprocess=Preprocess((14, 28), full=None, short_side=None, fit="pad"),
    sampler=SlidingWindows(length=8, hop=4),
    thresholds=(0.25, 0.5, 1.0),
    origin="made in a test",
    temperature=1.7,
    tuned_on=("scene 1", "scene 2"),
)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(SPEC, seeded(CONFIG))


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    save_model(tmp_path / "tiny", model)
    return tmp_path / "tiny"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the description on disk."""
    path = folder / DESCRIPTION
    data = json.loads(path.read_text(encoding="utf-8"))
    changed = change(data)
    path.write_text(json.dumps(data if changed is None else changed), encoding="utf-8")


def rewrite_weights(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the weights and the digest that the description has of them."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)
    digest = sha256_of(folder / WEIGHTS)
    rewrite(folder, lambda data: data.update(weights_sha256=digest))


def test_what_is_written_comes_back(model: Model, folder: Path) -> None:
    got = load_model(folder)
    assert got.spec == SPEC
    assert not got.network.training
    x = clips(1, 3, 8, 16, 16)
    with torch.no_grad():
        assert torch.equal(got.network(x), model.network(x))
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(got.network.state_dict()[name], tensor), name
    assert all(parameter.requires_grad for parameter in got.network.parameters())


def test_a_folder_holds_two_files_and_no_code(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION, WEIGHTS]
    data = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    assert data["labels"][2] == "übergeben"
    assert data["weights_sha256"] == sha256_of(folder / WEIGHTS)
    assert {k: v for k, v in data.items() if k != "weights_sha256"} == json.loads(
        json.dumps(describe(SPEC))
    )


def test_the_description_can_be_read_alone(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    spec, digest = read_description(folder / DESCRIPTION)
    assert spec == SPEC and len(digest) == 64


def test_saving_again_replaces(model: Model, folder: Path) -> None:
    with torch.no_grad():
        other = seeded(CONFIG)
        other.classifier.head.bias.fill_(3.0)
    save_model(folder, Model(replace(SPEC, name="other"), other))
    got = load_model(folder)
    assert got.spec.name == "other"
    assert got.network.classifier.head.bias.tolist() == [3.0] * 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stored_in_half(model: Model, folder: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    save_model(tmp_path / "half", model, dtype=dtype)
    stored = load_file(tmp_path / "half" / WEIGHTS)
    assert {t.dtype for t in stored.values() if t.is_floating_point()} == {dtype}
    counters = [name for name in stored if name.endswith("num_batches_tracked")]
    assert counters and all(stored[name].dtype == torch.int64 for name in counters)
    assert (tmp_path / "half" / WEIGHTS).stat().st_size < 0.6 * (folder / WEIGHTS).stat().st_size
    got = load_model(tmp_path / "half")
    for name, tensor in model.network.state_dict().items():
        loaded = got.network.state_dict()[name]
        assert loaded.dtype == tensor.dtype
        expected = tensor.to(dtype).float() if tensor.is_floating_point() else tensor
        assert torch.equal(loaded, expected), name
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}, "it was changed"


def test_what_half_cannot_hold_is_not_stored_as_infinite(folder: Path) -> None:
    network = seeded(CONFIG)
    network.classifier.bn1.running_var[0] = 1e5
    with pytest.raises(ModelError, match=r"classifier\.bn1\.running_var has values too large"):
        save_model(folder, Model(SPEC, network), dtype=torch.float16)
    assert load_model(folder).spec == SPEC
    save_model(folder, Model(SPEC, network), dtype=torch.bfloat16)


def test_loaded_in_another_dtype(folder: Path) -> None:
    got = load_model(folder, dtype=torch.bfloat16)
    assert {p.dtype for p in got.network.parameters()} == {torch.bfloat16}


def test_saved_from_channels_last(model: Model, tmp_path: Path) -> None:
    network = seeded(CONFIG)
    network.to(memory_format=torch.channels_last_3d)
    save_model(tmp_path, Model(SPEC, network))
    weight = load_model(tmp_path).network.classifier.conv1.weight
    assert torch.equal(weight, model.network.classifier.conv1.weight) and weight.is_contiguous()


def test_a_failed_write_leaves_the_old_model(
    model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("tinyvirat.models.saved.save_file", fail)
    with pytest.raises(OSError, match="disk is full"):
        save_model(folder, Model(replace(SPEC, name="other"), model.network))
    assert load_model(folder).spec == SPEC
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("name", [DESCRIPTION, WEIGHTS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match="missing") as caught:
        load_model(folder)
    assert str(folder / name) in str(caught.value)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="missing; a model is a folder with"):
        load_model(tmp_path / "nowhere")
    (tmp_path / DESCRIPTION).mkdir()
    with pytest.raises(ModelError, match="not a model description"):
        load_model(tmp_path)


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_wrong_byte_in_the_weights(folder: Path, where: str) -> None:
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    at = {"first": 0, "middle": len(content) // 2, "last": -1}[where]
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="or damaged; copy the whole folder again"):
        load_model(folder)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_cut_weights_whose_digest_was_made_to_fit(folder: Path, length: int) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:length])
    digest = sha256_of(path)
    rewrite(folder, lambda data: data.update(weights_sha256=digest))
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        load_model(folder)


def test_pickles_are_never_opened(folder: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    for content in (pickle.dumps(Bomb()), pickle.dumps({"weight": Bomb()}, protocol=0)):
        (folder / WEIGHTS).write_bytes(content)
        digest = sha256_of(folder / WEIGHTS)
        rewrite(folder, lambda data, digest=digest: data.update(weights_sha256=digest))
        with pytest.raises(ModelError, match="not a readable safetensors file"):
            load_model(folder)
    torch.save({"weight": Bomb()}, folder / WEIGHTS)
    digest = sha256_of(folder / WEIGHTS)
    rewrite(folder, lambda data: data.update(weights_sha256=digest))
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        load_model(folder)
    assert not (tmp_path / "executed").exists()


BIAS = "classifier.head.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(BIAS), f"no tensor '{BIAS}'"),
        (lambda t: t.update({"extra": torch.ones(1)}), "an unknown tensor 'extra'"),
        (lambda t: t.update({BIAS: torch.ones(4)}), rf"{BIAS} is \(4,\), not \(3,\)"),
        (lambda t: t.update({BIAS: torch.ones(3, dtype=torch.int64)}), f"{BIAS} is torch.int64"),
        (lambda t: t.update({BIAS: torch.ones(3).cfloat()}), f"{BIAS} is torch.complex64"),
        (lambda t: t.update({BIAS: torch.ones(3).bool()}), f"{BIAS} is torch.bool"),
    ],
)
def test_weights_of_another_network(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    rewrite_weights(folder, change)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(folder)
    assert str(folder / WEIGHTS) in str(caught.value)


def wrong(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update({key: value})


def inner(key: str, name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda data: data[key].update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: [data], "format"),
        (lambda data: "model", "format 'model' is not 1"),
        (wrong("format", None), "format None is not 1"),
        (wrong("format", 2), "format 2 is not 1, the one this version reads"),
        (wrong("weights_sha256", 5), "'weights_sha256' is 5, not a str"),
        (wrong("weights_sha256", None), "'weights_sha256' is None, not a str"),
        (wrong("weights_sha256", "0" * 64), "not the weights that model.json was written for"),
        (wrong("name", ["tiny"]), "'name' is"),
        (wrong("labels", "abc"), "'labels' is abc, not a list"),
        (wrong("labels", ["a", "b"]), "2 different labels for 3 classes"),
        (wrong("labels", ["a", "b", "b"]), "2 different labels for 3 classes"),
        (wrong("labels", ["a", "b", "c", "d"]), "4 different labels for 3 classes"),
        (wrong("labels", ["a", "b", 3]), "the label 3 is not text"),
        (wrong("labels", ["a", "b", None]), "the label None is not text"),
        (wrong("labels", ["a", "b", ["c"]]), r"the label \['c'\] is not text"),
        (wrong("labels", None), "'labels' is None, not a list"),
        (wrong("multi_label", 1), "'multi_label' is 1, not a bool"),
        (wrong("multi_label", "no"), "'multi_label' is no, not a bool"),
        (wrong("thresholds", [0.5]), "1 thresholds for 3 classes"),
        (wrong("thresholds", 0.5), "'thresholds' is 0.5, not a list"),
        (wrong("thresholds", ["0.5"] * 3), "the threshold 0.5 is not a number from 0 to 1"),
        (wrong("thresholds", [None] * 3), "the threshold None is not a number"),
        (wrong("thresholds", [True] * 3), "the threshold True is not a number"),
        (wrong("thresholds", [{}] * 3), "the threshold {} is not a number"),
        (wrong("thresholds", [10**400] * 3), "is not a number from 0 to 1"),
        (wrong("thresholds", [float("nan")] * 3), "the threshold nan is not a number"),
        (wrong("thresholds", [-0.1, 0.5, 0.5]), "the threshold -0.1 is not a number"),
        (wrong("origin", 7), "'origin' is 7, not a str"),
        (wrong("temperature", "1"), "'temperature' is 1, not a number"),
        (wrong("temperature", True), "'temperature' is True, not a number"),
        (wrong("temperature", None), "'temperature' is None, not a number"),
        (wrong("temperature", 0), "the temperature 0 is not between 0.01 and 100"),
        (wrong("temperature", float("nan")), "the temperature nan is not between"),
        (wrong("temperature", 10**400), "the temperature 1000"),
        (wrong("tuned_on", "scene"), "'tuned_on' is scene, not a list"),
        (wrong("tuned_on", [1]), "the tuning source 1 is not text"),
        (wrong("preprocess", None), "preprocess: None is not a mapping"),
        (inner("preprocess", "size", "28"), "preprocess: size"),
        (inner("preprocess", "size", 10**9), "size is 1000000000"),
        (inner("preprocess", "fit", "none"), "preprocess: fit"),
        (inner("preprocess", "side", 28), "'side' is not one of"),
        (wrong("sampler", "all"), "'sampler' is all, not a dict"),
        (inner("sampler", "kind", "psychic"), "the sampler's kind is 'psychic'"),
        (inner("sampler", "kind", ["all"]), "the sampler's kind is"),
        (inner("sampler", "length", 0), "length is 0"),
        (inner("sampler", "length", "16"), "length is '16'"),
        (inner("sampler", "speed", 2), "has no 'speed'"),
        (wrong("network", None), "network: 'None' is not one of"),
        (wrong("network", {"network": "i3d"}), "the network is no recogniser but I3DConfig"),
        (wrong("network", {"network": []}), "is not one of"),
        (inner("network", "side", "32"), "network: side"),
        (inner("network", "classifier", {}), "network: classifier"),
        (inner("network", "mask", "yes"), "network: mask"),
        (lambda data: data["network"]["classifier"].update(depth=-3), "depth -3"),
        (lambda data: data["network"]["super_resolution"].update(scale=10**30), "scale 1000"),
        (lambda data: data["network"]["super_resolution"].update(channels=0), "channels 0"),
    ],
)
def test_wrong_descriptions(
    folder: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    rewrite(folder, change)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(folder)
    text = str(caught.value)
    assert str(folder) in text and text.count(str(folder)) <= 2 and len(text) < 700


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[" * 100_000,
        '{"format": 1, "network": ' + '{"network": ' * 100_000,
        '{"format": 1, "format"',
        '{"format": ' + "1" * 10_000 + "}",
        "\ufeff{}",
        '{"format": 1, "weights_sha256": "\\ud800"}',
        '{"format": 1e999}',
    ],
)
def test_no_description_at_all(folder: Path, text: str) -> None:
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert str(folder / DESCRIPTION) in str(caught.value)
    assert len(str(caught.value)) < 700


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / DESCRIPTION).write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(ModelError, match="not a model description"):
        load_model(folder)


@pytest.mark.parametrize("depth", [50, 400, 900])
def test_deep_nesting_that_still_is_json(folder: Path, depth: int) -> None:
    nested: Any = {"network": "i3d"}
    for _ in range(depth):
        nested = {"network": "recognizer", "classifier": nested, "super_resolution": nested}
        nested["super_resolution"] = None
    rewrite(folder, lambda data: data.update(network=nested))
    with pytest.raises(ModelError):
        load_model(folder)


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below),
    max_leaves=5,
)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    description = json.loads(json.dumps(describe(SPEC) | {"weights_sha256": ""}))
    place: Any = description
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict) and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(json_values)
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(json.dumps(description), encoding="utf-8")
    try:
        spec, _ = read_description(path)
    except ModelError as error:
        assert str(path) in str(error)
    else:
        assert isinstance(spec, ModelSpec)


def test_a_folder_can_be_moved(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "elsewhere")
    assert load_model(tmp_path / "elsewhere").spec == SPEC


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": ("a", "b")}, "2 different labels for 3 classes"),
        ({"labels": ("a", "a", "a")}, "1 different labels for 3 classes"),
        ({"thresholds": (0.5, 0.5)}, "2 thresholds for 3 classes"),
        ({"thresholds": (0.5, 0.5, 1.5)}, "the threshold 1.5 is not between 0 and 1"),
        ({"thresholds": (0.5, float("nan"), 0.5)}, "the threshold nan is not between 0 and 1"),
        ({"temperature": -1.0}, "the temperature -1.0 is not between 0.01 and 100"),
    ],
)
def test_impossible_models(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **values)


def test_probabilities() -> None:
    logits = torch.tensor([[0.0, 2.0, -2.0], [1.0, 1.0, 1.0]], dtype=torch.bfloat16)
    several = SPEC.probabilities(logits)
    torch.testing.assert_close(several, (logits.float() / 1.7).sigmoid())
    one = replace(SPEC, multi_label=False).probabilities(logits)
    torch.testing.assert_close(one, (logits.float() / 1.7).softmax(1))
    plain = replace(SPEC, temperature=1.0).probabilities(logits)
    assert torch.equal(plain, logits.float().sigmoid())
    assert several.dtype == one.dtype == torch.float32
    torch.testing.assert_close(one.sum(1), torch.ones(2))
    assert several[0].sum() != 1


def test_a_description_is_replaced_and_the_weights_stay(model: Model, folder: Path) -> None:
    before = (folder / WEIGHTS).read_bytes()
    tuned = replace(SPEC, thresholds=(0.1, 0.2, 0.3), temperature=0.5, tuned_on=("scene 9",))
    replace_description(folder, tuned)
    assert load_model(folder).spec == tuned
    assert (folder / WEIGHTS).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION, WEIGHTS]
    other = replace(SPEC, labels=("a", "b", "c"))
    with pytest.raises(ModelError, match="another network or other labels"):
        replace_description(folder, other)
    with pytest.raises(ModelError, match="missing"):
        replace_description(folder / "none", SPEC)
    assert load_model(folder).spec == tuned


def test_models_from_before_tuning_are_read(folder: Path) -> None:
    def forget(data: dict[str, Any]) -> None:
        del data["temperature"], data["tuned_on"]

    rewrite(folder, forget)
    spec = load_model(folder).spec
    assert (spec.temperature, spec.tuned_on) == (1.0, ())


def test_other_parts_travel_too(tmp_path: Path) -> None:
    config = RecognizerConfig(I3DConfig(num_classes=2, width=0.0625))
    spec = ModelSpec("plain", config, ("a", "b"), False, Preprocess(), AllWindows())
    save_model(tmp_path, Model(spec, seeded(config, settled=False)))
    got = load_model(tmp_path)
    assert got.spec == spec
    assert got.spec.thresholds == () and got.spec.origin == ""
