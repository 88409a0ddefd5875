# SPDX-License-Identifier: MIT
"""The subject of a command: a variant of a race, or a reduced scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iopf.emulator.races.catalogue import Race
from iopf.emulator.scenario.errors import ScenarioError
from iopf.tools.lab.play.races import tables_of
from iopf.tools.lab.play.scenario import scenario_parts
from iopf.tools.lab.play.system import Lab, LabError, build_lab


@dataclass(frozen=True, slots=True)
class Target:
    """`name` and `title`: for documents and headings; `race`: its slug, or empty; `variant`: "defective" or "fixed" for a race."""

    name: str
    title: str
    programs: list[list[str]]
    tables: dict[str, Any]
    race: str = ""
    variant: str = ""

    def document(self) -> dict[str, Any]:
        """JSON identification: `race` and `variant`, or `scenario`; the others are null."""
        return {
            "race": self.race or None,
            "variant": self.variant or None,
            "scenario": None if self.race else self.name,
        }

    def lab(self, *, memory: str = "tso") -> Lab:
        """Build the system. Raises ScenarioError, ArenaError."""
        try:
            return build_lab(*self.programs, memory=memory, **self.tables)
        except LabError as error:
            raise ScenarioError([f"{self.name}: {error}"]) from None


def race_target(race: Race, *, defective: bool) -> Target:
    variant = "defective" if defective else "fixed"
    return Target(
        race.slug,
        f"{race.title_name} on {race.generation}, {variant}",
        [list(program) for program in race.programs],
        tables_of(race, defective=defective),
        race.slug,
        variant,
    )


def scenario_target(name: str) -> Target:
    """The target of a shipped scenario or a file. Raises ScenarioError."""
    programs, tables = scenario_parts(name)
    return Target(name, f"{name} on {tables['kernel']['generation']}", programs, tables)
