# SPDX-License-Identifier: MIT
"""Effect of each program line on the model: finds the operation, then runs everything that is not held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iopf.emulator.check.model import (
    device_operations,
    hardware,
    ioasid_operations,
    memory,
    tenant_operations,
)
from iopf.emulator.check.model.operands import tenant_of
from iopf.emulator.check.model.state import State, Waiting
from iopf.emulator.program.actors import Actor
from iopf.emulator.program.blocks import steps
from iopf.emulator.program.checks import Parsed
from iopf.emulator.program.lines import Line

_AT_ONCE = {
    **tenant_operations.FILES,
    **device_operations.AT_ONCE,
    **ioasid_operations.AT_ONCE,
}
_WAITING = {**tenant_operations.WAITING, **device_operations.WAITING}


@dataclass(slots=True)
class Meeting:
    """Barriers, and whether anything has made progress."""

    trees: Sequence[Parsed]
    progress: int = 0
    arrived: dict[str, set[Actor | None]] = field(default_factory=dict)

    def missing(self, name: str) -> bool:
        """Whether an actor with the barrier has not arrived yet."""
        every = [step.line for tree in self.trees for step in steps(tree.nodes)]
        named = {x.actor for x in every if x.verb.name == "barrier" and x.values["name"] == name}
        return bool(named - self.arrived[name])


def settle(state: State) -> None:
    """Run everything that is not held until it is idle."""
    hardware.interrupt(state)
    memory.run_work(state)
    hardware.interrupt(state)


def execute(state: State, line: Line, meeting: Meeting) -> Waiting:
    """Run one line: 0 or -errno. Yields the reason while it waits."""
    name = line.verb.name
    if name in ("barrier", "pause"):
        return (yield from _meet(line, meeting))
    if name in tenant_operations.AT_ONCE:
        tenant = tenant_of(state, line)
        while not tenant.born:
            yield f"t{tenant.index} waits for its fork"
        return tenant_operations.AT_ONCE[name](state, line, tenant)
    if name in _WAITING:
        return (yield from _WAITING[name](state, line))
    if name == "settle":
        settle(state)
        return 0
    if name not in _AT_ONCE:
        raise ValueError(f"the model does not support `{name}`, whose number of requests varies")
    return _AT_ONCE[name](state, line)


def _meet(line: Line, meeting: Meeting) -> Waiting:
    if line.verb.name == "pause":
        before = -1
        while meeting.progress != before:  # until no other program makes progress
            before = meeting.progress
            yield f"{line.actor} pauses"
        return 0
    name = str(line.values["name"])
    meeting.arrived.setdefault(name, set()).add(line.actor)
    meeting.progress += 1
    while meeting.missing(name):
        yield f"{line.actor} waits at barrier '{name}'"
    return 0
