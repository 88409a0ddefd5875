# SPDX-License-Identifier: MIT
"""One process per actor of a system under control. A process runs its actor when it gets the token."""

from __future__ import annotations

import ctypes
import os
import select
import signal
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import multiprocess
from iopf.shm.procs import die_with_parent, ignore_ending, signals_held
from iopf.tools.closing import Closing
from iopf.tools.lab.play.points import PointsLab
from iopf.tools.lab.play.system import Lab

END_BOUND_MS = 5000


def _play(lab: Lab | PointsLab, slot: int, parent: int) -> None:
    die_with_parent(parent)
    ignore_ending()
    lab.scheduler.run_actor(slot)
    os._exit(0)


def _core(allowed: set[int]) -> int:
    """The current core: the kernel chose it, so two labs rarely share one."""
    here = int(ctypes.CDLL(None).sched_getcpu())
    return here if here in allowed else min(allowed)


def processes_for(lab: Lab, mode: str) -> AbstractContextManager[ActorProcesses | None]:
    """ActorProcesses for mode `processes`, a null context for `fibers`."""
    return ActorProcesses(lab) if mode == "processes" else nullcontext()


class ActorProcesses(Closing):
    """Fork a process for every actor of `lab`; they run its schedules until `close`.

    All processes share one core: only the holder of the token runs, and a hand-over to another core costs several times as much.
    """

    def __init__(self, lab: Lab | PointsLab) -> None:
        self.lab = lab
        self.processes: dict[int, Any] = {}
        self._cores = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {_core(self._cores)})
            lab.scheduler.reset_tokens()
            for process in lab.scheduler.processes:
                self._start(process.slot)
        except BaseException:
            self.close()
            raise
        lab.scheduler.by_processes = True

    def _start(self, slot: int) -> None:
        context = multiprocess.get_context("fork")
        process = context.Process(target=_play, args=(self.lab, slot, os.getpid()), daemon=True)
        with signals_held():
            process.start()
        self.processes[slot] = process

    def pids(self) -> list[int]:
        return [int(process.pid) for process in self.processes.values()]

    def kill(self, slot: int) -> None:
        """Send SIGKILL to the process of an actor, between two steps, and wait for its end."""
        process = self.processes.pop(slot)
        process.kill()
        process.join()
        process.close()

    def stop(self, slot: int) -> None:
        """Send SIGSTOP to the process of an actor, between two steps, and wait until it is stopped."""
        self._send(slot, signal.SIGSTOP, os.WSTOPPED)

    def resume(self, slot: int) -> None:
        self._send(slot, signal.SIGCONT, os.WCONTINUED)

    def _send(self, slot: int, number: int, until: int) -> None:
        pid = self.processes[slot].pid
        os.kill(pid, number)
        os.waitid(os.P_PID, pid, until)

    def replace(self, slot: int) -> None:
        """Start a new process for a killed actor, for the next schedule."""
        self._start(slot)

    def close(self) -> None:
        """End the processes; schedules run as fibers again."""
        self.lab.scheduler.by_processes = False
        self.lab.scheduler.stop_processes()
        for process in self.processes.values():
            if not select.select([process.sentinel], [], [], END_BOUND_MS / 1000)[0]:
                process.kill()
            process.join()
            process.close()
        self.processes.clear()
        os.sched_setaffinity(0, self._cores)
