# SPDX-License-Identifier: MIT
"""`iopf_race.prove`: all schedules of a program, as a test."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from iopf.tools.status import Status

from tests.support.plugin import failures, run

PROGRAMS = """
import pytest

SMALL = ["map t0 4", "t0: start", "unmap t0 4"]
UNBIND = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]
SEND = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"]
BUG = dict(kernel={"defects": ["remove-before-drain"]}, device=[{"stop": "marker"}])
"""


def test_every_schedule_runs_and_is_counted(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        PROGRAMS + "def test_small(iopf_race):\n    assert iopf_race.prove(SMALL).complete\n"
    )
    done = run(tmp_path, "-q", "-rP", "--junitxml=junit.xml")
    assert done.returncode == 0, done.stdout
    assert "proved: no schedule" in done.stdout
    assert "executions in " in done.stdout
    properties = {
        p.get("name"): p.get("value") for p in ET.parse(tmp_path / "junit.xml").iter("property")
    }
    assert properties["iopf_complete"] == "True"
    assert properties["iopf_memory"] == "sc"
    assert int(properties["iopf_schedules"] or 0) > 0


def test_a_failing_schedule_is_reported_and_saved(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        PROGRAMS
        + "@pytest.mark.race(seconds=30)\n"
        + "def test_bug(iopf_race):\n    iopf_race.prove(UNBIND, SEND, **BUG)\n"
    )
    (text,) = failures(run(tmp_path, "-q"))
    assert text.startswith(("use after free", "invalid pointer", "bad word"))
    assert "preemptions; iopf race replay .iopf-schedules/test_it.py-test_bug.json\n" in text
    assert "    last step: " in text
    document = json.loads((tmp_path / ".iopf-schedules/test_it.py-test_bug.json").read_text())
    assert document["memory"] == "sc"
    assert text.startswith(document["failure"][0])


@pytest.mark.parametrize(
    ("marker", "call", "says"),
    [
        ("memory='tso'", "SMALL", "race(memory='tso'): prove runs fibers under sequential"),
        ("mode='processes'", "SMALL", "race(mode='processes'): prove runs fibers under"),
        ("", "SMALL, delays=9", "prove(delays=9): expected 0 to 8"),
        ("", "SMALL, delays='2'", "prove(delays='2'): expected 0 to 8"),
        ("", "SMALL, executions=0", "prove(executions=0): expected 1 to 2**62"),
        ("", "['mapp t0 4']", "program 0, 'mapp t0 4': 'mapp' is not an operation"),
        ("", "SMALL, kernel={'handlers': 20}", "26 processes; at most 15 can be explored"),
    ],
)
def test_an_impossible_proof_fails_in_one_line(
    tmp_path: Path, marker: str, call: str, says: str
) -> None:
    (tmp_path / "test_it.py").write_text(
        f"{PROGRAMS}@pytest.mark.race({marker})\ndef test_it(iopf_race):\n    iopf_race.prove({call})\n"
    )
    (text,) = failures(run(tmp_path, "-q"))
    assert text.startswith(says)
    assert "\n" not in text


BOUNDED = """
@pytest.mark.race(executions=300)
def test_marker(iopf_race):
    proof = iopf_race.prove(UNBIND, SEND, delays=1)
    assert (proof.outcome, proof.executions, proof.delays) == ("bounded", 300, 1)

@pytest.mark.race(executions=300)
def test_call(iopf_race):
    assert iopf_race.prove(UNBIND, SEND, delays=0, executions=200).executions == 200
"""


def test_a_number_of_executions_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PROGRAMS + BOUNDED)
    played = []
    for _ in range(2):
        done = run(tmp_path, "-q", "-rP")
        assert done.returncode == 0, done.stdout
        played.append(re.findall(r"the budget ended: (.*) in \d+\.\d+ s", done.stdout))
    assert played[0] == played[1]
    assert re.fullmatch(
        r"no schedule with at most 1 delay fails; 300 executions, then [\d,]+ schedules of at most 1 delay",
        played[0][0],
    )


SHORT = """
@pytest.mark.race(seconds=0.01, executions=2**40)
def test_short(iopf_race):
    iopf_race.prove(UNBIND, SEND, delays=8)

def test_small(iopf_race):
    iopf_race.prove(SMALL, executions=1000)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one", "xdist"])
def test_seconds_that_end_first_are_inconclusive_and_no_failure(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    (tmp_path / "test_it.py").write_text(PROGRAMS + SHORT)
    done = run(tmp_path, "--junitxml=junit.xml", *workers)
    assert done.returncode == Status.INCONCLUSIVE, done.stdout + done.stderr
    assert re.search(r"=+ 1 passed, 1 inconclusive in ", done.stdout)
    (line,) = re.findall(r"^INCONCLUSIVE (.*)$", done.stdout, re.MULTILINE)
    assert line.startswith("test_it.py::test_short - inconclusive, the budget ended: ")
    assert line.endswith("; give race(seconds=...), or fewer delays")
    suite = ET.parse(tmp_path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert [suite.get(key) for key in ("failures", "errors", "skipped")] == ["0", "0", "1"]
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["iopf_outcome"] in ("inconclusive", "proved")


def test_a_failure_beside_an_inconclusive_proof_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PROGRAMS + SHORT + "def test_fails():\n    assert False\n")
    done = run(tmp_path, "-q")
    assert done.returncode == 1, done.stdout
    assert "1 failed, 1 passed, 1 inconclusive in " in done.stdout
