# SPDX-License-Identifier: MIT
"""Invalid, truncated and edited schedule files: one line with the file and the place, and a documented status."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from iopf.tools.cli.main import main
from iopf.tools.status import Status

Document = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """A failing schedule, as written."""
    file = tmp_path_factory.mktemp("schedule") / "good.json"
    assert main(["race", "run", "4.22", "-o", str(file)]) == Status.FAILED
    document = json.loads(file.read_text())
    assert isinstance(document, dict)
    return document


def refused(args: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(args) == Status.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("iopf: ")
    assert says in err


@pytest.mark.parametrize("command", ["replay", "minimise"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a schedule file: Input data was truncated"),
        (b"\x00\x01\x02", "not a schedule file"),
        (b"\xff\xfe{}", "not a schedule file"),
        (b'{"\xe9": 1}', "not a schedule file"),
        (b"[" * 100_000, "not a schedule file"),
        (b"[]", "not a schedule file: Expected `object`"),
        (b'{"format": 1}', "missing required field"),
        (b" " * (2**24 + 1), "larger than 16777216 bytes"),
    ],
)
def test_an_invalid_schedule_file(
    command: str, data: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)
    refused(["race", command, str(file)], f"{file}: ", capsys)
    refused(["race", command, str(file)], says, capsys)


@pytest.mark.parametrize("command", ["replay", "minimise"])
def test_an_endless_device_is_not_a_schedule_file(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["race", command, "/dev/zero"], "/dev/zero: not a schedule file: larger than", capsys)


def test_a_truncated_file_is_refused(
    written: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, whole = tmp_path / "cut.json", json.dumps(written)
    for length in range(0, len(whole), 97):
        file.write_text(whole[:length])
        refused(["race", "replay", str(file)], "not a schedule file", capsys)


def test_only_keys_with_a_default_may_be_missing(
    written: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.json"
    for key in written:
        file.write_text(json.dumps({k: v for k, v in written.items() if k != key}))
        if key in ("live", "queue_records", "still", "whole", "constraints"):
            assert main(["race", "replay", str(file)]) == Status.FAILED
        else:
            refused(["race", "replay", str(file)], f"missing required field `{key}`", capsys)


@pytest.mark.parametrize("command", ["replay", "minimise"])
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("format", 2, "format 2; this version reads 1"),
        ("extra", 1, "unknown field `extra`"),
        ("memory", "arm", "memory: 'arm' is not one of sc, tso"),
        ("programs", [], "programs: expected at least one"),
        ("programs", [[]], "a program has 1 to 4096 lines, this one 0"),
        ("programs", [["explode d0"]], "'explode' is not an operation"),
        (
            "programs",
            [["map t0 4"]] * 9,
            "program 1, 'map t0 4': t0 already runs program 0 (and 7 more)",
        ),
        ("scenario", {"foo": 1}, ": scenario.foo: unknown section"),
        ("scenario", {"kernel": 3}, ": scenario.kernel: expected a table"),
        ("scenario", {"system": None}, ": scenario.system: expected a table"),
        ("scenario", {"device": 5}, ": scenario.device: "),
        ("scenario", {"device": [5]}, ": scenario.device[0]: expected a table"),
        ("scenario", {"kernel": {"generation": "v99"}}, "'v99' is no kernel version"),
        (
            "scenario",
            {"kernel": {"defects": ["no"]}},
            ": scenario.kernel.defects[0]: no defect 'no'",
        ),
        (
            "scenario",
            {"program": []},
            ": scenario.program: not a table of a scenario; write programs",
        ),
        ("scenario", {"live": {}}, ": scenario.live: not a table of a scenario; write live beside"),
        (
            "scenario",
            {"memory": "sc"},
            ": scenario.memory: not a table of a scenario; write memory",
        ),
        ("scenario", {"still": True}, ": scenario.still: not a table of a scenario; write still"),
        ("scenario", {"queue_records": 8}, ": scenario.queue_records: not a table of a scenario; "),
        ("scenario", {"extends": "quickstart"}, ": scenario.extends: not a table of a scenario"),
        ("queue_records", 3, "queue_records: 3; expected 0 or a power of two"),
        ("queue_records", -8, "queue_records: -8; expected"),
        ("queue_records", 2**63, "queue_records: 9223372036854775808; expected"),
        ("live", {"foo": 1}, "live: no pool 'foo'"),
        ("live", {"PASID": -1}, "live: -1 of PASID; expected"),
        ("segments", [["nobody", 1]], "segments: no actor 'nobody'; this system has"),
        ("segments", [["", 1]], "segments: no actor ''"),
        ("segments", [["supervisor", 1]], "segments: no actor 'supervisor'"),
        ("segments", [["irq", 0]], "segments: 0 steps of 'irq'"),
        ("segments", [["irq", -5]], "segments: -5 steps of 'irq'"),
        ("segments", [["irq", 20_001]], "segments: 20001 steps; a schedule has at most 20000"),
        ("segments", [["irq", 10**30]], "a schedule has at most 20000"),
        ("segments", [["irq", "1"]], "Expected `int`, got `str` - at `$.segments[0][1]`"),
    ],
)
def test_an_invalid_value_is_named(
    command: str,
    key: str,
    value: Any,
    says: str,
    written: Document,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({**written, key: value}))
    refused(["race", command, str(file)], f"{file}: ", capsys)
    refused(["race", command, str(file)], says, capsys)


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        (None, ": no constraints"),
        (["foo"], "'foo': expected ACTOR@POINT#N before ACTOR@POINT#N"),
        (["nobody@prq_idle/field_read#1 before irq@prq_idle/field_read#2"], "'nobody'"),
        (["irq@nowhere/x#1 before irq@prq_idle/field_read#2"], "'nowhere/x'"),
        (["irq@prq_idle/field_read#5000000000 before irq@prq_idle/field_read#2"], "expected ACTOR"),
        (["irq@prq_idle/field_read#1 before irq@prq_idle/field_read#2"] * 65, "65; at most 64"),
    ],
)
def test_invalid_constraints(
    constraints: list[str] | None,
    says: str,
    written: Document,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({**written, "constraints": constraints}))
    refused(["race", "replay", str(file), "--constraints"], says, capsys)


def test_violated_constraints_give_no_result(
    written: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "supervisor@prq_idle/field_read#1 before irq@prq_idle/field_read#2"
    file = tmp_path / "s.json"
    file.write_text(json.dumps({**written, "constraints": [line]}))
    assert main(["race", "replay", str(file), "--constraints"]) == Status.UNTRUSTED
    assert "1 constraint, 1 step violated them" in capsys.readouterr().err


def _first_step_impossible(document: Document) -> None:
    document["segments"].insert(0, ["irq's stores", 1])


def _other_hash(document: Document) -> None:
    document["trace_hash"] = "zz"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_first_step_impossible, "diverged: irq's stores cannot make step 1"),
        (_other_hash, "trace differs"),
    ],
)
def test_a_schedule_that_differs_from_the_recorded_one_is_status_7(
    edit: Callable[[Document], None],
    says: str,
    written: Document,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document, file = copy.deepcopy(written), tmp_path / "s.json"
    edit(document)
    file.write_text(json.dumps(document))
    assert main(["race", "replay", str(file)]) == Status.UNTRUSTED
    out, err = capsys.readouterr()
    assert says in out + err


def test_another_build_is_reported_and_replayed(
    written: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.json"
    file.write_text(json.dumps({**written, "build": "ff", "points": "00"}))
    assert main(["race", "replay", str(file)]) == Status.FAILED
    assert "another layout and scheduling points" in capsys.readouterr().err
