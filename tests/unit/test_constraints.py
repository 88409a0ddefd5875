# SPDX-License-Identifier: MIT
"""Ordering constraints: reading, writing, extraction from schedules, minimising."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iopf.emulator.races.catalogue import Race, catalogue
from iopf.emulator.races.constraints import (
    Constraint,
    ConstraintError,
    Place,
    minimal_constraints,
    parse,
)
from iopf.emulator.races.schedule_file import read
from iopf.emulator.spec.sites import Site
from iopf.tools.lab.play.races import Origin, lab_of, save_schedule, tables_of
from iopf.tools.lab.play.replay import lab_in, replay_test
from iopf.tools.lab.play.system import Lab
from iopf.tools.lab.search.failure import failure_of
from iopf.tools.lab.search.minimise import constraints_of, minimise_failure, play_constraints
from iopf.tools.lab.search.search import search

ACTOR = st.sampled_from(["irq", "dev-00", "task:tenant-00", "driver-k0"])
PLACE = st.builds(
    lambda actor, site, op, number: Place(actor, int(site) << 8 | op, number),
    ACTOR,
    st.sampled_from(list(Site)),
    st.integers(0, 44),
    st.integers(1, 999),
)
SOME = ("discard-partial-unlocked", "plain-detach-undrained", "mm-without-get", "torn-table-entry")


@given(st.builds(Constraint, PLACE, PLACE))
def test_a_written_constraint_reads_back(constraint: Constraint) -> None:
    assert parse(str(constraint)) == constraint


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("irq@prq_idle/field_read#1", "expected ACTOR"),
        ("irq@prq_idle/field_read before dev-00@dev_send/event#1", "expected ACTOR"),
        ("irq@prq_idle/field_read#0 before dev-00@dev_send/event#1", "expected ACTOR"),
        ("irq@nowhere/field_read#1 before dev-00@dev_send/event#1", "no point '"),
    ],
)
def test_an_invalid_constraint_is_refused(line: str, why: str) -> None:
    with pytest.raises(ConstraintError, match=why):
        parse(line)


def found_in(lab: Lab) -> tuple[list[Constraint], tuple[object, ...]]:
    found = search(lab, 1, seconds=5, most=10**6)
    assert found.failure is not None
    short = minimise_failure(lab, found.failure)
    constraints = constraints_of(lab, short)
    assert constraints is not None
    bug, broken = play_constraints(lab, constraints)
    assert (failure_of(lab, bug).signature, broken) == (short.signature, 0)
    return constraints, short.signature


@pytest.mark.parametrize("slug", SOME)
def test_a_race_fails_under_its_constraints_and_under_no_subset(slug: str) -> None:
    race = catalogue()[slug]
    with lab_of(race, defective=True) as lab:
        constraints, signature = found_in(lab)
        assert constraints
        for left_out in constraints:
            rest = [each for each in constraints if each != left_out]
            bug, broken = play_constraints(lab, rest)
            assert not bug or broken or failure_of(lab, bug).signature != signature
    if race.fixed is None:
        with lab_of(race, defective=False) as lab:
            assert not play_constraints(lab, constraints)[0]


def test_minimal_constraints_are_the_needed_ones() -> None:
    every = [Constraint(Place("irq", 1, n), Place("irq", 2, n)) for n in range(1, 40)]
    needed = {every[3], every[17], every[38]}
    assert set(minimal_constraints(every, lambda some: needed <= set(some))) == needed
    assert minimal_constraints(every, lambda _some: True) == []


def test_an_unknown_actor_is_named() -> None:
    with (
        lab_of(catalogue()[SOME[0]], defective=True) as lab,
        pytest.raises(ConstraintError, match="dev-77"),
    ):
        play_constraints(lab, [Constraint(Place("dev-77", 1, 1), Place("irq", 1, 1))])


def saved(race: Race, file: Path) -> None:
    with lab_of(race, defective=True) as lab:
        found = search(lab, 1, seconds=5, most=10**6)
        assert found.failure is not None
        short = minimise_failure(lab, found.failure)
        lab.scheduler.replay(short.path)
        tables = tables_of(race, defective=True)
        save_schedule(lab, Origin(race.programs, tables, found, 1, "portfolio"), short, file)


def test_a_file_of_a_build_with_other_points_is_replayed_by_constraints(tmp_path: Path) -> None:
    file = tmp_path / "schedule.json"
    saved(catalogue()[SOME[0]], file)
    schedule = read(file)
    assert schedule.constraints
    with lab_in(schedule, file) as lab:
        before = replay_test(lab, schedule, file)
    other = msgspec.structs.replace(schedule, points="0" * 8, segments=[("irq", 1)])
    with lab_in(other, file) as lab:
        after = replay_test(lab, other, file)
    assert before.same
    assert after.failure == before.failure
    assert after.failure[0].startswith("list:")
