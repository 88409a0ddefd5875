# SPDX-License-Identifier: MIT
"""`iopf_race.replay`: schedule files in tests, of code as it was and as it is now."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from iopf.emulator.races.catalogue import catalogue
from iopf.tools.status import Status

from tests.support.plugin import FAILING, failures, outcomes, run
from tests.support.running import iopf

REPLAYS = """
import pytest
from iopf.tools.lab.play.processes import ActorProcesses

FILE = ".iopf-schedules/test_it.py-test_unbind.json"
FIXED = ".iopf-schedules/fixed.json"

def test_still_fails(iopf_race):
    iopf_race.replay(FILE)

def test_fails_as_said(iopf_race):
    text = iopf_race.replay(FILE, fails=True)
    assert text.startswith(("use after free", "invalid pointer", "bad word"))

@pytest.mark.race(mode="processes")
def test_fails_by_processes(iopf_race, monkeypatch):
    started, start = [], ActorProcesses._start
    monkeypatch.setattr(ActorProcesses, "_start", lambda self, slot: (start(self, slot), started.append(slot)))
    iopf_race.replay(FILE, fails=True)
    assert len(started) > 3

def test_is_mended(iopf_race):
    assert iopf_race.replay(FIXED) == ""

def test_fails_no_more(iopf_race):
    iopf_race.replay(FIXED, fails=True)
"""


def test_the_file_of_a_failure_can_be_replayed_by_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    run(tmp_path, "-q")
    file = tmp_path / ".iopf-schedules" / "test_it.py-test_unbind.json"
    document = json.loads(file.read_text())
    (failure,) = document["failure"]
    document["segments"] = [["dev-00", 1]]
    (file.parent / "fixed.json").write_text(json.dumps(document))
    (tmp_path / "test_it.py").write_text(REPLAYS)
    done = run(tmp_path, "-q", "-rpf")
    assert done.returncode == 1, done.stdout
    assert outcomes(done) == {
        "still_fails": "FAILED",
        "fails_as_said": "PASSED",
        "fails_by_processes": "PASSED",
        "is_mended": "PASSED",
        "fails_no_more": "FAILED",
    }
    told = done.stdout.split("_ test_still_fails _")[1].split("_ test_fails_no_more _")[0]
    assert f"_\n{failure}\niopf race replay .iopf-schedules/{file.name}\n" in told
    assert "    last step: " in told
    assert "\nminimal ordering constraints:\n" in told
    assert "\n.iopf-schedules/fixed.json: no longer fails\n" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_failure_is_reported_when_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "taken").touch()
    for directory, named, why in (
        ("taken", "taken", "File exists"),
        ("taken/below", "taken/below", "Not a directory"),
    ):
        (text,) = failures(run(tmp_path, "-q", f"--iopf-schedules={directory}"))
        assert text.startswith(("use after free", "invalid pointer", "bad word"))
        assert re.search(rf"\nschedule \d+ of seed 4; not written, {named}: {why}\n", text)
        assert "\nminimal ordering constraints:\n" in text
        assert "Traceback" not in text


@pytest.mark.parametrize("fails", [False, True])
def test_an_invalid_file_is_one_line(tmp_path: Path, fails: bool) -> None:
    (tmp_path / "no.json").write_text("{}")
    names = ["nosuch.json", "no.json", None, 5]
    (tmp_path / "test_it.py").write_text(
        "".join(
            f"def test_{number}(iopf_race):\n    iopf_race.replay({name!r}, fails={fails})\n"
            for number, name in enumerate(names)
        )
    )
    none, no_schedule, *others = failures(run(tmp_path, "-q"))
    assert none == f"nosuch.json: no such schedule file in {tmp_path}"
    assert re.fullmatch(r"no\.json: not a schedule file: .*", no_schedule)
    assert others == [f"replay({name}): expected the name of a schedule file" for name in (None, 5)]


def test_a_file_passes_with_fixed_code_even_if_it_diverges(tmp_path: Path) -> None:
    """Every race of the catalogue whose schedule diverges in the fixed kernel: the replay continues as far as possible."""
    diverged = 0
    for race in list(catalogue().values())[:12]:
        file = tmp_path / f"{race.slug}.json"
        iopf("race", "run", race.slug, "--seconds", "60", "-o", str(file))
        document = json.loads(file.read_text())
        if race.fixed is not None:
            continue
        document["scenario"]["kernel"]["defects"] = []
        file.write_text(json.dumps(document))
        diverged += iopf("race", "replay", str(file)).returncode == Status.UNTRUSTED
        (tmp_path / f"test_{race.slug.replace('-', '_')}.py").write_text(
            f"def test_it(iopf_race):\n    iopf_race.replay('{file.name}')\n"
        )
    assert diverged > 0
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
