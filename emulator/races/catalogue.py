"""The race catalogue: historic bugs of the fault path, each with a program that shows it (spec/kernel.md, section 4).

An entry is a file in ``races/``: what happened, a scenario of a few actors, and the oracle that sees the bug. The *defective*
variant has the defect of the same slug switched on, the *fixed* one has not; nothing else differs. Where the emulated generation
has the bug by itself, ``fixed`` has the tables of a variant without it, like a later kernel. ``leaks`` says how many objects of a
pool are live when all programs are over; ``queue_records`` makes the page request queue smaller than hardware has it.

``number`` is that of the section; a third figure tells bugs of the same history apart (4.60.2), and ``new`` is what has none there.
``oracle`` is how the finding begins that the race is meant for. Every detector has a race that nothing else sees in any schedule; the
test of the catalogue has the table. ``depth`` is measured: the smallest d with which PCT of depth d finds the defect within 20,000
schedules of one seed (d - 1 places where the one who runs falls behind), or with which a schedule of d - 1 preemptions does (every one
with so many, as ``iopf race prove`` plays them). Depth 1 needs the right order of actors and nothing more.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from iopf.emulator.spec.kernels import GENERATIONS, NEWEST, span

UNNUMBERED = "new"
THEMES = {
    "mm-exit": "an address space goes away",
    "overflow": "the hardware queue overflows",
    "partials": "requests that wait for their last",
    "answers": "never answered, answered twice",
    "removal": "removal, and who owns a group",
    "pasid-reuse": "a PASID and its next owner",
    "deadlock": "locks and flushes",
    "lost-wake": "wake-ups",
    "ordering": "order of shared memory",
    "setup": "devices not or wrongly set up",
    "sharing": "shared handles",
    "liveness": "who waits for whom",
}


class Race(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry. `programs`: lists of operations (`iopf help programs`), `start` where the race begins; `scenario`: other tables."""

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
        """What to call it: number and slug, or the slug alone."""
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
        """The one that its program runs on."""
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
    """All entries by slug, in the order of their numbers."""
    found = []
    for file in files("iopf.emulator.races").joinpath("library").iterdir():
        if file.name.endswith(".toml"):
            found.append(msgspec.toml.decode(file.read_bytes(), type=Race))
    found.sort(key=lambda race: [int(n) for n in race.number.split(".") if n.isdigit()] or [99])
    return {race.slug: race for race in found}


def find(name: str) -> Race | None:
    """By slug, number, or both (`4.22-remove-before-drain`)."""
    for race in catalogue().values():
        if name in (race.slug, f"{race.number}-{race.slug}") or name == race.number != UNNUMBERED:
            return race
    return None
