# SPDX-License-Identifier: MIT
"""Detection of hangs: processes without a heartbeat, and a system with open requests and no progress."""

from __future__ import annotations

import time
from collections.abc import Callable

from iopf.shm import procs
from iopf.tools.supervisor.launch import Child
from iopf.tools.supervisor.plan import SystemPlan
from iopf.tools.supervisor.system import System

STILL_S = 1.0  # a process without a heartbeat for this time is reported


class Watchdog:
    """Finds processes without a heartbeat, and a system with open requests and no progress."""

    def __init__(self, system: System, bound_s: float) -> None:
        self.system, self.bound_s = system, bound_s
        now = time.monotonic()
        self._beats = {c.slot: (-1, now) for c in system.children}
        self._named: set[int] = set()
        self._progress: tuple[int, ...] = ()
        self._accesses = 0
        self._moved_s = now
        self._last_s = now

    def look(self, silence_s: float, tell: Callable[[str], None]) -> str | None:
        """The reason to abandon the run, or None. Reports a stalled process once, after a second.

        ``silence_s``: the current limit without any progress.
        """
        now = time.monotonic()
        # If this process itself did not run, the silence of the others means nothing.
        if now - self._last_s > 0.5:
            self._beats = {slot: (beat, now) for slot, (beat, _) in self._beats.items()}
            self._moved_s = now
        self._last_s = now
        for child in self.system.children:
            reason = self._child(child, now, tell) if child.alive else None
            if reason:
                return reason
        snapshot = self.system.snapshot
        ops = sum(snapshot.tenant(i)["ops_done"] for i in range(len(self.system.plan.tenants)))
        if (
            not snapshot.open_work()
        ):  # else a request that hangs would hide behind accesses of other devices
            self._accesses = snapshot.accesses()
        progress = (
            self._accesses,
            snapshot.sent(),
            snapshot.finished_groups(),
            snapshot.faults_handled(),
            ops,
            *snapshot.progress(),
            snapshot.phase,
        )
        if progress != self._progress:
            self._progress, self._moved_s = progress, now
        if now - self._moved_s > silence_s:
            return f"no request moved for {silence_s:.1f} s while work was open"
        return None

    def _child(self, child: Child, now: float, tell: Callable[[str], None]) -> str | None:
        beat, since = self._beats[child.slot]
        seen = self.system.snapshot.heartbeat(child.slot)
        if seen != beat:
            self._beats[child.slot] = (seen, now)
            self._named.discard(child.slot)
            return None
        if now - since > STILL_S and child.slot not in self._named:
            self._named.add(child.slot)
            stopped = " (stopped by a signal)" if procs.state(child.pid) == "T" else ""
            tell(
                f"{child.role} {child.label()} has not moved for {now - since:.1f} s{stopped}; "
                f"last scheduling point {self.system.point_of(child.slot)}"
            )
        if now - since > self.bound_s:
            return f"{child.role} {child.label()} did not move for {self.bound_s:.1f} s, at {self.system.point_of(child.slot)}"
        return None


def longest_service_s(plan: SystemPlan) -> float:
    """Maximum time of one page; with exponential times, of all but one in 20,000."""
    config = plan.config
    factor = 10 if config["exponential"] else 2
    return factor * max(config["minor_ns"], config["major_ns"]) / 1e9


def longest_pause_s(plan: SystemPlan) -> float:
    """Maximum idle time of devices: the longest gap of a workload, or the length of a paced trace."""
    gap_s: float = max(d.params["gap_ns"] for d in plan.devices) / 1e9
    if plan.trace is None or plan.config["pace"] == 0:
        return gap_s
    return gap_s + plan.trace.duration_ns / 1e9 * 1000 / plan.config["pace"]
