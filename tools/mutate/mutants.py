# SPDX-License-Identifier: MIT
"""Mutants: mistakes that a developer could make, as edit rules over our own sources.

A rule names a file, a text that occurs there once, and the text that replaces it: a fence dropped, a count read late, two steps swapped.
None of them is a defect of the catalogue. `seen_by` is the check that ought to see it; `survives` explains one that no check can see.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("mutants.toml")


class MutantError(Exception):
    """A rule that does not fit the sources."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule. `seen_by`: as `checks.command_of` reads it."""

    name: str
    story: str
    file: str
    before: str
    after: str
    seen_by: str
    survives: str = ""

    def apply(self, tree: Path) -> None:
        """Edit the file in a tree. Raises MutantError unless `before` occurs there once."""
        path = tree / self.file
        if not path.is_file():
            raise MutantError(f"{self.name}: no file {self.file}")
        text = path.read_text()
        found = text.count(self.before)
        if found != 1:
            raise MutantError(f"{self.name}: {self.file} has the text {found} times, expected once")
        path.write_text(text.replace(self.before, self.after))


def mutants(file: Path = FILE) -> list[Mutant]:
    """All rules, in the order of the file. Raises MutantError for two of one name, and for a rule that changes nothing."""
    found = [Mutant(**each) for each in tomllib.loads(file.read_text())["mutant"]]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise MutantError(f"{name}: two mutants have this name")
    for each in found:
        if each.before == each.after:
            raise MutantError(f"{each.name}: before and after are equal")
    return found
