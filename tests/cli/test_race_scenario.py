# SPDX-License-Identifier: MIT
"""`iopf race run` and `prove` with a scenario file instead of a race of the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.running import iopf

BOTH = """
schema = 1
[kernel]
generation = "v7.2"
defects = {defects}
[[device]]
stop = "marker"
[[program]]
ops = ["map t0 4", "bind d0 t0", {start}"unbind d0 t0"]
[[program]]
ops = ["wait-bound d0 t0", {other}"send d0 t0 pages=1 group=a try"]
"""


def written(
    directory: Path, defects: str = '["remove-before-drain"]', *, start: bool = True
) -> str:
    file = directory / "mine.toml"
    words = ('"t0: start", ', '"d0: start", ') if start else ("", "")
    file.write_text(BOTH.format(defects=defects, start=words[0], other=words[1]))
    return str(file)


@pytest.mark.parametrize("start", [True, False], ids=["from-start", "whole"])
def test_a_scenario_is_searched_and_its_schedule_replayed(tmp_path: Path, start: bool) -> None:
    schedule = tmp_path / "found.json"
    name = written(tmp_path, start=start)
    found = iopf("race", "run", name, "--seconds", "60", "-o", str(schedule), "--json")
    assert found.returncode == Status.FAILED, found.stderr
    document = json.loads(found.stdout)
    assert (document["race"], document["variant"], document["scenario"]) == (None, None, name)
    assert document["found"]
    assert json.loads(schedule.read_text())["whole"] is not start
    for mode in ("fibers", "processes"):
        done = iopf("race", "replay", str(schedule), "--mode", mode)
        assert done.returncode == Status.FAILED, done.stdout + done.stderr
        assert document["failure"][0] in done.stdout
        assert "trace identical" in done.stderr
    small = tmp_path / "small.json"
    assert iopf("race", "minimise", str(schedule), "-o", str(small)).returncode == Status.FAILED
    assert iopf("race", "replay", str(small)).returncode == Status.FAILED


def test_a_scenario_is_proved_within_the_budget(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(
        "schema = 1\n"
        '[[program]]\nops = ["map t0 4", "t0: start", "unmap t0 4"]\n[[program]]\nops = ["d0: start"]\n'
    )
    done = iopf("race", "prove", str(file), "--seconds", "60", "--json")
    assert done.returncode == Status.OK, done.stderr
    document = json.loads(done.stdout)
    assert (document["scenario"], document["race"]) == (str(file), None)
    assert document["executions"] > 0
    failing = iopf("race", "prove", written(tmp_path), "--seconds", "10")
    assert failing.returncode == Status.FAILED
    assert f"{tmp_path / 'mine.toml'} on v7.2\n" in failing.stdout
    assert "fails; minimised to 0 preemptions" in failing.stdout


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("run", "mine.toml", "--fixed"), Status.USAGE, "--fixed needs a race; mine.toml is a"),
        (("prove", "mine.toml", "--defective"), Status.USAGE, "--defective needs a race; mine"),
        (("run", "mine.toml", "--mode", "noise"), Status.USAGE, "--mode noise needs a race;"),
        (("run", "nope"), Status.USAGE, "no race or scenario 'nope'"),
        (("run", "nope.toml"), Status.USAGE, "nope.toml"),
    ],
)
def test_options_that_need_a_race_are_one_line(
    tmp_path: Path, args: tuple[str, ...], status: Status, says: str
) -> None:
    written(tmp_path)
    done = iopf("race", *args, cwd=tmp_path)
    assert done.returncode == status, done.stdout
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("args", [("prove",), ("run", "--strategy", "dpor")])
def test_a_system_too_large_for_a_walk_is_refused(tmp_path: Path, args: tuple[str, ...]) -> None:
    command, *rest = args
    devices = "[[device]]\ncount = 3\n[[tenant]]\ncount = 3\n"
    programs = "".join(
        f'[[program]]\nops = ["map t{n} 4", "bind d{n} t{n}"]\n[[program]]\nops = ["d{n}: start"]\n'
        for n in range(3)
    )
    drivers = "".join(f'[[program]]\nops = ["k{n}: start"]\n' for n in range(6))
    (tmp_path / "many.toml").write_text(f"schema = 1\n{devices}{programs}{drivers}")
    done = iopf("race", command, "./many.toml", "--seconds", "5", *rest, cwd=tmp_path)
    assert done.returncode == Status.UNSUPPORTED, done.stdout + done.stderr
    assert "processes; at most 15 can be explored exhaustively" in done.stderr
    searched = iopf("race", "run", "./many.toml", "--schedules", "20", cwd=tmp_path)
    assert searched.returncode == Status.OK, searched.stdout + searched.stderr
