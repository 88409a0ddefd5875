# SPDX-License-Identifier: MIT
"""Schedules as runs of steps, and minimising a failing one.

A *preemption* is a switch away from a runnable actor. A switch away from a blocked actor costs nothing, because another actor must run.
Minimising moves the next run of an actor forward to where it was preempted, and keeps changes after which the schedule still fails in
the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from iopf.cython_ext.runqueue import KIND_DRAIN

Step = tuple[
    int, int, int, int, int
]  # slot, point id, kind, offset of the access, mask of runnable slots


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive steps of one actor: `steps[first:last]` of the schedule."""

    slot: int
    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first


def runs(path: bytes) -> list[Run]:
    """Split a path (a slot per step) into runs."""
    found, at = [], 0
    for slot, steps in groupby(path):
        n = len(list(steps))
        found.append(Run(slot, at, at + n))
        at += n
    return found


def preemptions(steps: Sequence[Step]) -> int:
    """Number of switches away from runnable actors. A store-buffer drain between two steps of an actor does not interrupt it."""
    actors = [step for step in steps if step[2] != KIND_DRAIN]
    return sum(
        1
        for before, after in pairwise(actors)
        if before[0] != after[0] and after[4] >> before[0] & 1
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """A failing schedule: path, signature (kind of bug, verdict, place), preemptions and switches."""

    path: bytes
    signature: tuple[object, ...]
    preemptions: int
    switches: int

    @property
    def cost(self) -> tuple[int, int, int]:
        return self.preemptions, self.switches, len(self.path)


Replay = Callable[[bytes], Failure | None]


def _candidates(path: bytes) -> Iterable[bytes]:
    """Paths with possibly one preemption less: an actor's next run moved directly after its run, or a run removed."""
    found = runs(path)
    for i, run in enumerate(found):
        for j in range(i + 2, len(found)):
            if found[j].slot == run.slot:
                moved = [*found[: i + 1], found[j], *found[i + 1 : j], *found[j + 1 :]]
                yield b"".join(path[r.first : r.last] for r in moved)
                break
    for run in found:
        yield path[: run.first] + path[run.last :]
        if run.length > 1:
            yield path[: run.last - 1] + path[run.last :]


def minimise(
    failure: Failure, replay: Replay, *, tell: Callable[[Failure], None] | None = None
) -> Failure:
    """Minimise a failing schedule until no single change makes it shorter. `replay` runs a path loosely and returns its failure, if
    any; only the same failure counts."""
    best = failure
    improved = True
    while improved:
        improved = False
        for path in _candidates(best.path):
            found = replay(path)
            if (
                found is not None
                and found.signature == failure.signature
                and found.cost < best.cost
            ):
                best, improved = found, True
                if tell is not None:
                    tell(best)
                break
    return best
