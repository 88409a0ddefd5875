# SPDX-License-Identifier: MIT
"""The engine of the IOMMU against its decision table, in all combinations of the table's conditions."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from iopf.emulator.board.process import Process
from iopf.emulator.check.decisions import INVALID, MARKER, REQUEST, Decision, Facts, decide, row_of

from tests.probes.hardware import Unit
from tests.support.boards import make_board

BOTH = (False, True)
MESSAGES: Any = ("last", "other", "marker")
ENTRIES: Any = ("absent", "present", "quiet")
ALL = [Facts(*each) for each in product(BOTH, BOTH, ENTRIES, BOTH, BOTH, BOTH, MESSAGES)]


@pytest.fixture
def unit() -> Unit:
    return Unit(Process(make_board(), 1))


def asked(unit: Unit, facts: Facts, pasid: int, *, pasid_present: bool) -> Decision:
    """The message under a PASID that has no entry of its own."""
    unit.prepare(
        facts.gone, facts.enabled, facts.entry, facts.overflowed, facts.full, facts.pending, 5
    )
    return Decision(*unit.serve(facts.message, pasid, pasid_present))


def played(unit: Unit, facts: Facts, pasid: int, *, pasid_present: bool) -> Decision:
    unit.prepare(
        facts.gone, facts.enabled, facts.entry, facts.overflowed, facts.full, facts.pending, pasid
    )
    return Decision(*unit.serve(facts.message, pasid, pasid_present))


@pytest.mark.parametrize(("pasid", "pasid_present"), [(0, False), (5, True), (15, True)])
def test_the_engine_decides_as_the_table(unit: Unit, pasid: int, pasid_present: bool) -> None:
    for facts in ALL:
        assert played(unit, facts, pasid, pasid_present=pasid_present) == decide(facts), facts


@pytest.mark.parametrize(("pasid", "pasid_present"), [(16, True), (0xFFFFF, True), (5, False)])
def test_a_pasid_that_has_no_entry_is_refused_as_one_that_is_absent(
    unit: Unit, pasid: int, pasid_present: bool
) -> None:
    """A PASID beyond the table, or one in a message that says it has none. The entries that exist are present."""
    for facts in ALL:
        if facts.entry != "absent" or facts.message == "marker":
            continue
        there = replace(facts, entry="present")
        played(unit, there, 0, pasid_present=False)
        assert played(unit, there, 5, pasid_present=True) == decide(there)
        assert asked(unit, there, pasid, pasid_present=pasid_present) == decide(facts), facts


def test_every_row_decides_some_combination_and_a_condition_of_each_row_alone() -> None:
    """A row that no combination reaches is an error of the table; so is a condition that another one hides."""
    assert {row_of(facts) for facts in ALL} == {*REQUEST, *MARKER}
    for rows, message in ((REQUEST, "last"), (MARKER, "marker")):
        alone = {
            (row_of(facts).name, *facts.conditions())
            for facts in ALL
            if facts.message == message and len(facts.conditions()) == 1
        }
        for row in rows:
            assert {(row.name, each) for each in row.conditions} <= alone


def test_the_tables_are_asked_before_the_overflow() -> None:
    """7.4: a function that is not set up gets Invalid even while the queue has overflowed or is full."""
    for facts in ALL:
        refused = not facts.enabled or facts.entry != "present"
        if refused and not facts.gone and facts.message == "last":
            assert decide(facts).answer == INVALID


@pytest.mark.parametrize("requests", [1, 65, 100])
def test_a_wait_with_page_drain_completes_after_the_requests_before_it(
    unit: Unit, requests: int
) -> None:
    """7.10: every request that was on a link before the wait is in the queue when its status is written."""
    unit.prepare(False, True, "present", False, False, False, 5)
    assert unit.drain(requests) == (requests, True)


READ, LAST = 1, 4
PASID_5 = 1 << 8 | 5 << 32
REQUEST_TYPE = 1


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ((PASID_5 | REQUEST_TYPE, READ | LAST, 0, 0), 0),
        ((PASID_5, READ | LAST, 0, 0), 1),
        *[
            ((PASID_5 | REQUEST_TYPE | 1 << bit, READ | LAST, 0, 0), 1)
            for bit in (*range(9, 16), *range(54, 64))
        ],
        ((PASID_5 | REQUEST_TYPE, READ | LAST, 1, 0), 1),
        ((PASID_5 | REQUEST_TYPE, READ | LAST, 0, 1 << 63), 1),
        ((PASID_5 | REQUEST_TYPE, READ | LAST | 1 << 60, 0, 0), 1),
    ],
)
def test_the_driver_refuses_a_record_with_reserved_bits(
    unit: Unit, words: tuple[int, int, int, int], refused: int
) -> None:
    """Type, 15:9 and 63:54 of qw0, the two reserved words, and an address that is not canonical. No function can make such records."""
    assert unit.report(*words) == refused
