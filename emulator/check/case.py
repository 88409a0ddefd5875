"""What a case is: an event of the table of fates, programs that bring it about, what is observed."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.check.violations import GENERATIONS

RECORDS = 128  # size of the page request queue in all cases


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case leads to.

    `responses`: codes by label, of device 0 unless the label is `d1.x`; a label that is missing is
    not used. `errors`: errno by line, lines counted through all programs; others end with 0, or are
    not reached after a finding. `lost`: requests by reason. `groups`: built, freed. `findings`: what
    ends the run.
    """

    responses: dict[str, tuple[int, ...]]
    errors: dict[int, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    groups: tuple[int, int] = (0, 0)
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One event. `watch` is the label whose answer is the fate of the table.

    `credits` is what each device needs.
    """

    event: str
    programs: tuple[tuple[str, ...], ...]
    expected: dict[str, Expected]
    watch: str = "a"
    credits: int = 32


def spread(**by_span: Expected) -> dict[str, Expected]:
    """Expectations by span, like `v5_13__v6_2`, as one entry per generation."""
    found: dict[str, Expected] = {}
    for name, expected in by_span.items():
        first, _, last = name.replace("__", " ").replace("_", ".").partition(" ")
        start, end = GENERATIONS.index(first), GENERATIONS.index(last or first)
        found.update(dict.fromkeys(GENERATIONS[start : end + 1], expected))
    return found
