# SPDX-License-Identifier: MIT
"""Ordering constraints: a step of one actor before a step of another.

    tenant-00@detach_pasid/field_write#1 before irq@prq_idle/field_read#3

A step is identified by its actor, its point and the number of visits to the point, so it keeps its name when code is added around it. A
failing schedule is exported as the orderings at its switches, minimised to those that it needs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from iopf.cython_ext.crew import PointOp
from iopf.cython_ext.runqueue import KIND_DRAIN
from iopf.emulator.races.schedule import Step, runs
from iopf.emulator.spec.sites import Site, point_name

MOST = 64  # constraints of one schedule


class ConstraintError(ValueError):
    """The line is not a valid constraint, or names an unknown object; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """The n-th step of an actor at a point."""

    actor: str
    point: int
    number: int

    def __str__(self) -> str:
        return f"{self.actor}@{point_name(self.point)}#{self.number}"


@dataclass(frozen=True, slots=True)
class Constraint:
    """`first` comes before `second`."""

    first: Place
    second: Place

    def __str__(self) -> str:
        return f"{self.first} before {self.second}"


_POINTS = {
    f"{site.name.lower()}/{op.name.removeprefix('OP_').lower()}": int(site) << 8 | int(op)
    for site in Site
    for op in PointOp
}
_LINE = re.compile(r"(?P<a>[^@]+)@(?P<b>[^#]+)#(?P<c>[0-9]{1,9})$")


def parse(line: str) -> Constraint:
    """Raises ConstraintError."""
    parts = line.split(" before ")
    if len(parts) != 2:
        raise ConstraintError(f"'{line}': expected ACTOR@POINT#N before ACTOR@POINT#N")
    return Constraint(_place(parts[0].strip()), _place(parts[1].strip()))


def _place(text: str) -> Place:
    found = _LINE.match(text)
    if found is None or int(found["c"]) < 1:
        raise ConstraintError(f"'{text}': expected ACTOR@POINT#N, like irq@prq_idle/field_read#1")
    if found["b"] not in _POINTS:
        raise ConstraintError(f"'{text}': no point '{found['b']}'")
    return Place(found["a"], _POINTS[found["b"]], int(found["c"]))


def of_schedule(steps: Sequence[Step], names: Sequence[str]) -> list[Constraint]:
    """One constraint per switch: the last step of a run precedes the first step of the next run."""
    actors = [step for step in steps if step[2] != KIND_DRAIN]
    places: list[Place] = []
    been: Counter[tuple[int, int]] = Counter()
    for step in actors:
        been[step[0], step[1]] += 1
        places.append(Place(names[step[0]], step[1], been[step[0], step[1]]))
    found = runs(bytes(step[0] for step in actors))
    return [Constraint(places[run.first - 1], places[run.first]) for run in found[1:]]


def minimal_constraints(
    constraints: Sequence[Constraint], fails: Callable[[Sequence[Constraint]], bool]
) -> list[Constraint]:
    """Minimal subset that still fails: no single constraint of it can be removed. Tries to remove all, halves, quarters and so on, then
    single ones until none can be removed."""
    kept = list(constraints)
    size = len(kept)
    while size:
        at, before = 0, len(kept)
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if fails(rest):
                kept = rest
            else:
                at += size
        if size > 1 or len(kept) == before:
            size //= 2
    return kept
