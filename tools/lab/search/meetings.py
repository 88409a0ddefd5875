# SPDX-License-Identifier: MIT
"""Which pairs of operations have met on one object: a device, a tenant or a fault object that both name, in overlapping intervals.

An interval reaches from the step at which an actor begins an operation to that at which it begins the next one. Operations before `start`
are not counted. A pair that never met is a race that the campaign has not looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from random import Random

from iopf.emulator.board.layout import OFF_PROGRAMS, plan_layout
from iopf.emulator.races.schedule import Step
from iopf.emulator.spec.sites import point_name
from iopf.emulator.trace.program import RECORD_BYTES
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.draw import NEWER, device_lines, driver_lines, tenant_lines
from iopf.tools.supervisor.programs import lines_by_record

Pair = tuple[str, str]
_BEGIN = "program_step/local"
_OBJECT = re.compile(r"\b[dtf]\d+\b")
_SAMPLES = 60  # draws of the lines of an actor, to see every operation and object


@dataclass(frozen=True, slots=True)
class Operation:
    """A line of a program: its verb and the objects that it names."""

    verb: str
    objects: frozenset[str]


@dataclass(slots=True)
class Meetings:
    """Counts of a campaign."""

    generation: str
    counts: Counter[Pair] = field(default_factory=Counter)

    def add(self, steps: Sequence[Step], lines: Mapping[int, Operation]) -> None:
        """Count the pairs of one schedule. `lines`: by offset of the record on the board; others are not counted."""
        for one, other in overlapping(steps, lines):
            if one.objects & other.objects:
                self.counts[pair(one.verb, other.verb)] += 1

    @property
    def possible(self) -> set[Pair]:
        return possible(self.generation)

    @property
    def never(self) -> list[Pair]:
        """Pairs that programs may draw and that have not met."""
        return sorted(self.possible - set(self.counts))


def lines_of(lab: Lab) -> dict[int, Operation]:
    """The lines of a system's programs, by offset of their records on the board."""
    start = plan_layout(dict(lab.plan.config))[OFF_PROGRAMS]
    return {
        start + number * RECORD_BYTES: operation(text)
        for number, text in lines_by_record(lab.plan).items()
    }


def operation(line: str) -> Operation:
    words = line.partition(": ")[2] or line
    return Operation(words.split()[0], frozenset(_OBJECT.findall(words)))


def pair(one: str, other: str) -> Pair:
    return (one, other) if one <= other else (other, one)


def overlapping(
    steps: Sequence[Step], lines: Mapping[int, Operation]
) -> Iterator[tuple[Operation, Operation]]:
    """Each two operations of different actors of which one begins while the other is under way."""
    running: dict[int, tuple[int, Operation | None]] = {}
    for slot, point, _kind, where, *_ in steps:
        if point_name(point) != _BEGIN:
            continue
        line = lines.get(where)
        if slot in running and running[slot][0] == where:
            continue  # tried again
        running[slot] = (where, line)
        if line is None:
            continue
        for other, (_, under_way) in running.items():
            if other != slot and under_way is not None:
                yield line, under_way


def possible(generation: str) -> set[Pair]:
    """Pairs of operations that two actors of a drawn system may do to one object."""
    found = set()
    for one, other in combinations(_actors(generation), 2):
        operations = {operation(line) for line in other}
        for a in {operation(line) for line in one}:
            found |= {pair(a.verb, b.verb) for b in operations if a.objects & b.objects}
    return found


def _actors(generation: str) -> list[list[str]]:
    """The lines of two tenants, two devices and two drivers."""
    random, opened = Random(1), generation in NEWER
    made: list[list[str]] = []
    for number in range(2):
        draws = [
            tenant_lines(random, generation, number, 2, opened=opened) for _ in range(_SAMPLES)
        ]
        made.append([line for lines in draws for line in lines])
        draws = [device_lines(random, generation, number, 2) for _ in range(_SAMPLES)]
        made.append([line for lines in draws for line in lines])
        draws = [driver_lines(random, generation, 2) for _ in range(_SAMPLES)]
        made.append([line for lines in draws for line in lines])
    return made
