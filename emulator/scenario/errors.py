# SPDX-License-Identifier: MIT
"""Errors of scenarios: one line per problem, and the exit status."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from iopf.emulator.spec.text import printable

# These two are exit statuses of the command line (`iopf help exit-codes`), repeated here because the emulator must not import the
# tools; a test checks that they agree.
USAGE = 2
UNSUPPORTED = 4
PROBLEMS_MAX = 100


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'depth'?`, or an empty string if no known word is similar."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a scenario. `path` is like `device[0].credits`, or empty."""

    path: str
    text: str
    status: int = USAGE

    def line(self, where: str) -> str:
        """`file: $.path: text`; `where` is the file or option of the value."""
        parts = [where, f"$.{self.path}" if self.path else "", self.text]
        return ": ".join(part for part in parts if part)


def first_problems(problems: Iterable[Problem]) -> list[Problem]:
    """The first PROBLEMS_MAX, and a line that there are more: a damaged file has as many as it has lines."""
    found = list(islice(problems, PROBLEMS_MAX + 1))
    if len(found) > PROBLEMS_MAX:
        found[PROBLEMS_MAX] = Problem("", f"more than {PROBLEMS_MAX} problems; correct these first")
    return found


class ScenarioError(Exception):
    """A scenario that cannot run: `lines` for stderr, `status` for the exit status."""

    def __init__(self, lines: list[str], status: int = USAGE) -> None:
        if not lines:
            raise ValueError("a ScenarioError needs at least one line")
        self.lines = [printable(line) for line in lines]
        self.status = status
        super().__init__("\n".join(self.lines))


def worst_status(statuses: Iterable[int]) -> int:
    """An error takes precedence over a missing feature, because fixing it may remove the need for the feature."""
    found = set(statuses)
    return USAGE if USAGE in found or not found else UNSUPPORTED
