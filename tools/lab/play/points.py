# SPDX-License-Identifier: MIT
"""The smallest system under control: actors that only reach scheduling points. Its cost is the cost of control."""

from __future__ import annotations

from iopf.emulator.board.process import Process
from iopf.emulator.sched import empty_points as probe_points
from iopf.emulator.sched.explorer import Explorer
from iopf.tools.closing import Closing
from iopf.tools.lab.play.system import controlled_board, resolve_programs
from iopf.tools.supervisor.plan import plan_system


class PointsLab(Closing):
    """`actors` actors with `points` points each. Raises ArenaError, and BlockingIOError while another lab of this process is open."""

    def __init__(self, actors: int = 3, points: int = 20) -> None:
        self.steps = actors * (points + 1)  # the first step enters the actor's function
        self.points = actors * points
        resolved = resolve_programs([["map t0 1", "bind d0 t0"], ["d0: pause 1ms"]], {})
        self.arena = controlled_board(plan_system(resolved.scenario, "points", 1))
        try:
            processes = [Process(self.arena.memory, slot) for slot in range(1, actors + 1)]
            for process in processes:
                probe_points.prepare(process, points)
            self._first = processes[0]
            self.scheduler = Explorer(self.arena.memory, processes, range(1, actors + 1))
        except BaseException:
            self.arena.unlink()
            raise
        self.scheduler.open()

    def steps_made(self) -> int:
        """Points counted by the actors themselves in the last schedule."""
        return probe_points.steps_made(self._first)

    def close(self) -> None:
        self.scheduler.close()
        self.arena.unlink()
