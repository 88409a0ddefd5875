# SPDX-License-Identifier: MIT
"""Test cases: an event of the fate table, programs that cause it, and the expected observations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from iopf.emulator.spec.kernels import span

RECORDS = 128  # size of the page request queue in all cases


@dataclass(frozen=True, slots=True)
class Expected:
    """The outcome of a case.

    `responses`: codes by label, of device 0 unless the label is `d1.x`; a missing label is unused. `errors`: errno by line, lines counted
    through all programs; others end with 0, or are not reached after a finding. `lost`: requests by reason. `groups`: built, freed.
    `findings`: what ended the run. `cut_off`: labels whose answer was on its way when a finding ended the run; it may not have arrived.
    """

    responses: dict[str, tuple[int, ...]]
    errors: dict[int, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    groups: tuple[int, int] = (0, 0)
    findings: tuple[str, ...] = ()
    cut_off: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Case:
    """One event. `watch` is the label whose answer is the fate in the table.

    `credits`: of each device.
    """

    event: str
    programs: tuple[tuple[str, ...], ...]
    expected: dict[str, Expected]
    watch: str = "a"
    credits: int = 32


def observed(
    responses: dict[tuple[int, str], Sequence[int]],
    results: Sequence[int],
    lost: dict[str, int],
    groups: tuple[int, int],
    findings: Sequence[str],
) -> Expected:
    """The observations, in the form of the expectations.

    `responses` is by (device, label), `results` has 0 or -errno per line. Reasons with a count of 0 are omitted.
    """
    by_label = {
        (label if device == 0 else f"d{device}.{label}"): tuple(codes)
        for (device, label), codes in responses.items()
    }
    errors = {op: ret for op, ret in enumerate(results) if ret < 0}
    some = {reason: count for reason, count in lost.items() if count}
    return Expected(by_label, errors, some, groups, tuple(findings))


def differences(expected: Expected, seen: Expected) -> list[str]:
    """The differences between observation and expectation, one line each; empty if equal."""
    found = []
    for name in ("responses", "errors", "lost", "groups", "findings"):
        wanted, got = getattr(expected, name), getattr(seen, name)
        if name == "responses":
            lost = {label for label in expected.cut_off if not got.get(label)}
            wanted = {**wanted, **dict.fromkeys(lost, ())}
        if wanted != got:
            found.append(f"{name}: expected {wanted}, got {got}")
    return found


def document(case: Case, generation: str) -> dict[str, Any]:
    """The scenario of a case: plain tables, as in a TOML file."""
    text = " ".join(op for program in case.programs for op in program)
    devices = 1 + max(int(n) for n in re.findall(r"\bd(\d+)\b", text))
    tenants = 1 + max(int(n) for n in re.findall(r"\bt(\d+)\b", text))
    return {
        "schema": 1,
        "system": {"name": case.event},
        "iommu": {"prq_records": RECORDS},
        "kernel": {"generation": generation},
        "device": [{"count": devices, "credits": case.credits, "groups_in_flight": 512}],
        "tenant": [{"count": tenants}],
        "program": [{"ops": list(program)} for program in case.programs],
    }


def spread(**by_span: Expected) -> dict[str, Expected]:
    """Expectations by span, like `v5_13__v6_2`, as one entry per generation."""
    found: dict[str, Expected] = {}
    for name, expected in by_span.items():
        first, _, last = name.replace("__", " ").replace("_", ".").partition(" ")
        found.update(dict.fromkeys(span(first, last or first), expected))
    return found
