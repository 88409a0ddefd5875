# SPDX-License-Identifier: MIT
"""A program of the model line by line: what each line returns, and what it makes others see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iopf.emulator.check.model import operations
from iopf.emulator.check.model.run import machine
from iopf.emulator.check.model.state import State, StopRun
from iopf.emulator.program.actors import default_names
from iopf.emulator.program.blocks import Step, steps
from iopf.emulator.program.compile import parse_programs

STOP = "STOP"  # the result of a line in which the model finds a memory error
WAITS = "WAITS"  # of one that waits for a line behind it
MM_DIES = "mm-dies "
_TURNS = 50  # of a generator, after which nothing that it waits for can come

Answer = tuple[int, int | None, int, int, bool]


@dataclass(frozen=True, slots=True)
class Seen:
    """Of one line: 0 or -errno, STOP or WAITS; answers as (device, PASID or None, PRGI, code, last); pages as (tenant, page)."""

    result: int | str
    answers: tuple[Answer, ...]
    handled: tuple[tuple[int, int], ...]


def play(lines: Sequence[str], generation: str) -> list[Seen]:
    """Run the lines of one program up to the first that stops or waits.

    Beside the program language there is `mm-dies tN`: the address space ends while its bindings stay, as between exit_mm and the release
    of the files. Raises ProgramError for an invalid line, KeyError for an unknown generation."""
    trees, _ = parse_programs(
        [[line for line in lines if not line.startswith(MM_DIES)]], default_names(8, 8)
    )
    state, meeting = machine(trees, generation), operations.Meeting(trees)
    nodes = steps(trees[0].nodes)
    seen: list[Seen] = []
    for line in lines:
        answers, handled = len(state.answers), len(state.handled)
        result: int | str
        if line.startswith(MM_DIES):
            result = _mm_dies(state, line)
        else:
            result = _execute(state, next(nodes), meeting)
        seen.append(Seen(result, tuple(state.answers[answers:]), tuple(state.handled[handled:])))
        if isinstance(result, str):
            break
    return seen


def _execute(state: State, step: Step, meeting: operations.Meeting) -> int | str:
    waiting = operations.execute(state, step.line, meeting)
    try:
        for _ in range(_TURNS):
            next(waiting)
    except StopIteration as ended:
        result: int = ended.value
    except StopRun:
        return STOP
    else:
        return WAITS
    try:
        operations.settle(state)
    except StopRun:
        return STOP
    return result


def _mm_dies(state: State, line: str) -> int:
    tenant = state.tenants[int(line.removeprefix(f"{MM_DIES}t"))]
    if tenant.mm is not None:
        tenant.mm.alive = False
        tenant.mm = None
    return 0
