# SPDX-License-Identifier: MIT
"""A schedule step by step: a line for every step, nothing left out. `table.py` is the overview."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from iopf.cython_ext.runqueue import KIND_DRAIN
from iopf.emulator.races.constraints import Constraint, Place
from iopf.emulator.races.schedule import Step
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.report.table import slept_out
from iopf.tools.lab.report.where import Where

_POINT = 38


def step_rows(
    steps: Sequence[Step],
    names: Sequence[str],
    where: Where,
    constraints: Sequence[Constraint] = (),
) -> Iterator[str]:
    """Heading and a line per step: its number, actor, function and operation, and the object it accesses. `!` marks a preemption: the
    previous actor was still runnable. A step of the ordering constraints has their numbers: `before 2`, `after 1,3`."""
    if not steps:
        yield "    no steps"
        return
    width = max(len(names[step[0]]) for step in steps)
    yield f"{'step':>6}  {'actor':<{width}}  {'at':<{_POINT}}  object"
    marks = _marks(steps, names, constraints)
    for number, step in enumerate(steps):
        before = steps[number - 1] if number else step
        preempted = step[0] != before[0] and bool(step[4] >> before[0] & 1)
        at = point_name(step[1]) if step[1] else "begin"
        if slept_out(step):
            at += ", out of time"
        rest = f"{where.region(step[3]):<24}{marks.get(number, '')}"
        mark = "!" if preempted else " "
        yield f"{number + 1:>6}{mark} {names[step[0]]:<{width}}  {at:<{_POINT}}  {rest}".rstrip()


def _marks(
    steps: Sequence[Step], names: Sequence[str], constraints: Sequence[Constraint]
) -> dict[int, str]:
    """What to write beside a step, by its index."""
    roles: dict[Place, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, each in enumerate(constraints, 1):
        roles[each.first]["before"].append(number)
        roles[each.second]["after"].append(number)
    been: Counter[tuple[int, int]] = Counter()
    marks = {}
    for index, step in enumerate(steps):
        if step[2] == KIND_DRAIN:
            continue
        been[step[0], step[1]] += 1
        of = roles.get(Place(names[step[0]], step[1], been[step[0], step[1]]))
        if of is not None:
            said = (f"{role} {','.join(map(str, of[role]))}" for role in sorted(of))
            marks[index] = f"<- {', '.join(said)}"
    return marks
