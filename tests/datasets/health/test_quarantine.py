"""The list beside a manifest: who is on it, who writes it, and that reading heeds it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tinyvirat.cli.check import Kind
from tinyvirat.cli.check import check as check_command
from tinyvirat.common.errors import TinyviratError
from tinyvirat.datasets import ClipRecord, ManifestError, read_manifest, write_manifest
from tinyvirat.datasets.health.quarantine import Quarantined, read_quarantine, write_quarantine

from .planted import PLANTED, edit, rows_of, written

Clips = tuple[Path, list[ClipRecord]]
DEFAULT = {
    "missing": "unreadable",
    "cut off": "unreadable",
    "another size": "size",
    "more frames recorded": "frames",
    "blank": "blank",
    "a copy in another split": "leak",
    "frozen": None,
    "short": None,
    "another rate": None,
    "a copy in its split": None,
    "a header that promises more": None,
}


def run(manifest: Path, kinds: Sequence[Kind] | None = None) -> int:
    chosen = None if kinds is None else list(kinds)
    return check_command(manifest, permutations=0, quarantine=chosen, workers=0)


def quarantine_of(manifest: Path) -> Path:
    return manifest.parent / "quarantine.jsonl"


@pytest.mark.parametrize("name", DEFAULT)
def test_what_is_quarantined_by_default(clips: Clips, name: str) -> None:
    PLANTED[name][0](*clips)
    manifest = written(*clips)
    assert run(manifest) == 1
    reason = DEFAULT[name]
    if reason is None:
        assert not quarantine_of(manifest).exists()
        return
    (row,) = rows_of(quarantine_of(manifest))
    assert (row["id"], row["path"], row["reason"]) == ("clip03", "clip03.mp4", reason)
    assert row["detail"]
    assert (row["content"] is None) == (reason == "unreadable")
    read = read_manifest(manifest)
    assert [one.record.id for one in read.quarantined] == ["clip03"]
    assert "clip03" not in {record.id for record in read.records}
    assert len(read.records) == len(clips[1]) - 1


def test_a_healthy_set_has_no_list_and_exits_with_0(
    clips: Clips, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = written(*clips)
    assert run(manifest) == 0
    assert not quarantine_of(manifest).exists()
    assert capsys.readouterr().out.endswith("manifest.jsonl: healthy\n")


def test_the_problems_to_quarantine_can_be_named(clips: Clips) -> None:
    PLANTED["short"][0](*clips)
    PLANTED["another size"][0](*clips)
    edit(clips[1], 5, height=100)
    manifest = written(*clips)
    assert run(manifest, ["none"]) == 1
    assert not quarantine_of(manifest).exists()
    run(manifest, ["short"])
    assert [(row["id"], row["reason"]) for row in rows_of(quarantine_of(manifest))] == [
        ("clip03", "short")
    ]
    run(manifest, ["short", "size"])
    first, second = rows_of(quarantine_of(manifest))
    assert (first["reason"], second["id"], second["reason"]) == ("size", "clip05", "size")
    assert "pixels" in str(first["detail"])
    assert "a window of 16" in str(first["detail"])
    before = quarantine_of(manifest).read_bytes()
    run(manifest, ["none"])
    assert quarantine_of(manifest).read_bytes() == before
    with pytest.raises(TinyviratError, match="none stands alone"):
        run(manifest, ["none", "size"])


def test_a_mended_clip_leaves_the_list_and_one_s_own_rows_stay(clips: Clips) -> None:
    folder, records = clips
    sound = records[3]
    PLANTED["another size"][0](folder, records)
    manifest = written(folder, records)
    run(manifest)
    mine = {"id": "clip05", "path": "clip05.mp4", "reason": "wrong label"}
    with quarantine_of(manifest).open("a") as file:
        file.write(json.dumps(mine) + "\n")
    records[3] = sound
    written(folder, records)
    assert run(manifest) == 0
    assert rows_of(quarantine_of(manifest)) == [{**mine, "detail": "", "content": None}]
    assert [one.record.id for one in read_manifest(manifest).quarantined] == ["clip05"]


def test_two_manifests_of_a_folder_share_its_list(clips: Clips) -> None:
    folder, records = clips
    PLANTED["another size"][0](folder, records)
    one = written(folder, records[:6], "one.jsonl")
    other = written(folder, [*records[6:], replace(records[3], height=24)], "other.jsonl")
    run(one)
    assert run(other) == 0
    # The clip is sound as the other manifest has it; the last check of it holds.
    assert not quarantine_of(one).exists()
    edit(records, 7, width=2)
    written(folder, records[6:], "other.jsonl")
    run(one)
    run(other)
    assert [row["id"] for row in rows_of(quarantine_of(one))] == ["clip03", "clip07"]
    assert [o.record.id for o in read_manifest(one).quarantined] == ["clip03"]
    assert [o.record.id for o in read_manifest(other).quarantined] == ["clip07"]


def test_a_row_is_about_a_clip_of_its_id_and_path(clips: Clips) -> None:
    manifest = written(*clips)
    rows = [Quarantined("clip03", "other.mp4", "mine"), Quarantined("other", "clip03.mp4", "mine")]
    write_quarantine(quarantine_of(manifest), rows, about=[], reasons=[])
    assert read_manifest(manifest).quarantined == ()


def test_what_is_left_out_is_told_by_split(clips: Clips) -> None:
    folder, records = clips
    for n in (0, 1, 6):
        edit(records, n, height=26)
    manifest = written(folder, records)
    run(manifest)
    read = read_manifest(manifest)
    where = f"(see {quarantine_of(manifest)})"
    total = f"{manifest}: 3 of 12 clips are left out, in quarantine: 3 size {where}"
    assert read.quarantine_note() == total
    test = f"{manifest}: 1 of 2 test clips are left out, in quarantine: 1 size {where}"
    assert read.quarantine_note("test") == test
    assert read.quarantine_note("val") == ""
    assert [one.record.id for one in read.left_out("train")] == ["clip00", "clip01"]
    assert read_manifest(manifest, quarantine=False).quarantine_note() == ""


def test_a_quarantined_clip_s_file_need_not_be_there_and_its_label_stays(clips: Clips) -> None:
    folder, records = clips
    PLANTED["missing"][0](folder, records)
    edit(records, 3, labels=("only here",))
    manifest = written(folder, records)
    with pytest.raises(ManifestError, match="does not exist"):
        read_manifest(manifest)
    run(manifest)
    assert read_manifest(manifest).labels == ("only here", "run", "walk")


def test_a_split_or_a_set_that_is_all_in_quarantine_is_told(clips: Clips) -> None:
    folder, records = clips
    for n, record in enumerate(records):
        if record.split == "test":
            edit(records, n, height=26)
    manifest = written(folder, records)
    run(manifest)
    with pytest.raises(ManifestError, match=r"no clip is in the split 'test'.*2 are in quarantine"):
        read_manifest(manifest).of("test")
    written(folder, [replace(record, height=26) for record in records])
    run(manifest)
    with pytest.raises(ManifestError, match=r"all of its 12 clips are in quarantine in .*\.jsonl"):
        read_manifest(manifest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "line 1: .*not a mapping"),
        ("{", "line 1: not valid JSON"),
        ('{"id": "a", "path": "b"}', "line 1: 'reason' is missing"),
        ('\n{"id": "a", "path": "b", "reason": " "}', "line 2: reason is empty"),
        ('{"id": 3, "path": "b", "reason": "c"}', "line 1: id: 3 is no str"),
        ('{"id": "a", "path": "b", "reason": "c", "why": 1}', "'why' is not one of"),
        ("[" * 10**5, "line 1: not valid JSON"),
        (b"\xff\xfe\x00", "cannot be read .*delete it to leave no clip out"),
    ],
)
def test_a_damaged_list_is_told(clips: Clips, text: str | bytes, message: str) -> None:
    manifest = written(*clips)
    data = text.encode() if isinstance(text, str) else text
    quarantine_of(manifest).write_bytes(data)
    with pytest.raises(ManifestError, match=rf"quarantine\.jsonl.*{message}"):
        read_manifest(manifest)


def test_the_last_row_about_a_clip_holds(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    rows = [{"id": "a", "path": "b", "reason": reason} for reason in ("one", "two")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_quarantine(path) == {("a", "b"): Quarantined("a", "b", "two")}
    assert read_quarantine(tmp_path / "none.jsonl") == {}


def test_csv_manifests_have_one_too(clips: Clips) -> None:
    folder, records = clips
    PLANTED["another size"][0](folder, records)
    write_manifest(folder / "clips.csv", records)
    run(folder / "clips.csv")
    assert [one.row.reason for one in read_manifest(folder / "clips.csv").quarantined] == ["size"]


def test_json_has_everything(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    PLANTED["a copy in another split"][0](*clips)
    manifest = written(*clips)
    assert check_command(manifest, workers=0, near_duplicates=0, json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["healthy"]
    assert found["counts"] == {"leak": 1}
    assert found["clips"] == 12
    assert found["options"]["near"] == 0
    assert [problem["other"] for problem in found["problems"]] == ["clip06"]
    assert found["quarantined"] == rows_of(quarantine_of(manifest))
    assert {one["label"] for one in found["giveaways"]["found"]} == {"run", "walk"}


def test_tables_say_what_was_found(clips: Clips, capsys: pytest.CaptureFixture[str]) -> None:
    PLANTED["a copy in another split"][0](*clips)
    manifest = written(*clips)
    assert check_command(manifest, workers=0) == 1
    out, err = capsys.readouterr()
    frames = sum(record.frames for record in clips[1])
    assert f"12 clips in 12 files, {frames:,} frames" in out
    assert "the same frames as 'clip06', which is in test; this one is in train" in out
    assert "Labels by what tells them" in out
    assert "The same for all clips: frame rate, height." in out
    assert out.endswith(f"{manifest}: not healthy: 1 leak\n")
    assert err == f"{quarantine_of(manifest)}: lists 1 of 12 clips\n"
