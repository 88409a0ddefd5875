"""Schedules as constraints: this step of one actor before that step of another.

    tenant-00@detach_pasid/field_write#1 before irq@prq_idle/field_read#3

An actor's step is named by its point and by how often the actor has been there: code may be added around it and the constraint still
says the same. A failing schedule is exported as the switches between its runs, and those that it fails without are left out.
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

MOST = 64  # that are played together


class ConstraintError(ValueError):
    """A line that is no constraint, or names what does not exist; the text says what."""


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
        raise ConstraintError(f"'{text}': no point is called '{found['b']}'")
    return Place(found["a"], _POINTS[found["b"]], int(found["c"]))


def of_schedule(steps: Sequence[Step], names: Sequence[str]) -> list[Constraint]:
    """One for every switch: the last step of a run comes before the first step of the run behind it."""
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
    """Those that it takes, none of which can be left out alone: all at once, halves, quarters and so on, then one by one until each has
    been tried without the others that went."""
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
