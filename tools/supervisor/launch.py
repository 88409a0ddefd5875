# SPDX-License-Identifier: MIT
"""Starting the processes of a system: fork, identity, readiness.

Every child inherits the mapping of the arena, takes its crew slot, records its identity, and waits for the start of the system. A child
is killed as soon as its parent has died. The parent has imported only what it needs, so children share nearly all of its memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import multiprocess
from iopf.cython_ext.guard import unguard
from iopf.device_procs import engine as device_engine
from iopf.emulator.board.process import Process
from iopf.emulator.hw.run import prepare_iommu
from iopf.emulator.kernel.proc.run import prepare_driver, prepare_irq, prepare_task, prepare_worker
from iopf.emulator.spec.roles import slots_of
from iopf.emulator.tenant.engine import prepare_tenant
from iopf.shm.arena import Arena
from iopf.shm.procs import die_with_parent, ignore_ending, start_time
from iopf.tools.supervisor.plan import SystemPlan

PR_SET_NAME = 15
NO_BOARD = 3  # exit status of a child whose board is none
KERNEL_ROLES = frozenset({"iommu", "irq", "handler", "task", "driver"})
Prepare = Callable[[Process], None]


@dataclass(slots=True)
class Child:
    """A process of the system, as the supervisor sees it."""

    role: str
    index: int
    slot: int
    name: str
    process: Any
    pidfd: int
    alive: bool = True
    expected: bool = False  # the supervisor has asked it to exit
    exitcode: int | None = None

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def label(self) -> str:
        return f"{self.name} (pid {self.pid})"

    def kill(self) -> None:
        if self.alive:
            self.expected = True
            # Waited for, but not marked yet: an interruption came between.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


def entries(plan: SystemPlan) -> list[tuple[str, int, str, Prepare]]:
    """(role, index, name, function that prepares its entry) of every process, hardware and kernel first."""
    programs = [(d.params["program"], d.params["program_count"]) for d in plan.devices]
    found: list[tuple[str, int, str, Prepare]] = []
    for i in range(plan.config["units"]):
        mark = f"-{i}" if plan.config["units"] > 1 else ""
        found.append(("iommu", i, f"iommu{mark}", partial(prepare_iommu, index=i)))
        found.append(("irq", i, f"irq{mark}", partial(prepare_irq, unit=i)))
    for i in range(plan.config["drivers"]):
        name = f"driver-k{i - 1}" if i else "hotplug"
        found.append(("driver", i, name, partial(prepare_driver, index=i)))
    for i in range(plan.config["handlers"]):
        found.append(("handler", i, f"handler-{i:02}", prepare_worker))
    for i, tenant in enumerate(plan.tenants):
        found.append(("task", i, f"task:{tenant.name}", partial(prepare_task, tenant=i)))
        prepare = partial(prepare_tenant, index=i, programs=programs)
        found.append(("tenant", i, tenant.name, prepare))
    for i, device in enumerate(plan.devices):
        prepare = partial(device_engine.prepare, dev=i, p=device.params)
        found.append(("device", i, device.name, prepare))
    return found


def _child_main(arena: Arena, slot: int, name: str, parent: int, prepare: Prepare) -> None:
    die_with_parent(parent)
    unguard()  # a fault of this process is its death, which the supervisor sees
    arena.leave()
    ignore_ending()  # the exit of a child by a signal would look like a crash
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    ctypes.CDLL(None).prctl(PR_SET_NAME, f"iopf:{name}"[:15].encode(), 0, 0, 0)
    try:
        process = Process(arena.memory, slot)
    except ValueError:
        raise SystemExit(NO_BOARD) from None  # the supervisor tells what is wrong with it
    process.arrive(start_time(os.getpid()))
    prepare(process)
    status = process.run()
    process.done(time.process_time_ns())
    if status != 0:
        raise OSError(-status, os.strerror(-status))


def launch(plan: SystemPlan, arena: Arena) -> list[Child]:
    """Fork all processes; return when all are started, not yet ready. Raises OSError when the machine refuses more processes.

    The caller holds signals (`signals_held`) until it has the children, because only it can end them."""
    context = multiprocess.get_context("fork")
    slots = slots_of(plan.config)
    parent = os.getpid()
    children: list[Child] = []
    gc.collect()
    gc.freeze()
    try:
        for role, index, name, prepare in entries(plan):
            slot = slots[role][0] + index
            process = context.Process(
                target=_child_main,
                args=(arena, slot, name, parent, prepare),
                name=name,
                daemon=True,
            )
            process.start()
            pidfd = os.pidfd_open(process.pid)
            children.append(Child(role, index, slot, name, process, pidfd))
    except BaseException:
        for child in children:
            child.kill()
        raise
    finally:
        gc.unfreeze()
    return children
