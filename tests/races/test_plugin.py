"""The pytest plugin as a project that uses it sees it, and as one that does not."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

FAILING = """
import pytest

@pytest.mark.race(schedules=3000, seed=4)
def test_unbind(iopf_race):
    iopf_race(
        ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"],
        ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"],
        kernel={"defects": ["remove-before-drain"]},
        device=[{"stop": "marker"}],
    )
"""


def run(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_race_fails_with_its_schedule_a_file_and_properties(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    done = run(tmp_path, "-q", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "iopf race replay .iopf-schedules/test_it.py-test_unbind.json" in done.stdout
    assert "task:tenant-00" in done.stdout
    assert "Traceback" not in done.stdout
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert json.loads(file.read_text())["failure"]
    properties = {
        p.get("name"): p.get("value") for p in ET.parse(tmp_path / "junit.xml").iter("property")
    }
    assert properties["iopf_seed"] == "4"
    assert properties["iopf_schedule_file"] == f".iopf-schedules/{file.name}"
    assert int(properties["iopf_schedules"] or 0) > 0


def test_the_file_of_a_failure_is_a_test_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    run(tmp_path, "-q")
    (tmp_path / "test_it.py").write_text(
        "def test_replay(iopf_race):\n"
        "    text = iopf_race.replay('.iopf-schedules/test_it.py-test_unbind.json')\n"
        "    assert text.startswith(('use after free', 'wild access', 'bad word'))\n"
    )
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("memory", [None, "sc", "tso"])
def test_the_memory_model_is_what_the_marker_says(tmp_path: Path, memory: str | None) -> None:
    """The race needs no delayed store, so its file says `sc` whatever was explored."""
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
        ("schedules=0", "race(schedules=0): expected 1 or more"),
        ("depth=99", "race(depth=99): expected 1 to 15"),
        ("memory='arm'", "race(memory='arm'): expected 'sc' or 'tso'"),
        ("shedules=3", "race(): no argument 'shedules'"),
    ],
)
def test_a_wrong_marker_is_one_clear_line(tmp_path: Path, marker: str, says: str) -> None:
    (tmp_path / "test_it.py").write_text(FAILING.replace("schedules=3000, seed=4", marker))
    done = run(tmp_path, "-q")
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout + done.stderr


def test_workers_of_xdist_do_not_meet(tmp_path: Path) -> None:
    body = FAILING.replace('kernel={"defects": ["remove-before-drain"]},', "")
    for number in range(4):
        (tmp_path / f"test_{number}.py").write_text(body)
    done = run(tmp_path, "-q", "-n", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_project_that_does_not_use_it_imports_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    ours = [m for m in sys.modules if m.split('.')[0] in ('emulator', 'tools', 'shm', 'cython_ext')]\n"
        "    assert sorted(ours) == ['emulator', 'emulator.sched', 'emulator.sched.plugin']\n"
    )
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout
