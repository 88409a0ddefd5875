# SPDX-License-Identifier: MIT
"""A system: its arena, its processes, and its end.

``build`` creates the arena and starts all processes; ``close`` ends the remaining ones, waits for them, and removes the name. In between,
the monitor works on it. ``close`` may be called at any time and repeatedly.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack
from iopf.cython_ext.guard import Guard
from iopf.cython_ext.ticks import tick_mult
from iopf.emulator.board.board import format_board
from iopf.emulator.board.config import Option
from iopf.emulator.board.control import Control
from iopf.emulator.board.layout import layout_hash, plan_layout
from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.spec.roles import slots_of
from iopf.emulator.spec.sites import point_name
from iopf.emulator.spec.text import counted
from iopf.shm import procs
from iopf.shm.arena import Arena
from iopf.shm.naming import own_name
from iopf.shm.objects import ArenaError, dead_objects, find_all, remove
from iopf.tools.closing import Closing
from iopf.tools.status import Status
from iopf.tools.supervisor.launch import Child, launch
from iopf.tools.supervisor.plan import SystemPlan, wait_policy

HIGHPRI_NICE = -20
READY_BOUND_S = 30.0
DESCRIPTORS_PER_CHILD = 3  # its pidfd, and both ends of the pipe of multiprocess while it starts
DESCRIPTORS_ELSE = 64
END_BOUND_S = 5.0


@dataclass(slots=True)
class Death:
    """A process that ended without being asked to."""

    child: Child
    how: str
    last_point: str
    after_s: float

    def line(self) -> str:
        return f"{self.child.role} {self.child.label()} {self.how}; last scheduling point {self.last_point}"


@dataclass(slots=True)
class Options:
    """Options of the run outside the board's configuration."""

    lockdep: bool = True
    poison: bool = True
    noise: tuple[int, int] = (0, 0)  # yield in, sleep in
    wait: tuple[int, int] | None = None  # pauses, yields


@dataclass
class System(Closing):
    """A running system. Create with ``build``."""

    plan: SystemPlan
    arena: Arena
    control: Control
    snapshot: Snapshot
    children: list[Child] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    started_s: float = 0.0
    start_s: float = 0.0
    deaths: list[Death] = field(default_factory=list)
    fault_fds: list[int] = field(default_factory=list)
    guard: Guard | None = None

    @classmethod
    def build(
        cls,
        plan: SystemPlan,
        options: Options,
        meta: dict[str, Any],
        tell: Callable[[str], None] | None = None,
    ) -> System:
        """Create the board and start the processes. Raises ArenaError (status 3) if the machine has too few resources."""
        began = time.monotonic()
        size = plan_layout(plan.config)["total"]
        processes = slots_of(plan.config)["total"][1]
        wanted = DESCRIPTORS_PER_CHILD * processes + DESCRIPTORS_ELSE
        most = procs.allow_descriptors(wanted)
        if most is not None:
            raise ArenaError(
                f"{processes} processes need {wanted} open files, and the limit is {most}; use fewer devices, or raise it (ulimit -Hn)"
            )
        arena = new_arena(size, tell)
        try:
            spins, yields = options.wait or wait_policy(processes)
            format_board(
                arena.memory,
                plan.config,
                tick_mult=tick_mult(),
                spins=spins,
                yields=yields,
                lockdep=options.lockdep,
                poison=options.poison,
                noise_yield_in=options.noise[0],
                noise_sleep_in=options.noise[1],
            )
            control, snapshot = Control(arena.memory), Snapshot(arena.memory)
            system = cls(plan, arena, control, snapshot, guard=_guarded(arena))
            system._configure(meta)
            arena.publish()
            if tell is not None:
                what = counted(processes, "process", "processes")
                tell(f"starting {what} on a board of {size / 2**20:.1f} MiB")
            sys.stdout.flush()
            sys.stderr.flush()
            with procs.signals_held():
                system.children = launch(plan, arena)
                # An interruption may come while nobody has the system who would close it, and at exit multiprocess waits for
                # children without end.
                atexit.register(system._end_children)
            system.names = ["supervisor"] + [""] * (len(snapshot.actors()) - 1)
            for child in system.children:
                system.names[child.slot] = child.name
            system._wait_ready()
            if plan.config["options"] & Option.OPTION_HIGHPRI:
                system._raise_handlers()
            system.start_s = time.monotonic() - began
            return system
        except OSError as error:
            arena.unlink()
            raise ArenaError(
                f"cannot start a process: {os.strerror(error.errno or 0)}; use fewer devices"
            ) from error
        except BaseException:
            if "system" in locals():
                system.close()
            arena.unlink()
            raise

    def _configure(self, meta: dict[str, Any]) -> None:
        configure(self.plan, self.control)
        for i in range(self.plan.config["fault_objects"]):
            self.fault_fds.append(os.eventfd(0, os.EFD_NONBLOCK))
            self.control.set_fault_fd(i, self.fault_fds[-1])
        blob = msgpack.packb(
            {
                **meta,
                "devices": [d.name for d in self.plan.devices],
                "tenants": [t.name for t in self.plan.tenants],
            },
            unicode_errors="surrogateescape",  # arguments may be any bytes
        )
        self.arena.memory.write_bytes(
            self.snapshot.meta_offset, len(blob).to_bytes(4, "little") + blob[:65000]
        )

    def _wait_ready(self) -> None:
        """The readiness handshake: every process increments a count and rings; a death or the timeout ends the wait."""
        until = time.monotonic() + READY_BOUND_S
        while not self.control.wait_ready(len(self.children), 20_000_000):
            for child in self.reap():
                if damage := self.damage():
                    raise ArenaError(
                        f"the board was damaged: {damage}; nothing of it can be trusted", 7
                    )
                raise ArenaError(
                    f"{child.role} {child.label()} {self.how(child)} while starting", 5
                )
            if time.monotonic() > until:
                late = [
                    c.label() for c in self.children if self.snapshot.actor(c.slot)["state"] < 2
                ]
                raise ArenaError(f"not ready after {READY_BOUND_S:.0f} s: {', '.join(late[:4])}", 6)

    def _raise_handlers(self) -> None:
        """WQ_HIGHPRI: the workers of such a queue run at nice -20 (Documentation/core-api/workqueue.rst). Raises ArenaError (status 3) if
        this user lacks the permission."""
        for child in self.children:
            if child.role != "handler":
                continue
            try:
                os.setpriority(os.PRIO_PROCESS, child.pid, HIGHPRI_NICE)
            except PermissionError:
                self.close()
                raise ArenaError(
                    "kernel.options: 'highpri' needs permission to raise priorities; "
                    "run with CAP_SYS_NICE, or remove the option"
                ) from None

    def reap(self, timeout_ms: int = 0) -> list[Child]:
        """Children that ended since the last call."""
        poll = select.poll()
        by_fd = {}
        for child in self.children:
            if child.alive:
                poll.register(child.pidfd, select.POLLIN)
                by_fd[child.pidfd] = child
        ended = []
        for fd, _ in poll.poll(timeout_ms):
            child = by_fd[fd]
            with procs.signals_held():
                child.process.join()
                child.exitcode = child.process.exitcode
                child.alive = False
                os.close(child.pidfd)
            self.control.actor_dead(child.slot)
            ended.append(child)
        return ended

    def how(self, child: Child) -> str:
        code = child.exitcode or 0
        return (
            f"was killed by {signal.Signals(-code).name}"
            if code < 0
            else f"ended with status {code}"
        )

    def pss_bytes(self) -> dict[str, int]:
        """Proportional set size by role: private memory, and each process's share of shared memory."""
        sizes: dict[str, int] = {}
        for child in self.children:
            try:
                with open(f"/proc/{child.pid}/smaps_rollup") as rollup:
                    pss = next((line for line in rollup if line.startswith("Pss:")), "Pss: 0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            sizes[child.role] = sizes.get(child.role, 0) + int(pss.split()[1]) * 1024
        return sizes

    def damage(self) -> str | None:
        """What makes the board worthless, in words; None if it is as this system has made it."""
        if (self.guard is not None and self.guard.replaced) or self.arena.truncated():
            return f"{self.arena.name} was truncated"
        return self.snapshot.damage()

    def point_of(self, slot: int) -> str:
        return point_name(self.snapshot.actor(slot)["last_point"])

    def describe(self, child: Child) -> str:
        """One line of the state dump: position of a process and time since it began to wait."""
        actor = self.snapshot.actor(child.slot)
        waiting = ""
        if actor["wait_site"]:
            age = (time.monotonic_ns() - actor["wait_since_ns"]) / 1e9
            waiting = f", asleep in {point_name(actor['wait_site'] << 8).split('/')[0]} for {max(age, 0):.1f} s"
        state = procs.state(child.pid)
        return f"{child.role:8} {child.name:16} pid {child.pid:<7} state {state} at {point_name(actor['last_point'])}{waiting}"

    def dump(self) -> list[str]:
        iommu = self.snapshot.iommu()
        head = (
            f"queue {iommu['prq_used']}/{iommu['prq_records']} PPR {iommu['ppr']} PRO {iommu['pro']}, "
            f"work backlog {iommu['backlog']}, phase {self.snapshot.phase}"
        )
        return [head] + [self.describe(child) for child in self.children if child.alive]

    def _end_children(self) -> None:
        for child in self.children:
            child.kill()

    def close(self) -> None:
        """Kill the remaining processes, wait for every child, remove the name. An interruption is raised when this is done."""
        with procs.signals_held():
            self._end_children()
            until = time.monotonic() + END_BOUND_S
            while any(child.alive for child in self.children) and time.monotonic() < until:
                self.reap(timeout_ms=100)
            atexit.unregister(self._end_children)
            while self.fault_fds:
                os.close(self.fault_fds.pop())
            if self.guard is not None:
                self.guard.close()
            self.arena.unlink()


def configure(plan: SystemPlan, control: Control) -> None:
    """Write the plan's devices, tenants and drivers to a formatted board."""
    for i, device in enumerate(plan.devices):
        control.configure_device(i, device.credits, int(device.stop_marker))
        control.configure_function(
            i, device.max_pasids, device.release_identity, device.dtlb_extra_inval
        )
        control.load_programs(device.params["program"], device.program)
    for i, tenant in enumerate(plan.tenants):
        control.configure_tenant(i, tenant.first, tenant.count, tenant.devices)
        control.load_programs(tenant.first, tenant.program)
    for driver in plan.drivers:
        control.configure_driver(driver.index + 1, driver.first, driver.count)
        control.load_programs(driver.first, driver.program)
    slots = slots_of(plan.config)
    for i, meeting in enumerate(plan.barriers):
        control.configure_barrier(i, [slots[role][0] + index for role, index in meeting])


def _guarded(arena: Arena) -> Guard:
    """The supervisor survives what others do to the board, or ends with one line; its children die of it and are reported."""
    line = f"iopf: {arena.name}: the board was damaged, and led to an invalid access; no result\n"
    return Guard(arena.memory, line, str(arena.name.path), Status.UNTRUSTED)


def new_arena(size: int, tell: Callable[[str], None] | None = None) -> Arena:
    """Create the arena under the first free name of this process. First removes objects of killed runs, which take up memory."""
    dead = [name for name in dead_objects() if remove(name)]
    if dead and tell is not None:
        tell(f"removed {counted(len(dead), 'shared memory object')} of killed runs")
    taken = {name.serial for name in find_all() if name.pid == os.getpid()}
    serial = next(n for n in range(len(taken) + 1) if n not in taken)
    return Arena.create(size, layout_hash(), name=own_name(serial))
