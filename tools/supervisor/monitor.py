# SPDX-License-Identifier: MIT
"""Monitoring a system from start to end: phases, deaths, the watchdog, signals.

    RUNNING    devices work, until all work is done, the duration is over, or an interrupt
    STOPPING   devices finish outstanding requests
    RELEASING  tenants unbind and exit; then driver 0 removes every device
    ENDING     kernel and hardware processes exit
A device that is killed is a surprise removal, a tenant that is killed exits while bound: the run continues. Any other death is a crash:
that of a kernel process or of the IOMMU, and of any process that dies of an error of its own (SIGSEGV, SIGBUS, an exception).
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from iopf.emulator.spec.roles import Order, Phase
from iopf.shm.procs import ending_signals
from iopf.tools.cli.streams import leave_terminal
from iopf.tools.files import write_whole
from iopf.tools.status import Status, stopped_by
from iopf.tools.supervisor.launch import KERNEL_ROLES, Child
from iopf.tools.supervisor.system import Death, System
from iopf.tools.supervisor.watchdog import Watchdog, longest_pause_s, longest_service_s

POLL_MS = 20


@dataclass(slots=True)
class Outcome:
    """End of a run: reason, status as far as the monitor knows, and observations."""

    reason: str = "work done"
    status: Status = Status.OK
    wall_s: float = 0.0
    removals: list[Death] = field(default_factory=list)
    exits: list[Death] = field(default_factory=list)
    crash: Death | None = None
    dump: list[str] = field(default_factory=list)


def _from_outside(child: Child) -> bool:
    """Whether somebody has killed the process, or it has ended by itself without an error. Any other end is a crash of its own."""
    return child.exitcode in (0, -signal.SIGKILL, -signal.SIGTERM)


class Signals:
    """Counts ending signals and remembers SIGUSR1, without interrupting the run."""

    def __init__(self) -> None:
        self.stops = 0
        self.status = Status.INTERRUPTED
        self.dump_wanted = False

    @contextmanager
    def installed(self) -> Iterator[Signals]:
        before = {s: signal.signal(s, self._take) for s in (*ending_signals(), signal.SIGUSR1)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _frame: object) -> None:
        if number == signal.SIGUSR1:
            self.dump_wanted = True
            return
        if self.stops == 0:
            self.status = stopped_by(number)
        if number == signal.SIGHUP:
            leave_terminal()
        self.stops += 1


class Monitor:
    """Runs a built system to its end. ``tell`` takes one message; ``tick`` is called several times per second."""

    def __init__(
        self,
        system: System,
        duration_s: float,
        watchdog_s: float,
        tell: Callable[[str], None],
        tick: Callable[[float], None],
        stop_file: Path | None = None,
    ) -> None:
        self.system, self.duration_s = system, duration_s
        self.tell, self.tick, self.stop_file = tell, tick, stop_file
        self.outcome = Outcome()
        self.signals = Signals()
        self.watchdog = Watchdog(system, watchdog_s)
        self._devices = len(system.plan.devices)
        self._tenants = len(system.plan.tenants)
        self._began = 0.0
        self._dumps = 0
        # Slow pages, and pauses of a workload or trace, can make a healthy system idle for longer than the watchdog.
        self._service_s = longest_service_s(system.plan)
        self._pause_s = longest_pause_s(system.plan)

    def run(self) -> Outcome:
        with self.signals.installed():
            self._began = time.monotonic()
            hotplug = self._slot("driver")
            for i in range(self._devices):
                self.system.control.order(i, Order.ORDER_PROBE, hotplug)
            self.system.control.set_phase(Phase.PHASE_PROBING)
            if self._until(self._probed):
                self.system.control.set_phase(Phase.PHASE_RUNNING)
                if self._until(self._work_done, deadline=True):
                    self._orderly_end(hotplug)
            self.outcome.wall_s = time.monotonic() - self._began
            self._damaged()
        return self.outcome

    def _slot(self, role: str) -> int:
        return next(c.slot for c in self.system.children if c.role == role)

    def _orderly_end(self, hotplug: int) -> None:
        control, snapshot = self.system.control, self.system.snapshot
        control.set_phase(Phase.PHASE_STOPPING)
        control.release_held()
        if not self._until(
            lambda: snapshot.progress()[0] >= self._devices and self._drivers_over()
        ):
            return
        control.release_held()
        control.set_phase(Phase.PHASE_RELEASING)
        if not self._until(self._tenants_exited):
            return
        for i in range(self._devices):
            control.order(i, Order.ORDER_REMOVE, hotplug)
        if not self._until(lambda: snapshot.progress()[2] >= self._devices):
            return
        for child in self.system.children:
            child.expected = True
        control.set_phase(Phase.PHASE_ENDING)
        self._until(lambda: not any(c.alive for c in self.system.children))

    def _tenants_exited(self) -> bool:
        return all(self.system.snapshot.tenant(i)["exited"] for i in range(self._tenants))

    def _probed(self) -> bool:
        snapshot = self.system.snapshot
        return all(snapshot.registered(i) or not snapshot.link_up(i) for i in range(self._devices))

    def _work_done(self) -> bool:
        devices, tenants, _ = self.system.snapshot.progress()
        return devices >= self._devices and tenants >= self._tenants and self._drivers_over()

    def _drivers_over(self) -> bool:
        return all(
            self.system.snapshot.driver_finished(d.index + 1) for d in self.system.plan.drivers
        )

    def _until(self, reached: Callable[[], bool], deadline: bool = False) -> bool:
        """Monitor until ``reached``, or until the first phase is to end; false when the run must be abandoned."""
        wait_ms = 1
        while not reached():
            for child in self.system.reap(timeout_ms=wait_ms):
                self._ended(child)
            wait_ms = min(wait_ms * 2, POLL_MS)
            now = time.monotonic()
            if self._damaged() or self.outcome.crash or self._verdict() or self._stuck():
                return False
            if self.signals.stops > 1:
                self.outcome.reason, self.outcome.status = "interrupted twice", self.signals.status
                return False
            if deadline and self._time_to_stop(now):
                return True
            self.tick(now - self._began)
        return True

    def _time_to_stop(self, now: float) -> bool:
        if self.signals.stops:
            self.outcome.reason, self.outcome.status = "interrupted", self.signals.status
            self.tell(
                "stopping: devices finish outstanding requests; interrupt again to end at once"
            )
            return True
        if self.duration_s and now - self._began >= self.duration_s:
            self.outcome.reason = "duration over"
            return True
        if self.stop_file is not None and self.stop_file.exists():
            self.outcome.reason = "STOP file"
            return True
        return False

    def _damaged(self) -> bool:
        """Whether somebody has changed what nobody of this system changes, or has cut the board off."""
        damage = self.system.damage()
        if damage is None:
            return False
        self.outcome.reason = f"the board was damaged: {damage}; nothing of it can be trusted"
        self.outcome.status = Status.UNTRUSTED
        return True

    def _verdict(self) -> bool:
        if self.system.snapshot.verdict_count == 0:
            return False
        self.outcome.reason, self.outcome.status = "a check failed", Status.FAILED
        return True

    def _stuck(self) -> bool:
        if self.signals.dump_wanted:
            self.signals.dump_wanted = False
            self._write_dump(self.system.dump())
        snapshot = self.system.snapshot
        silence_s = self.watchdog.bound_s + self._service_s
        if snapshot.phase == Phase.PHASE_RUNNING and not snapshot.open_work():
            silence_s += self._pause_s
        reason = self.watchdog.look(silence_s, self.tell)
        if reason is None:
            return False
        self.outcome.reason, self.outcome.status = reason, Status.STUCK
        self.outcome.dump = self.system.dump()
        return True

    def _write_dump(self, lines: list[str]) -> None:
        """SIGUSR1: print the position of every process on standard error and in status-N.json in the run directory."""
        for line in lines:
            self.tell(line)
        if self.stop_file is None:
            return
        self._dumps += 1
        path = self.stop_file.with_name(f"status-{self._dumps}.json")
        actors = self.system.snapshot.actors()
        for actor, name in zip(actors, self.system.names, strict=True):
            actor["name"] = name
        state = {"type": "status", "schema": "iopf/1", "actors": actors, "lines": lines}
        state["devices"] = self.system.snapshot.devices()
        try:
            write_whole(path, json.dumps(state) + "\n")
        except OSError as error:
            self.tell(f"{error.filename}: cannot write: {error.strerror}")

    def _ended(self, child: Child) -> None:
        if child.expected and not child.exitcode:
            return
        death = Death(
            child,
            self.system.how(child),
            self.system.point_of(child.slot),
            time.monotonic() - self._began,
        )
        finished_tenant = (
            child.role == "tenant" and self.system.snapshot.tenant(child.index)["finished"]
        )
        if finished_tenant and not child.exitcode:
            return
        self.system.deaths.append(death)
        if child.role in KERNEL_ROLES or not _from_outside(child):
            self.outcome.crash = death
            self.outcome.reason, self.outcome.status = death.line(), Status.DIED
        elif child.role == "device":
            self.outcome.removals.append(death)
            self.tell(f"{death.line()}: surprise removal")
            self.system.control.device_gone(child.index)
            self._program_dead(child)
            self.system.control.order(child.index, Order.ORDER_REMOVE, self._slot("driver"))
        elif child.role == "tenant":
            self.outcome.exits.append(death)
            self.tell(f"{death.line()}: exit while bound")
            self.system.control.tenant_gone(child.index)
            self._program_dead(child)
            self._orphans(child.index)

    def _program_dead(self, child: Child) -> None:
        plan = self.system.plan
        if plan.compiled is None:
            return
        if child.role == "tenant":
            first, count = plan.tenants[child.index].first, plan.tenants[child.index].count
        else:
            params = plan.devices[child.index].params
            first, count = params["program"], params["program_count"]
        self.system.control.program_dead(child.slot, first, count)

    def _orphans(self, parent: int) -> None:
        """Account for tenants that the dead one would have forked."""
        from iopf.emulator.spec.program import DO_FORK
        from iopf.emulator.trace.program import RECORD

        for op, _, arg, *_ in RECORD.iter_unpack(self.system.plan.tenants[parent].program):
            if op == DO_FORK and not self.system.snapshot.tenant(arg)["started"]:
                child = next(
                    c for c in self.system.children if c.role == "tenant" and c.index == arg
                )
                if child.alive:
                    signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
