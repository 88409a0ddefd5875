# SPDX-License-Identifier: MIT
"""Errors of programs, each with its line."""

from __future__ import annotations

from collections.abc import Sequence

from iopf.emulator.scenario.errors import Problem, first_problems
from iopf.emulator.spec.text import printable


class LineError(ValueError):
    """An error in one line. The text says why; the caller knows the line."""


class ProgramError(ValueError):
    """Invalid programs. Each of `problems` has a path such as `program[1].ops[3]`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("a ProgramError needs at least one problem")
        self.problems = first_problems(problems)
        super().__init__("\n".join(printable(f"{p.path}: {p.text}") for p in self.problems))


def at_line(program: int, op: int, text: str) -> Problem:
    """A problem of line `op` of program `program`, both counted from 0 as in the scenario."""
    return Problem(f"program[{program}].ops[{op}]", text)
