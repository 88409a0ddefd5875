# SPDX-License-Identifier: MIT
"""Ending signals: every command ends at once, prints one line, and leaves no process and no segment."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from iopf.shm.objects import find_all
from iopf.tools.cli.commands.race.common import tells_when_stopped
from iopf.tools.cli.main import main
from iopf.tools.lab.play.system import build_lab
from iopf.tools.lab.search.search import search
from iopf.tools.status import Status

from tests.support.speed import slowdown

RUN = ("race", "run", "4.22", "--fixed")
LONG = {
    "prove": ("race", "prove", "4.22", "--seconds", "300"),
    "dpor": (*RUN, "--strategy", "dpor", "--seconds", "300"),
    "run": (*RUN, "--seconds", "300"),
    "processes": (*RUN, "--seconds", "300", "--mode", "processes"),
    "fuzz": ("race", "fuzz", "--seconds", "300", "-o", os.devnull + "-none"),
    "kill": ("race", "kill", "quickstart", "--mode", "processes"),
}
BOUND_S = 30 * slowdown()
BIND = ["map t0 4", "bind d0 t0"]
SEND = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=2 group=a", "await d0"]


def begun(*args: str, at: Path | None = None, by: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*by, sys.executable, "-m", "iopf.tools.cli.main", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=at,
    )


def left_by(process: subprocess.Popen[str]) -> list[str]:
    return [str(name) for name in find_all() if name.pid == process.pid]


def wait_for_segment(process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + BOUND_S
    while not left_by(process):
        assert process.poll() is None
        assert time.monotonic() < until
        select.select([], [], [], 0.001)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Send the signal to the whole group, as from a terminal; return the output."""
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
        (signal.SIGHUP, Status.HUNG_UP, "hung up"),
        (signal.SIGQUIT, Status.QUIT, "quit"),
    ],
)
@pytest.mark.parametrize("command", LONG)
def test_a_long_search_ends_at_once(
    command: str, number: signal.Signals, status: Status, word: str
) -> None:
    process = begun(*LONG[command])
    wait_for_segment(process)
    out, err = ended(process, number)
    assert process.returncode == status, out + err
    assert err.splitlines()[-1] == f"iopf: {word}"


def played_and_interrupted() -> None:
    with build_lab(BIND, SEND) as lab, tells_when_stopped(lab):
        search(lab, 1, seconds=10, most=50)
        raise KeyboardInterrupt


def test_progress_is_printed_on_a_signal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        played_and_interrupted()
    assert capsys.readouterr().err == "50 schedules run\n"


@pytest.mark.parametrize("wait_ms", range(0, 400, 40))
def test_a_starting_system_ends(wait_ms: int, tmp_path: Path) -> None:
    """Between the creation of the segment and the last fork, whenever that is on this machine."""
    process = begun("stress", "--devices", "8", "--seconds", "60", at=tmp_path)
    wait_for_segment(process)
    select.select([], [], [], wait_ms / 1000)
    out, err = ended(process, signal.SIGTERM)
    assert process.returncode == Status.TERMINATED, out + err


@pytest.mark.parametrize("command", [("stress", "--devices", "2"), (*RUN, "--mode", "native")])
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGHUP, Status.HUNG_UP), (signal.SIGQUIT, Status.QUIT)]
)
def test_a_run_ends_by_a_hang_up_as_by_an_interrupt(
    command: tuple[str, ...], number: signal.Signals, status: Status, tmp_path: Path
) -> None:
    process = begun(*command, "--seconds", "60", at=tmp_path)
    wait_for_segment(process)
    out, err = ended(process, number)
    assert process.returncode == status, out + err


@pytest.mark.parametrize("command", [RUN, ("stress", "--devices", "2")])
def test_a_closed_terminal_ends_the_command(command: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing can be written to it, but everything must be cleaned up."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "iopf.tools.cli.main", *command, "--seconds", "60"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        text=True,
        start_new_session=True,
        cwd=tmp_path,
    )
    os.close(slave)
    wait_for_segment(process)
    os.close(master)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(BOUND_S) == Status.HUNG_UP
    assert left_by(process) == []


def test_nohup_is_obeyed() -> None:
    process = begun(*RUN, "--seconds", "60", by=("nohup",))
    wait_for_segment(process)
    os.killpg(process.pid, signal.SIGHUP)
    out, err = ended(process, signal.SIGTERM)
    assert process.returncode == Status.TERMINATED, out + err


@pytest.mark.parametrize("by", ["race run", "run", "pytest"])
def test_the_next_start_removes_the_objects_of_a_killed_process(
    by: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    process = begun(*RUN, "--seconds", "60")
    wait_for_segment(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if by == "race run":
        assert main(["race", "run", "4.18"]) == Status.FAILED
    elif by == "run":
        assert main(["run", "quickstart", "--run-dir", str(tmp_path / "run")]) == Status.OK
    else:
        request.getfixturevalue("iopf_race")(BIND, SEND)
    assert left_by(process) == []
