# SPDX-License-Identifier: MIT
"""Mistakes in markers, calls and files are failures of the test, a line each."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.plugin import FAILING, failures, outcomes, run


@pytest.mark.parametrize("memory", [None, "sc", "tso"])
def test_the_marker_selects_the_memory_model(tmp_path: Path, memory: str | None) -> None:
    """The race needs no delayed store, so its file says `sc` for either model."""
    marker = "" if memory is None else f", memory={memory!r}"
    (tmp_path / "test_it.py").write_text(FAILING.replace("seed=4", f"seed=4{marker}"))
    done = run(tmp_path, "-q", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    properties = {
        p.get("name"): p.get("value") for p in ET.parse(tmp_path / "junit.xml").iter("property")
    }
    assert properties["iopf_memory"] == (memory or "tso")
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert json.loads(file.read_text())["memory"] == "sc"


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("schedules=0", "race(schedules=0): expected 1 to 2**62"),
        ("depth=99", "race(depth=99): expected 1 to 15"),
        ("memory='arm'", "race(memory='arm'): expected 'sc' or 'tso'"),
        ("shedules=3", "race(): no argument 'shedules'; expected one of schedules, executions,"),
        ("executions=0", "race(executions=0): expected 1 to 2**62"),
        ("schedules='many'", "race(schedules='many'): expected 1 to 2**62"),
        ("schedules=2**70", f"race(schedules={2**70}): expected 1 to 2**62"),
        ("seconds='long'", "race(seconds='long'): expected more than 0"),
        ("seed=-1", "race(seed=-1): expected 0 to 2**63"),
        ("mode='threads'", "race(mode='threads'): expected 'fibers' or 'processes'"),
        ("3000", "race(): use keyword arguments, like race(schedules=1000)"),
    ],
)
def test_an_invalid_marker_is_one_line(tmp_path: Path, marker: str, says: str) -> None:
    (tmp_path / "test_it.py").write_text(FAILING.replace("schedules=3000, seed=4", marker))
    (text,) = failures(run(tmp_path, "-q"))
    assert text.startswith(says)
    assert "\n" not in text


GOOD = 'UNBIND = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]\n'


MISTAKES = [
    ("['mapp t0 4']", "program 0, 'mapp t0 4': 'mapp' is not an operation; did you mean 'map'?"),
    (
        "UNBIND, ['d0: start', 'send d9 t0 pages=1']",
        "program 1, 'send d9 t0 pages=1': no device 'd9'; expected d0",
    ),
    ("['map t9 4']", "program 0, 'map t9 4': no tenant 't9'; expected t0"),
    ("UNBIND, kernle={}", "kernle: unknown section; did you mean 'kernel'?"),
    ("UNBIND, kernel={'a': 1}", "kernel.a: unknown key"),
    ("UNBIND, kernel={'defects': ['nope']}", "kernel.defects[0]: no defect 'nope'"),
    ("UNBIND, kernel=3", "kernel: expected a table, got 3"),
    ("UNBIND, device={}", "device={}: expected a list of tables, like device=[{...}]"),
    ("UNBIND, live={'no': 1}", "live: no pool 'no'; expected one of fault, "),
    ("UNBIND, live=3", "live=3: expected numbers of objects by pool"),
    ("UNBIND, queue_records=3", "queue_records=3: expected 0 or a power of two"),
    ("UNBIND, memory='sc'", "memory is not a table of a scenario; write @pytest.mark.race(memory"),
    ("UNBIND, seed=3", "seed is not a table of a scenario; write @pytest.mark.race(seed=...)"),
    ("UNBIND, schedules=3", "schedules is not a table of a scenario; write @pytest.mark.race(sche"),
    (
        "UNBIND, executions=3",
        "executions is not a table of a scenario; write @pytest.mark.race(exe",
    ),
    ("UNBIND, program=[]", "program is not a table of a scenario; give programs as lists of lines"),
    ("UNBIND, extends='overflow'", "extends is not a table of a scenario"),
    ("UNBIND, kernel={1: 2}", "kernel.1: unknown key"),
    ("UNBIND, device=[{1: 2}]", "device[0].1: unknown key"),
    (
        "UNBIND, device=[{}, {'workload': {'pages': 4}}]",
        "device[1]: dev-01 runs a workload, but programs run all tenants",
    ),
    ("UNBIND, ['t0: pause 1ms']", "program 1, 't0: pause 1ms': t0 already runs program 0"),
    ("", 'no program; give at least one list of lines, like ["map t0 4", "bind d0 t0"]'),
    ("[]", "program 0: a program has 1 to 4096 lines, this one 0"),
    ("[3]", "program 0, 3: expected str, got int"),
    ("3", "program 0 is 3; expected a list of lines, like ["),
    ("'map t0 4', UNBIND", "program 0 is 'map t0 4'; expected a list of lines, like ["),
    ("UNBIND, 'map t0 4'", "program 1 is 'map t0 4'; expected a list of lines, like ["),
]


def test_an_error_in_a_call_is_one_line(tmp_path: Path) -> None:
    calls = [call for call, _ in MISTAKES]
    (tmp_path / "test_it.py").write_text(
        GOOD
        + "".join(
            f"def test_{number}(iopf_race):\n    iopf_race{how}({call})\n"
            for how in ("", ".finds")
            for number, call in enumerate(calls, 0 if not how else len(calls))
        )
    )
    texts = failures(run(tmp_path, "-q"))
    for text, (_, says) in zip(texts, MISTAKES * 2, strict=True):
        assert text.startswith(says)
        assert "\n" not in text


OPEN = """
from iopf.tools.lab.play.system import build_lab

def test_another_is_open(iopf_race):
    with build_lab(["t0: start", "map t0 4"]):
        iopf_race(["t0: start", "map t0 4"])

def test_replay(iopf_race):
    with build_lab(["t0: start", "map t0 4"]):
        iopf_race.replay("it.json")
"""


def test_a_second_lab_in_a_process_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    run(tmp_path, "-q")
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    file.rename(tmp_path / "it.json")
    (tmp_path / "test_it.py").write_text(OPEN)
    for text in failures(run(tmp_path, "-q")):
        assert text == (
            "a process can have one lab open at a time: "
            "build labs in one thread, and close the previous one"
        )


MARKED = """
import pytest

@pytest.mark.race
def test_forgotten(iopf_race):
    pass

@pytest.mark.race
def test_skipped(iopf_race):
    pytest.skip()

@pytest.mark.race
def test_other_failure(iopf_race):
    assert False

@pytest.mark.race
def test_marker_of_its_own():
    pass

def test_unmarked(iopf_race):
    pass
"""


def test_a_marked_test_that_never_calls_the_fixture_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(MARKED)
    done = run(tmp_path, "-q", "-rA")
    assert outcomes(done) == {
        "forgotten": "FAILED",
        "other_failure": "FAILED",
        "marker_of_its_own": "PASSED",
        "unmarked": "PASSED",
    }
    forgotten, other, *_ = failures(done)
    assert forgotten == "marked race, but iopf_race was never called: the test checks nothing"
    assert "assert False" in other
    assert "1 skipped" in done.stdout
