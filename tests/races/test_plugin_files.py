# SPDX-License-Identifier: MIT
"""Schedule files of the pytest plugin: names and directories."""

from __future__ import annotations

from pathlib import Path

from iopf.tools.status import Status

from tests.support.plugin import FAILING, failures, run
from tests.support.running import iopf

ODD = """
import pytest

@pytest.mark.parametrize("name", ["a/b", "a-b", "a b", "2", "x" * 300], ids=str)
def test_it(iopf_race, name):
    iopf_race(["t0: start", "unbind d0 t0"])

@pytest.mark.parametrize("times", [2])
def test_twice(iopf_race, times):
    for _ in range(times):
        with pytest.raises(pytest.fail.Exception):
            iopf_race(["t0: start", "unbind d0 t0"])

def test_twice_(iopf_race):
    for _ in range(2):
        with pytest.raises(pytest.fail.Exception):
            iopf_race(["t0: start", "unbind d0 t0"])
"""


def test_every_failure_has_a_unique_and_stable_file(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(ODD)
    found = []
    for _ in range(2):
        assert "not written" not in run(tmp_path, "-q").stdout
        found.append(sorted(file.name for file in (tmp_path / ".iopf-schedules").iterdir()))
    assert found[0] == found[1]
    assert len(found[0]) == 9
    assert {"test_it.py-test_twice_.json", "test_it.py-test_twice_.2.json"} < set(found[0])


ELSEWHERE = """
def test_moves(iopf_race, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    iopf_race(["t0: start", "unbind d0 t0"])

def test_replays(iopf_race, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    iopf_race.replay("kept/test_it.py-test_moves.json", fails=True)
    iopf_race.replay("beside.json")
"""


def test_paths_are_relative_to_the_start_directory_of_pytest(tmp_path: Path) -> None:
    """Wherever the test is and goes. A schedule is also found beside its test, and printed paths can be replayed."""
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(ELSEWHERE)
    args = ("-q", "../test_it.py", "--iopf-schedules=kept")
    assert "\niopf race replay" not in run(below, *args, "-k", "replays").stdout
    moves = run(below, *args, "-k", "moves")
    assert "; iopf race replay kept/test_it.py-test_moves.json\n" in moves.stdout
    file = below / "kept" / "test_it.py-test_moves.json"
    (tmp_path / "beside.json").write_bytes(file.read_bytes())
    (text,) = failures(run(below, *args, "-k", "replays"))
    assert "\niopf race replay ../beside.json\n" in text


def test_a_device_not_named_in_a_program_is_saved_too(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING.replace('"marker"}', '"marker", "count": 2}'))
    assert run(tmp_path, "-q").returncode == 1
    (file,) = (tmp_path / ".iopf-schedules").iterdir()
    assert iopf("race", "replay", str(file)).returncode == Status.FAILED
