"""The frame of the cases that the stepping test kills: the stage they are set on, and the parts that each case has.

A case has four parts. ``build`` formats the primitive. ``warm`` runs in the victim before the operation, brings the primitive
to where the interesting path starts, and returns the arguments of ``probe_victim.step``. ``repair`` is what the supervisor
does once it has seen the death. ``survive`` runs in another process: about 200 operations and all the checks; it returns what
it counted. The fixed numbers are the slots of the crew.
"""

from __future__ import annotations

from cython_ext.probe_crew import Crew
from cython_ext.probe_victim import Step
from tests.support.board import Board

SUPERVISOR, VICTIM, SURVIVOR, OTHER = 0, 1, 2, 3
ROUNDS = 200
Args = tuple[int, int, int]
Notes = dict[str, int]


class Stage:
    """A fresh board of four actors, the mark of the victim, and room for one primitive and a second."""

    def __init__(self) -> None:
        self.board = Board(4, 1 << 15, spins=2, yields=1)
        self.armed = self.board.take(64)
        self.at = self.board.take(16384)
        self.second = self.board.take(1024)
        self.memory = self.board.memory
        self.crew = self.board.crew


class Case:
    """Nothing to prepare and nothing to repair; subclasses say what differs."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def build(self, stage: Stage) -> None:
        raise NotImplementedError

    def warm(self, stage: Stage, crew: Crew) -> Args:
        return stage.at, stage.at, 0

    def repair(self, stage: Stage, crew: Crew) -> int:
        return 0

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        raise NotImplementedError
