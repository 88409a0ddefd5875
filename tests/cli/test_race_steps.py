# SPDX-License-Identifier: MIT
"""Schedules step by step: `--full` and `race replay` print every step, with those that decide marked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.status import Status

RACE = "remove-before-drain"
STEP = re.compile(r" *(\d+)[! ] ([^\s@]+) +(\S+)")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("steps") / "uaf.json"
    assert main(["race", "run", RACE, "-o", str(made)]) == Status.FAILED
    return made


def steps_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if STEP.match(line)]


def test_replay_prints_every_step_in_order(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "replay", str(file)]) == Status.FAILED
    found = steps_in(capsys.readouterr().out)
    segments = json.loads(file.read_text())["segments"]
    actors = [name for name, length in segments for _ in range(length)]
    matches = [STEP.match(line) for line in found]
    assert [(int(m[1]), m[2]) for m in matches if m] == list(enumerate(actors, 1))


def test_the_steps_of_every_constraint_are_marked(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["race", "replay", str(file)])
    out = capsys.readouterr().out
    constraints = json.loads(file.read_text())["constraints"]
    assert constraints
    for number, text in enumerate(constraints, 1):
        assert f"{number:>6}  {text}\n" in out
        first, second = (part.partition("#")[0] for part in text.split(" before "))
        for role, place in (("before", first), ("after", second)):
            (line,) = [s for s in steps_in(out) if re.search(rf"<-.*{role} [\d,]*\b{number}\b", s)]
            made = STEP.match(line)
            assert made is not None
            assert f"{made[2]}@{made[3]}" == place


def test_full_prints_what_replay_prints(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["race", "replay", str(file)])
    replayed = steps_in(capsys.readouterr().out)
    for command in (["run", RACE], ["minimise", str(file)]):
        assert main(["race", *command, "--full"]) == Status.FAILED
        found = steps_in(capsys.readouterr().out)
        assert "<- before 1" in "".join(found)
        if command[0] == "run":
            assert found == replayed


def test_the_table_stays_the_overview(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["race", "run", RACE])
    table = capsys.readouterr().out.partition("\n\n")[2]
    main(["race", "replay", str(file), "--table"])
    out = capsys.readouterr().out
    assert out.startswith(table.partition("\n\n")[0])
    assert len(out.splitlines()) < 60
    assert not [line for line in steps_in(out) if "<- " in line]


def test_prove_prints_every_step_of_a_failing_schedule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["race", "prove", RACE, "--defective", "--full"]) == Status.FAILED
    out = capsys.readouterr().out
    assert len(steps_in(out)) > 60
    assert "..." not in out
