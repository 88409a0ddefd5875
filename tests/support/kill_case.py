# SPDX-License-Identifier: MIT
"""Base of the cases that the stepping test kills: their fixture and their steps.

A case has four steps. ``build`` formats the primitive. ``warm`` runs in the victim before the operation, brings the primitive to the
start of the interesting path, and returns the arguments of ``victim.step``. ``repair`` does what the supervisor does after it has
seen the death. ``survive`` runs in another process: about 200 operations and all the checks; it returns its counts. The fixed numbers
are slots of the crew.
"""

from __future__ import annotations

from typing import Protocol

from iopf.cython_ext.memory import Memory

from tests.probes.crew import Crew
from tests.probes.victim import Step, step
from tests.support.board import Board

SUPERVISOR, VICTIM, SURVIVOR, OTHER = 0, 1, 2, 3
ROUNDS = 200
Args = tuple[int, int, int]
Notes = dict[str, int]


class FixtureBoard(Protocol):
    """The operations that a case needs of a board."""

    memory: Memory
    crew: Crew

    def as_slot(self, slot: int) -> Crew: ...

    def report(self) -> str: ...


class Fixture:
    """A fresh board of four actors, the mark of the victim, and room for two primitives."""

    def __init__(self) -> None:
        board = Board(4, 1 << 15, spins=2, yields=1)
        self.board: FixtureBoard = board
        self.armed = board.take(64)
        self.at = board.take(16384)
        self.second = board.take(1024)
        self.memory = self.board.memory
        self.crew = self.board.crew


class Case:
    """Default: no preparation and no repair. ``stride`` 1 kills after every instruction."""

    stride = 1

    def __init__(self, step: Step) -> None:
        self.step = step

    def fixture(self) -> Fixture:
        return Fixture()

    def act(self, fixture: Fixture, crew: Crew) -> None:
        """Runs in the victim: everything up to its trap, and the operation."""
        step(crew, self.step, fixture.armed, *self.warm(fixture, crew))

    def build(self, fixture: Fixture) -> None:
        raise NotImplementedError

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        return fixture.at, fixture.at, 0

    def repair(self, fixture: Fixture, crew: Crew) -> int:
        return 0

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        raise NotImplementedError
