# SPDX-License-Identifier: MIT
"""Violations that a generation is known for: what fails a run, what is counted and contained, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from iopf.emulator.board.ledger import Event
from iopf.emulator.check.coverage import coverage, known_violations
from iopf.emulator.check.fates import CELLS, EVENTS
from iopf.emulator.check.violations import KNOWN, known_in
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.tools.supervisor.run import run_programs

KERNEL = dict.fromkeys(
    ("partial_added", "groups", "discarded", "freed", "acknowledged", "markers"), 0
)
UNDRAINED = [
    "map t0 16",
    "bind d0 t0",
    "hold workers",
    "send d0 t0 pages=2 group=a",
    "settle",
    "queue-remove d0",
    "let-go workers",
    "settle",
    "queue-add d0",
    "send d0 t0 pages=1 group=b try",
    "await d0",
]


def removed(generation: str, known: str) -> dict[str, Any]:
    """A removal without a drain while a worker is about to take the group (4.22)."""
    return run_programs(UNDRAINED, kernel={"generation": generation}, checks={"known": known})


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_removal_without_drain_is_contained(generation: str) -> None:
    result = removed(generation, "count")
    assert result["problems"] == []
    assert result["fates"]["remove-pending"] == 1
    assert set(result["known"]) <= set(known_in(generation))
    shown = "remove-before-drain" in result["known"]
    assert shown == (generation in KNOWN["remove-before-drain"].generations)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_same_fails_the_run_where_it_is_a_use_after_free(generation: str) -> None:
    result = removed(generation, "fail")
    frees = generation in KNOWN["remove-before-drain"].generations
    assert result["status"] == (1 if frees else 0)
    assert bool(result["problems"]) == frees
    if frees:
        assert result["problems"][0].startswith("use after free: group")
        assert "freed by driver-k0 in queue_remove_device" in result["problems"][0]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_violation_is_known_by_the_cell_that_shows_it(generation: str) -> None:
    """Each event of the board counts in one row of the table, and a row tells its violation."""
    column = [cell for cell in CELLS if cell.generation == generation]
    for number in range(Event.EVENTS):
        events = [0] * Event.EVENTS
        events[number] = 3
        reached = coverage(generation, events, KERNEL)
        assert [each.cell for each in reached] == column
        rows = [each for each in reached if each.times]
        assert [each.times for each in rows] in ([], [3])
        found = known_violations(generation, reached, events, KERNEL)
        assert set(found) <= set(known_in(generation))
        if rows and rows[0].cell.known:
            assert found == {rows[0].cell.known: 3}


def test_counters_of_the_kernel_make_the_other_rows() -> None:
    nothing = [0] * Event.EVENTS
    rows = {}
    for name in KERNEL:
        reached = coverage("v7.2", nothing, {**KERNEL, name: 5})
        rows[name] = [each.cell.event for each in reached if each.times == 5]
    assert rows == {
        "partial_added": ["partial"],
        "groups": ["last"],
        "discarded": ["overflow"],
        "freed": ["remove-partial"],
        "acknowledged": ["remove-partial"],
        "markers": [],
    }
    counted = {each.cell.event for each in coverage("v7.2", nothing, KERNEL)}
    assert counted == set(EVENTS)
    shown = known_violations("v7.2", [], nothing, {**KERNEL, "markers": 5})
    assert shown == {"stop-marker-blindness": 5}


CONTAINED: dict[str, Any] = {"checks": {"known": "count", "warnings": "count"}}
# What contained runs keep from going wrong shows only while two actors are at it; the pause makes that likely, the repeats sure.
RACES: dict[str, list[list[str]]] = {
    "flush-after-remove": [
        [
            "map t0 16",
            "bind d0 t0",
            "hold workers",
            "send d0 t0 pages=2 group=a",
            "settle",
            "queue-remove d0",
            "k0: barrier removed",
            "k0: pause 3ms",
            "let-go workers",
            "k0: barrier flushed",
            "settle",
            "queue-add d0",
        ],
        ["k1: barrier removed", "k1: flush d0 try", "k1: barrier flushed"],
    ],
    "plain-detach-undrained": [
        [
            "k0: barrier attached",
            "hold irq",
            "send d0 pasid=1 pages=1",
            "k0: pause 3ms",
            "k0: barrier sent",
            "k0: pause 3ms",
            "let-go irq",
            "await d0",
        ],
        [
            "attach d0 t0 pasid=1 domain=paging",
            "t0: barrier attached",
            "t0: barrier sent",
            "detach d0 t0 pasid=1",
        ],
    ],
}


def shown(slug: str, generation: str) -> bool:
    """Whether one of some runs counts the violation. Every run of them passes."""
    for _ in range(20):
        result = run_programs(*RACES[slug], kernel={"generation": generation}, **CONTAINED)
        assert result["problems"] == []
        if slug in result["known"]:
            return True
    return False


@pytest.mark.parametrize(
    ("slug", "generation"),
    [(slug, g) for slug in RACES for g in KNOWN[slug].generations],
)
def test_what_is_contained_is_counted(slug: str, generation: str) -> None:
    assert shown(slug, generation)


@pytest.mark.parametrize("generation", ["v6.11", "v6.14", "gunthorpe"])
def test_others_drain_a_plain_domain_anyway(generation: str) -> None:
    result = run_programs(
        *RACES["plain-detach-undrained"], kernel={"generation": generation}, **CONTAINED
    )
    assert result["problems"] == []
    assert "plain-detach-undrained" not in result["known"]
