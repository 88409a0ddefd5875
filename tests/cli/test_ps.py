# SPDX-License-Identifier: MIT
"""`iopf ps`: running systems with their processes, and searches at work."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.races.catalogue import catalogue
from iopf.shm.arena import STATE_CONTROLLED
from iopf.shm.objects import ArenaError
from iopf.tools.lab.play.processes import processes_for
from iopf.tools.lab.play.races import lab_of
from iopf.tools.status import Status
from iopf.tools.watch.attach import Found, attach, systems
from iopf.tools.watch.ps import main, row_of

from tests.support.running import BOUND_S, ENDLESS, Running, iopf


def searches(found: Found) -> bool:
    return found.header is not None and found.header.state == STATE_CONTROLLED


def row(pid: int) -> dict[str, Any]:
    (found,) = [each for each in systems() if each.name.pid == pid]
    return row_of(found)


def test_processes_and_progress_of_a_run(tmp_path: Path) -> None:
    with Running(tmp_path, "--devices", "3", "--handlers", "2", *ENDLESS) as run:
        found = row(run.process.pid)
        assert found["state"] == "run"
        roles = [each["role"] for each in found["processes"]]
        assert [roles.count(role) for role in ("iommu", "irq", "handler", "device")] == [1, 1, 2, 3]
        assert all(os.path.exists(f"/proc/{each['pid']}") for each in found["processes"])
        busy = [each for each in found["processes"] if each["role"] == "device"]
        assert all(each["idle_s"] is not None for each in busy)
        assert found["idle_s"] == min(
            each["idle_s"] for each in busy + found["processes"] if each["idle_s"] is not None
        )
        text = iopf("ps", "--processes").stdout
        mine = text.partition(found["system"])[2]
        assert f"pid {busy[2]['pid']}" in mine
        assert mine.splitlines()[0].split()[:2] == [str(run.process.pid), "run"]


@pytest.mark.parametrize("mode", ["fibers", "processes"])
def test_a_search_at_work_is_searching(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        lab_of(catalogue()["remove-before-drain"], defective=True) as lab,
        processes_for(lab, mode),
    ):
        found = row(os.getpid())
        assert (found["state"], found["trouble"]) == ("search", None)
        assert found["name"]
        assert found["age_s"] >= 0
        assert main(json_out=False, processes=True) == 0
        (line,) = [
            each
            for each in capsys.readouterr().out.splitlines()
            if each.startswith(found["system"])
        ]
        assert "died" not in line
        with pytest.raises(ArenaError, match="belongs to a search for schedules"):
            attach(found["system"])


def test_a_search_of_the_command_line_shows_its_command() -> None:
    words = ["race", "run", "4.22", "--fixed", "--seconds", "60"]
    command = [sys.executable, "-m", "iopf.tools.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as search:
        try:
            end = time.monotonic() + BOUND_S
            while not (found := [e for e in systems() if e.name.pid == search.pid and searches(e)]):
                assert search.poll() is None
                assert time.monotonic() < end
                select.select([], [], [], 0.01)
            text = iopf("ps").stdout
            (line,) = [line for line in text.splitlines() if str(found[0].name) in line]
            assert " search " in line
            assert " ".join(words) in line
        finally:
            search.send_signal(signal.SIGINT)
            assert search.wait(BOUND_S) == Status.INTERRUPTED
