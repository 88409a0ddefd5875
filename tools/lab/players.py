"""The actors of a system under control as processes: each plays one part whenever the token comes to it."""

from __future__ import annotations

import os
import select
import signal
from types import TracebackType
from typing import Any

import multiprocess

from shm.procs import die_with_parent
from tools.lab.system import Lab

END_BOUND_MS = 5000


def _play(lab: Lab, slot: int, parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lab.conductor.play_part(slot)
    os._exit(0)


class Players:
    """Forks a process for every actor of `lab`; its schedules are played by them until `close`.

    All run on one core: the token is with one at a time, and a hand-over to another core costs several times as much.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.processes: list[Any] = []
        self._cores = os.sched_getaffinity(0)
        context = multiprocess.get_context("fork")
        os.sched_setaffinity(0, {min(self._cores)})
        try:
            for process in lab.conductor.processes:
                player = context.Process(
                    target=_play, args=(lab, process.slot, os.getpid()), daemon=True
                )
                player.start()
                self.processes.append(player)
        except BaseException:
            self.close()
            raise
        lab.conductor.by_processes = True

    def pids(self) -> list[int]:
        return [int(player.pid) for player in self.processes]

    def close(self) -> None:
        """Ends the players; the system can be played as fibers again."""
        self.lab.conductor.by_processes = False
        self.lab.conductor.dismiss()
        for player in self.processes:
            fd = os.pidfd_open(player.pid)
            try:
                if not select.select([fd], [], [], END_BOUND_MS / 1000)[0]:
                    player.kill()
            finally:
                os.close(fd)
            player.join()
        self.processes.clear()
        os.sched_setaffinity(0, self._cores)

    def __enter__(self) -> Players:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
