"""What each line of a program does to the model: finds the operation, and lets what is free run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iopf.emulator.check.model import device_operations, hardware, memory, tenant_operations
from iopf.emulator.check.model.operands import tenant_of
from iopf.emulator.check.model.state import State, Waiting
from iopf.emulator.program.actors import Actor
from iopf.emulator.program.blocks import steps
from iopf.emulator.program.checks import Parsed
from iopf.emulator.program.lines import Line

_AT_ONCE = {**tenant_operations.FILES, **device_operations.AT_ONCE}
_WAITING = {**tenant_operations.WAITING, **device_operations.WAITING}


@dataclass(slots=True)
class Meeting:
    """Barriers, and whether anything has moved since one last looked."""

    trees: Sequence[Parsed]
    progress: int = 0
    arrived: dict[str, set[Actor | None]] = field(default_factory=dict)

    def missing(self, name: str) -> bool:
        """Whether an actor that names the barrier is not there yet."""
        every = [step.line for tree in self.trees for step in steps(tree.nodes)]
        named = {x.actor for x in every if x.verb.name == "barrier" and x.values["name"] == name}
        return bool(named - self.arrived[name])


def settle(state: State) -> None:
    """Everything that is not held runs to its end."""
    hardware.interrupt(state)
    memory.run_work(state)
    hardware.interrupt(state)


def execute(state: State, line: Line, meeting: Meeting) -> Waiting:
    """Runs one line: 0 or -errno. Yields the reason while it has to wait."""
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
        raise ValueError(f"the model does not know how much `{name}` sends")
    return _AT_ONCE[name](state, line)


def _meet(line: Line, meeting: Meeting) -> Waiting:
    if line.verb.name == "pause":
        before = -1
        while meeting.progress != before:  # until nobody else gets any further
            before = meeting.progress
            yield f"{line.actor} pauses"
        return 0
    name = str(line.values["name"])
    meeting.arrived.setdefault(name, set()).add(line.actor)
    meeting.progress += 1
    while meeting.missing(name):
        yield f"{line.actor} waits at barrier '{name}'"
    return 0
