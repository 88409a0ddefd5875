# SPDX-License-Identifier: MIT
"""From faults of one address space to page request groups.

A device asks for a range in one group.  A run of consecutive faults on neighbouring pages, all in
one direction, becomes one group; anything else its tenant does ends the run, so all requests of a
group see the same state of the address space.  Requests reported by a device (``prq_report``) keep
the groups the device made.
"""

from __future__ import annotations

from typing import TypeAlias

from iopf.emulator.trace.address_space import Step
from iopf.emulator.trace.program import PAGE_BYTES, Op

GROUP_LIMIT_MAX = 64
GAP_LIMIT_NS = 100_000
"""Faults further apart in time than this are not put in one group, by default."""

Group: TypeAlias = list[Step]
Item: TypeAlias = Step | Group


def items(steps: list[Step], group_limit: int, gap_limit_ns: int = GAP_LIMIT_NS) -> list[Item]:
    """Return the steps in order, with the REQUESTs gathered in lists, one list per group.

    A group is placed where its first request was.  ``group_limit`` is the largest number of requests
    of a group made from faults, ``gap_limit_ns`` the longest time between two of its requests.
    """
    out: list[Item] = []
    run: Group | None = None
    reported: dict[int, Group] = {}
    for step in steps:
        if step.op is not Op.REQUEST:
            run = None
            reported.clear()
            out.append(step)
        elif step.b:
            run = None
            group = reported.get(step.b)
            if group is None:
                group = reported[step.b] = []
                out.append(group)
            group.append(step)
        elif run is not None and _extends(run, step, group_limit, gap_limit_ns):
            run.append(step)
        else:
            run = [step]
            out.append(run)
    return out


def _extends(run: Group, step: Step, group_limit: int, gap_limit_ns: int) -> bool:
    """Tell whether a fault continues a run."""
    last = run[-1]
    distance = step.a - last.a
    if abs(distance) != PAGE_BYTES or len(run) >= group_limit:
        return False
    if len(run) > 1 and distance != run[1].a - run[0].a:
        return False
    return step.t_ns - last.t_ns <= gap_limit_ns
