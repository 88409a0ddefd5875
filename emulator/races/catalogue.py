# SPDX-License-Identifier: MIT
"""The race catalogue: historic bugs of the fault path, each with a program that reproduces it.

An entry is a file in ``races/library``: the story, a scenario of a few actors, and the oracle that detects the bug. The *defective*
variant enables the defect of the same slug, the *fixed* one does not; nothing else differs. If the emulated generation has the bug
itself, ``fixed`` has the tables of a variant without it, like a later kernel. ``leaks`` gives the live objects of a pool after all
programs; ``queue_records`` makes the page request queue smaller than hardware allows.

``number`` identifies the entry; a third figure separates bugs of the same history (4.60.2), and ``new`` marks bugs found here.
``oracle`` is the start of the expected finding. Every detector has a race that no other detector reports in any schedule; the test of
the catalogue has the table. ``depth`` is measured: the smallest d such that PCT of depth d finds the defect within 20,000 schedules of
one seed, or that a schedule with d - 1 preemptions does (``iopf race prove`` runs all of those). Depth 1 needs only an order of actors.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from iopf.emulator.spec.kernels import GENERATIONS, NEWEST, span

UNNUMBERED = "new"
THEMES = {
    "mm-exit": "teardown of an address space",
    "overflow": "overflow of the hardware queue",
    "partials": "partial faults",
    "answers": "missing and duplicate responses",
    "removal": "removal and ownership of groups",
    "pasid-reuse": "reuse of a PASID",
    "deadlock": "locks and flushes",
    "lost-wake": "wake-ups",
    "ordering": "order of shared memory",
    "setup": "missing or wrong device setup",
    "sharing": "shared handles",
    "liveness": "waits that never end",
}


class Race(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry. `programs`: lists of operations (`iopf help programs`), with `start` where the race begins; `scenario`: other tables."""

    slug: str
    number: str
    title: str
    theme: str
    spans: list[str] = msgspec.field(
        name="generations"
    )  # v6.2..v6.9, v6.9.. to the newest, or one name
    source: str
    invariant: str
    oracle: str
    depth: int
    story: str
    fix: str
    programs: list[list[str]]
    actors: list[str]
    scenario: dict[str, Any] = {}
    leaks: dict[str, int] = {}
    queue_records: int = 0
    fixed: dict[str, Any] | None = None

    @property
    def title_name(self) -> str:
        """Number and slug, or the slug alone without a number."""
        return self.slug if self.number == UNNUMBERED else f"{self.number} {self.slug}"

    @property
    def generations(self) -> list[str]:
        """The kernels that can have it, in order of time."""
        found: set[str] = set()
        for each in self.spans:
            first, dots, last = each.partition("..")
            found.update(span(first, last or (NEWEST if dots else first)))
        return [name for name in GENERATIONS if name in found]

    @property
    def generation(self) -> str:
        """The kernel generation that its program runs on."""
        return str(self.scenario.get("kernel", {}).get("generation", NEWEST))

    def document(self, *, defective: bool) -> dict[str, Any]:
        """The scenario of a variant, as plain tables."""
        kernel = dict(self.scenario.get("kernel", {}))
        if self.fixed is None:
            kernel["defects"] = [self.slug] if defective else []
        elif not defective:
            return {**self.scenario, **self.fixed}
        return {**self.scenario, "kernel": kernel}


@cache
def catalogue() -> dict[str, Race]:
    """All entries by slug, ordered by number."""
    found = []
    for file in files("iopf.emulator.races").joinpath("library").iterdir():
        if file.name.endswith(".toml"):
            found.append(msgspec.toml.decode(file.read_bytes(), type=Race))
    found.sort(key=lambda race: [int(n) for n in race.number.split(".") if n.isdigit()] or [99])
    return {race.slug: race for race in found}


def find(name: str) -> Race | None:
    """Find an entry by slug, number, or both (`4.22-remove-before-drain`)."""
    for race in catalogue().values():
        if name in (race.slug, f"{race.number}-{race.slug}") or name == race.number != UNNUMBERED:
            return race
    return None
