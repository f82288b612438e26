"""Rules from files: defaults, mistakes, provenance."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from tinyvirat.annotations import Activity
from tinyvirat.common.strict_yaml import parse
from tinyvirat.datasets.tubes import TINYVIRAT_CLASSES, VIRAT_EVENTS, BuildRules, RulesError
from tinyvirat.datasets.tubes.labels import select_labels
from tinyvirat.datasets.tubes.rules import VERSIONS, LabelRule, default_rules, read_rules


def test_the_package_s_file_says_every_value_and_it_is_the_default() -> None:
    data = parse(default_rules().read_text(encoding="utf-8"), where="build.yml")
    assert read_rules() == BuildRules()
    for rule in fields(BuildRules):
        assert set(data[rule.name]) == {
            one.name for one in fields(getattr(BuildRules(), rule.name))
        }
    assert set(VERSIONS) == set(data)


def test_what_a_file_does_not_say_is_as_usual_and_overrides_win(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("crop: {context: 0.3, window: fixed}\nsize: {larger_than: 112}\n")
    rules = read_rules(file, ["crop.context=0.2", "select.min_samples=1", "cut.longest=64"])
    assert (rules.crop.window, rules.crop.context, rules.crop.smooth) == ("fixed", 0.2, 15)
    assert (rules.size.larger_than, rules.select.min_samples, rules.cut.longest) == (112, 1, 64)
    assert read_rules(None, ["labels.rename=[[Unloading, Loading]]"]).labels.rename == (
        ("Unloading", "Loading"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crops: {context: 0.3}", "did you mean 'crop'"),
        ("crop: {contxt: 0.3}", "did you mean 'context'"),
        ("crop: {context: wide}", "crop: context: 'wide'"),
        ("crop: {context: -0.1}", "must be from 0 to 10"),
        ("crop: {smooth: 0}", "smooth is 0"),
        ("crop: {window: still}", "follow, fixed"),
        ("merge: {threshold: 0}", "above 0"),
        ("merge: {threshold: 1.5}", "at most 1"),
        ("merge: {measure: giou}", "smaller, iou, actors"),
        ("cut: {shortest: 80, longest: 100}", "longest must be 159 or more"),
        ("cut: {shortest: 0}", "shortest is 0"),
        ("size: {smallest: 130}", "largest is 128"),
        ("size: {larger_than: -1}", "larger_than is -1"),
        ("select: {min_samples: 0}", "min_samples is 0"),
        ("locate: {longest_gap: 1.5}", "longest_gap: 1.5"),
        ("labels: {select: tinyvirat}", "did you mean 'tinyvirat26'"),
        ("labels: {rename: [[a, b], [a, c]]}", "two new names"),
        ("labels: {rename: [[a, 'b|c']]}", "no name of a class"),
        ("splits: {list: a.txt, train: b.txt}", "not both"),
        ("splits: {val_share: 2}", "val_share is 2"),
        ("[1, 2]", "a mapping of keys to values"),
        ("crop: &a {context: 1}\nmerge: *a", "aliases"),
        ("crop: {", "not YAML"),
    ],
)
def test_mistakes_name_the_file_and_the_remedy(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(text)
    with pytest.raises(RulesError, match=r"rules\.yml") as error:
        read_rules(file)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "text", ["context=1", "crop=1", "crop.context", ".x=1", "a.b.c=1", "crop.=1"]
)
def test_an_override_has_a_rule_and_a_name(text: str) -> None:
    with pytest.raises(RulesError, match=r"write RULE\.NAME=VALUE"):
        read_rules(None, [text])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="no such file"):
        read_rules(tmp_path / "rules.yml")
    file = tmp_path / "rules.yml"
    file.write_bytes(b"#" * 70_000)
    with pytest.raises(RulesError, match="larger than"):
        read_rules(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RulesError, match="cannot be read"):
        read_rules(file)


@pytest.mark.parametrize(
    "change",
    [
        "crop.context=0.2",
        "merge.threshold=0.6",
        "cut.longest=100",
        "labels.select=all",
        "select.min_samples=3",
        "locate.longest_gap=0",
        "size.largest=64",
        "splits.val_share=0.3",
    ],
)
def test_the_digest_changes_with_every_value(change: str) -> None:
    assert read_rules(None, [change]).digest != BuildRules().digest


def test_the_digest_knows_versions_but_no_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = BuildRules().digest
    assert read_rules(None, [f"splits.list={tmp_path / 'a.txt'}"]).digest == digest
    monkeypatch.setitem(VERSIONS, "crop", "2")
    assert BuildRules().digest != digest
    assert json.loads(json.dumps(BuildRules().provenance())) == {
        "rules": BuildRules().digest,
        "rule_versions": VERSIONS,
    }


def test_lists_in_a_file_of_rules_are_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("splits: {train: train.txt, val: /lists/val.txt}")
    splits = read_rules(file, ["splits.test=here.txt"]).splits
    assert splits.train == tmp_path / "train.txt"
    assert (splits.val, splits.test) == (Path("/lists/val.txt"), Path("here.txt"))


def test_the_names_there_are() -> None:
    assert len(set(TINYVIRAT_CLASSES)) == 26
    assert TINYVIRAT_CLASSES[0] == "Opening"
    assert TINYVIRAT_CLASSES[14] == "activity_walking"
    assert TINYVIRAT_CLASSES[25] == "Misc"
    assert len(set(VIRAT_EVENTS)) == 12


def acts(*names: str) -> list[Activity]:
    """One activity of each name."""
    return [Activity(number, name, 0, 9, ()) for number, name in enumerate(names)]


def test_other_names_of_diva_are_left_out_and_counted() -> None:
    found = select_labels(
        acts("Drop", "Talking", "Unloading", "carry", "Unloading", "person_sits_down"),
        LabelRule(),
    )
    assert [one.label for one in found.activities] == ["Talking", "carry"]
    assert [one.id for one in found.activities] == [1, 3]
    assert found.left_out == (("Drop", 1), ("Unloading", 2), ("person_sits_down", 1))


def test_names_can_be_given_before_they_are_selected() -> None:
    rule = LabelRule(rename=(("Unloading", "Loading"), ("Talking", "chat"), ("Loading", "Misc")))
    found = select_labels(acts("Unloading", "Talking", "Loading"), rule)
    assert [one.label for one in found.activities] == ["Loading", "Misc"]
    assert found.left_out == (("chat", 1),)


def test_all_names_but_those_no_manifest_can_hold() -> None:
    found = select_labels(acts("Drop", "a|b", "person_sits_down"), LabelRule("all"))
    assert [one.label for one in found.activities] == ["Drop", "person_sits_down"]
    assert found.left_out == (("a|b", 1),)
