# SPDX-License-Identifier: MIT
"""A wake-up that is lost on purpose is seen wherever an actor waits: the actor counts it and the run fails.

One row for each place where the sources wait. `Control.lose_wakes` loses the wake-ups of the actors of a role that wait at a site,
until one of them has been counted as lost. Actors sleep without spinning here, so that every wait is one for a wake-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from iopf.cython_ext.channel import Channel
from iopf.emulator.spec.sites import Site
from iopf.tools.supervisor import system
from iopf.tools.supervisor.run import run_document, run_programs

from tests.probes.crew import SIZES, Crew
from tests.support.channels import make, put_in_pieces
from tests.support.children import Children

ROOT = Path(__file__).resolve().parent.parent.parent
# What an actor waits for may be there before it sleeps; then there is no wake-up to lose, and the run is made once more.
TRIES = 10
ROLES = ("supervisor", "iommu", "irq", "handler", "task", "driver", "tenant", "device")
CHANNEL_SITES = {"room": 3, "record": 4}

# Where the sources wait: (source, function).
Place = tuple[str, str]

SIMPLE = ["map t0 8", "bind d0 t0", "send d0 t0 pages=4 group=a", "await d0", "unbind d0 t0"]
SLOW = {"minor_ns": 5_000_000}
# The driver keeps a stage from running for longer than it takes the others to fall asleep.
QUEUED = [
    "wait-bound d0 t0",
    "hold workers",
    "send d0 t0 pages=1 group=a",
    "settle",
    "k0: barrier sent",
    "k0: pause 20ms",
    "let-go workers",
]
UNREAD = [
    "wait-bound d0 t0",
    "hold irq",
    "send d0 t0 pages=1 group=a",
    "k0: barrier sent",
    "k0: pause 20ms",
    "let-go irq",
]
BIND = ["map t0 8", "bind d0 t0"]
UNBIND = [*BIND, "t0: barrier sent", "unbind d0 t0"]


@dataclass(frozen=True, slots=True)
class Wait:
    """Where an actor waits, and programs that make it wait there."""

    place: Place
    site: Site
    role: str
    programs: list[list[str]] = field(default_factory=lambda: [SIMPLE])
    tables: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.place[1]}-{self.role}"


WAITS = [
    Wait(("emulator/board/process.pyx", "_ready"), Site.START_BARRIER, "device"),
    Wait(("emulator/board/control.pyx", "wait_ready"), Site.START_BARRIER, "supervisor"),
    Wait(("emulator/hw/run.pyx", "iommu_main"), Site.HW_WAIT, "iommu"),
    Wait(("emulator/kernel/vtd/prq.pyx", "irq_main"), Site.PRQ_IDLE, "irq"),
    Wait(("emulator/kernel/core/worker.pyx", "sleep_for_work"), Site.WORKER_WAIT, "handler"),
    Wait(("emulator/kernel/proc/driver.pyx", "hotplug_main"), Site.HOTPLUG, "driver"),
    Wait(("emulator/kernel/proc/task.pyx", "task_main"), Site.TASK_WAIT, "task"),
    Wait(("emulator/kernel/vtd/qi.pyx", "qi_wait"), Site.QI_WAIT, "task"),
    Wait(("emulator/kernel/core/attach.pyx", "stop_pasid"), Site.DETACH_PASID, "task"),
    Wait(
        ("emulator/tenant/engine.pyx", "syscall_to_task"),
        Site.TENANT_SYSCALL,
        "tenant",
        [[*BIND, "touch t0 8"]],
    ),
    Wait(("emulator/tenant/engine.pyx", "next_record"), Site.PROGRAM_WAIT, "tenant"),
    Wait(
        ("emulator/tenant/engine.pyx", "wait_for"),
        Site.TENANT_GATE,
        "tenant",
        [
            ["map t0 8", "bind d0 t0", "wait-devices t0"],
            ["wait-bound d0 t0", "send d0 t0 pages=4 group=a", "await d0"],
        ],
    ),
    Wait(
        ("emulator/tenant/engine.pyx", "wait_arrival"),
        Site.TENANT_PACE,
        "tenant",
        [],
        {
            "trace": {"files": ["python-sort"], "speed": 0.001},
            "system": {"duration_s": 0.2},
            "device": [{"workload": {"pattern": "replay", "groups": 0}}],
        },
    ),
    Wait(
        ("device_procs/engine.pyx", "device_main"), Site.DEV_WAIT, "device", tables={"faults": SLOW}
    ),
    Wait(
        ("emulator/kernel/proc/driver.pyx", "program_main"),
        Site.PROGRAM_WAIT,
        "driver",
        [[*SIMPLE[:4], "flush d0"]],
        {"faults": SLOW},
    ),
    Wait(
        ("emulator/board/flow.pyx", "wait_held"),
        Site.HELD,
        "irq",
        [
            [*BIND, "hold irq", "send d0 t0 pages=1 group=a", "k0: pause 20ms", "let-go irq"],
        ],
    ),
    Wait(
        ("emulator/kernel/vtd/prq_wait.pyx", "wait_pass"),
        Site.DRAIN_PASID_PRQ,
        "task",
        [UNREAD, UNBIND],
        {"device": [{"stop": "marker"}]},
    ),
    Wait(
        ("emulator/kernel/vtd/prq_wait.pyx", "wait_for_completion"),
        Site.DRAIN_PASID_PRQ,
        "task",
        [UNREAD, UNBIND],
        {
            "device": [{"stop": "marker"}],
            "kernel": {"defects": ["shared-completion-lost-wake"]},
        },
    ),
    Wait(
        ("cython_ext/work_ring.pyx", "work_flush"),
        Site.QUEUE_FLUSH_DEV,
        "driver",
        [
            [*BIND, "t0: barrier flushed"],
            [*QUEUED, "await d0"],
            ["k1: barrier sent", "k1: flush d0", "k1: barrier flushed"],
        ],
    ),
    Wait(
        ("emulator/kernel/core/domain.pyx", "wait_pending"),
        Site.DOMAIN_FREE,
        "task",
        [QUEUED, UNBIND],
        {"device": [{"stop": "marker"}], "kernel": {"generation": "gunthorpe"}},
    ),
]
# A channel has tests of its own below. Nobody rings a tenant that stays: in a controlled run its phase never comes.
OTHERS = {("cython_ext/channel_core.pyx", "sleep_once"), ("emulator/tenant/engine.pyx", "stay")}


def _document(wait: Wait) -> dict[str, Any]:
    tables = {"device": [{}], "kernel": {}, **wait.tables}
    return {
        **tables,
        "kernel": {"handlers": 1, **tables["kernel"]},
        "device": [{"count": 1, **each} for each in tables["device"]],
    }


def _run(wait: Wait) -> dict[str, Any]:
    document = _document(wait)
    return run_programs(*wait.programs, **document) if wait.programs else run_document(document)


@pytest.fixture(autouse=True)
def _no_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "wait_policy", lambda _: (0, 0))


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.name)
def test_a_lost_wake_up_is_counted(wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = _run(wait)
    assert (clean["verdict"], clean["timeouts_with_work"]) == ("PASS", 0), clean["problems"]
    configure = system.configure

    def losing(plan: Any, control: Any) -> None:
        configure(plan, control)
        control.lose_wakes(wait.site, ROLES.index(wait.role))

    monkeypatch.setattr(system, "configure", losing)
    for _ in range(TRIES):
        result = _run(wait)
        if result["timeouts_with_work"]:
            break
    assert result["roles"][wait.role]["timeouts_with_work"] > 0, result["problems"]
    assert result["verdict"] == "FAILED"
    assert any(
        problem.startswith("lost wake-up") and wait.site.name.lower() in problem
        for problem in result["problems"]
    )


@pytest.mark.parametrize("end", list(CHANNEL_SITES))
def test_a_channel_counts_a_lost_wake_up(end: str) -> None:
    memory = make(1, 8)
    channel = Channel(memory)
    Crew(memory, 0, SIZES["channel"]).lose_wakes(CHANNEL_SITES[end])
    name = {"room": "producer 0", "record": "consumer"}[end]

    def consume() -> None:
        consumer = Channel(memory).consumer()
        for _ in range(64):
            consumer.get(20.0)

    with Children() as children:
        sleeper = {"room": lambda: put_in_pieces(channel, 0, 64, 1), "record": consume}
        other = {"room": consume, "record": lambda: put_in_pieces(channel, 0, 64, 1)}
        children.start(sleeper[end])
        while channel.stats()[name]["sleeps"] == 0:
            pass
        children.start(other[end])
        children.results()
    assert channel.stats()[name]["timeouts_with_work"] == 1


# ---- the table is complete

_HEAD = re.compile(r"^ *(?:cdef|cpdef|def) .*?(\w+)\(.*:$")
_WAITS = re.compile(r"\b(?:wait_until|wait_work|wait_sleep)\(")
_RAW = re.compile(r"\b(?:ec_prepare|ec_rest|ec_sleep|futex_wait32|futex_wait32_unbounded)\(")
_NAP = re.compile(r"\bpoint_nap\(")
# Locks and the scheduler sleep on words of their own; channel ends take one sleep at a time.
_OWN_SLEEP = {
    "cython_ext/channel_core.pyx",
    "cython_ext/mutex.pyx",
    "cython_ext/runqueue.pyx",
    "cython_ext/wait.pxd",
}


def _uses(pattern: re.Pattern[str]) -> Iterator[tuple[str, str, str]]:
    """(source, function, line) of every call, outside the primitive and declarations."""
    for folder in ("cython_ext", "emulator", "device_procs"):
        for path in sorted((ROOT / folder).rglob("*.p[yx][xd]")):
            function = ""
            for line in path.read_text().splitlines():
                head = _HEAD.match(line)
                function = head[1] if head else function
                if pattern.search(line) and not head and "cdef extern" not in line:
                    yield str(path.relative_to(ROOT)), function, line


def test_every_wait_has_a_row() -> None:
    waits = {
        (source, function)
        for source, function, _ in _uses(_WAITS)
        if source != "cython_ext/wait.pxd"
    }
    assert waits == {wait.place for wait in WAITS} | OTHERS


def test_nothing_else_sleeps() -> None:
    assert {
        source for source, _, line in _uses(_RAW) if not line.startswith("    int ")
    } <= _OWN_SLEEP


def test_every_nap_says_why() -> None:
    naps = [(source, line) for source, _, line in _uses(_NAP) if "    void " not in line]
    assert naps
    assert [nap for nap in naps if "  # " not in nap[1]] == []
