"""SIGINT and SIGTERM: every command ends at once, says so in one line, and leaves no process and no segment."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shm.naming import find_all
from tools.cli.commands.race.common import tells_when_stopped
from tools.cli.status import Status
from tools.lab.search import search
from tools.lab.system import build_lab

LONG = {
    "prove": ("race", "prove", "4.22", "--seconds", "300"),
    "dpor": ("race", "run", "4.22", "--fixed", "--strategy", "dpor", "--seconds", "300"),
    "run": ("race", "run", "4.22", "--fixed", "--seconds", "300"),
    "processes": ("race", "run", "4.22", "--fixed", "--seconds", "300", "--mode", "processes"),
    "fuzz": ("race", "fuzz", "--seconds", "300", "-o", os.devnull + "-none"),
    "kill": ("race", "kill", "quickstart", "--mode", "processes"),
}
BOUND_S = 30
BIND = ["map t0 4", "bind d0 t0"]
SEND = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=2 group=a", "await d0"]


def begun(*args: str, at: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.cli.main", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=at,
    )


def left_by(process: subprocess.Popen[str]) -> list[str]:
    return [str(name) for name in find_all() if name.pid == process.pid]


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """The whole group gets the signal, as from a terminal; what was printed."""
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=BOUND_S)
    assert left_by(process) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGINT, Status.INTERRUPTED, "interrupted"),
        (signal.SIGTERM, Status.TERMINATED, "terminated"),
    ],
)
@pytest.mark.parametrize("command", LONG)
def test_a_long_search_ends_at_once(
    command: str, number: signal.Signals, status: Status, word: str
) -> None:
    process = begun(*LONG[command])
    until = time.monotonic() + BOUND_S
    while not left_by(process):
        assert process.poll() is None
        assert time.monotonic() < until
        select.select([], [], [], 0.005)
    out, err = ended(process, number)
    assert process.returncode == status, out + err
    assert err.splitlines()[-1] == f"iopf: {word}"


def played_and_interrupted() -> None:
    with build_lab(BIND, SEND) as lab, tells_when_stopped(lab):
        search(lab, 1, seconds=10, most=50)
        raise KeyboardInterrupt


def test_what_was_played_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        played_and_interrupted()
    assert capsys.readouterr().err == "50 schedules played\n"


@pytest.mark.parametrize("wait_ms", range(0, 400, 40))
def test_what_is_still_starting_ends(wait_ms: int, tmp_path: Path) -> None:
    """Between the segment's making and the last fork, wherever that is on this machine."""
    process = begun("stress", "--devices", "8", "--seconds", "60", at=tmp_path)
    until = time.monotonic() + BOUND_S
    while not left_by(process):
        assert process.poll() is None
        assert time.monotonic() < until
        select.select([], [], [], 0.001)
    select.select([], [], [], wait_ms / 1000)
    out, err = ended(process, signal.SIGTERM)
    assert process.returncode == Status.TERMINATED, out + err
