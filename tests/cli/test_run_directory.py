# SPDX-License-Identifier: MIT
"""A run directory that is used again: it has the files of the last run only, and those of others stay."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.status import Status

from tests.support.running import iopf

OWN = {"result.json", "scenario.resolved.toml", "log.txt", "testid.txt", "events.bin"}


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """The directory of a run that was interrupted with SIGUSR1, with a file of somebody else."""
    done = iopf("run", "quickstart", "-qq", "--run-dir", "out", cwd=tmp_path)
    assert done.returncode == Status.OK
    (tmp_path / "out" / "status-1.json").write_text("{}")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    return tmp_path / "out"


def test_a_second_run_replaces_the_files_of_the_first(used: Path) -> None:
    args = ("run", "one-request", "-qq", "--run-dir", "out")
    assert iopf(*args, "--set", "system.events=none", cwd=used.parent).returncode == Status.OK
    assert set(os.listdir(used)) == OWN - {"events.bin"} | {"notes.txt"}
    assert json.loads((used / "result.json").read_text())["name"] == "one-request"
    done = iopf("events", "out", cwd=used.parent)
    assert done.returncode == Status.USAGE
    assert "out: has no events.bin" in done.stderr
    assert iopf(*args, cwd=used.parent).returncode == Status.OK
    assert set(os.listdir(used)) == OWN | {"notes.txt"}
    assert "request 4999" in iopf("events", "out", "--request", "4999", cwd=used.parent).stdout


def test_a_run_that_does_not_start_leaves_no_files_of_a_run(used: Path) -> None:
    (used.parent / "empty.trace").touch()
    args = ("run", "--trace", "./empty.trace", "--run-dir", "out")
    assert iopf(*args, cwd=used.parent).returncode == Status.USAGE
    assert os.listdir(used) == ["notes.txt"]


def test_an_invalid_scenario_does_not_touch_the_directory(used: Path) -> None:
    before = sorted(os.listdir(used))
    assert iopf("run", "nosuch", "--run-dir", "out", cwd=used.parent).returncode == Status.USAGE
    assert sorted(os.listdir(used)) == before


@pytest.mark.parametrize(
    ("place", "status"),
    [("/proc/nowhere", Status.MACHINE), ("/dev/null", Status.USAGE), ("file/in", Status.USAGE)],
)
def test_a_directory_that_cannot_be_made(
    place: str,
    status: Status,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["run", "--run-dir", place]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"iopf: {place.partition('/in')[0]}: cannot write the run directory: ")
    assert line.endswith("choose another with --run-dir")
