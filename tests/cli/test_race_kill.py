# SPDX-License-Identifier: MIT
"""`iopf race kill`: actors killed and stopped at their scheduling points."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.race import assert_refused, race, text_and_document


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_kill_covers_the_points_of_an_actor(mode: str) -> None:
    args = ("kill", "4.22", "--actor", "dev-00", "--schedules", "1", "--mode", mode)
    text, document = text_and_document(*args)
    assert "0 failures" in text
    assert document["killed"][0]["points"] > 10
    wrong = race("kill", "4.22", "--actor", "dev-0")
    assert wrong.returncode == Status.USAGE
    assert "did you mean 'dev-00'?" in wrong.stderr


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_stop_is_not_a_death(mode: str) -> None:
    args = ("kill", "4.22", "--signal", "stop", "--schedules", "1", "--mode", mode)
    text, document = text_and_document(*args)
    assert "stops in" in text
    assert document["signal"] == "stop"
    assert document["points"] == sum(each["points"] for each in document["stopped"]) > 100
    assert document["failures"] == 0


def test_pairs_are_drawn_and_killed_in_order() -> None:
    args = ("kill", "4.22", "--pairs", "4", "--actor", "dev-00", "--schedules", "2")
    text, document = text_and_document(*args)
    _, drawn, _, row, *rest = text.splitlines()
    assert drawn == "4 random pairs of points per pair of actors, seed 0"
    assert row.split() == ["dev-00", "6", str(document["points"]), "0"]
    few = sum(each["points"] < 4 for each in document["killed"])
    assert [line.partition(":")[0] for line in rest[:-1]] == [f"fewer for {few} of 6"] * (few > 0)
    assert {each["first"] for each in document["killed"]} == {"dev-00"}
    assert len({each["second"] for each in document["killed"]}) == 6
    assert 4 < document["points"] <= 24
    again = json.loads(race(*args, "--json").stdout)
    assert again["killed"] == document["killed"]


def test_kill_takes_a_scenario(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('schema = 1\n[[program]]\nops = ["map t0 4", "bind d0 t0", "unbind d0 t0"]\n')
    for name in (str(file), "one-request"):
        done = race("kill", name, "--schedules", "1", "--json")
        assert done.returncode == Status.OK, done.stdout + done.stderr
        document = json.loads(done.stdout)
        assert document["system"] == name
        points = {each["role"]: each["points"] for each in document["killed"]}
        assert points["tenant"] > 5
        assert points["iommu"] > 5


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_failure_after_a_stop_is_status_1(tmp_path: Path, mode: str) -> None:
    """The device goes 5 ms after the unbind, unless the unbinding actor is stopped."""
    file = tmp_path / "late.toml"
    file.write_text(
        "schema = 1\n"
        '[[program]]\nops = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]\n'
        '[[program]]\nops = ["k0: start", "k0: pause 5ms", "remove d0"]\n'
    )
    args = ("kill", str(file), "--schedules", "1", "--actor", "tenant-00", "--mode", mode)
    assert race(*args).returncode == Status.OK
    late = race(*args, "--signal", "stop")
    assert late.returncode == Status.FAILED, late.stdout + late.stderr
    assert "'unbind d0 t0' failed" in late.stdout
    assert race(*args, "--signal", "stop", "--json").returncode == Status.FAILED


@pytest.mark.parametrize(
    ("args", "says", "status"),
    [
        (("life-cycel",), "did you mean 'life-cycle'?", Status.USAGE),
        (("zzz",), "no race or scenario 'zzz'", Status.USAGE),
        (("no/such.toml",), "cannot read the scenario", Status.USAGE),
        (
            ("4.22", "--pairs", "3", "--signal", "stop"),
            "--pairs cannot be combined with",
            Status.USAGE,
        ),
        (("4.22", "--pairs", "0"), "--pairs", Status.USAGE),
        (("4.22", "--signal", "hup"), "--signal", Status.USAGE),
    ],
)
def test_kill_reports_an_error_in_one_line(args: tuple[str, ...], says: str, status: int) -> None:
    assert_refused(race("kill", *args), says, status)


def test_kill_refuses_a_scenario_that_cannot_be_reduced(tmp_path: Path) -> None:
    trace, many = tmp_path / "trace.toml", tmp_path / "many.toml"
    trace.write_text(
        'schema = 1\n[trace]\nfiles = ["sqlite-index"]\n'
        '[[device]]\nworkload = { pattern = "replay", groups = 0 }\n'
    )
    many.write_text(
        'schema = 1\n[[tenant]]\ncount = 16\n[[program]]\nops = ["map t0 4", "bind d0 t0"]\n'
    )
    for file, says in ((trace, "replays a trace"), (many, "supports 31")):
        assert_refused(race("kill", str(file)), says, Status.UNSUPPORTED)
