"""Every schedule up to a number of delays: complete, and with the bug in it where there is one."""

from __future__ import annotations

import pytest

from emulator.sched.catalogue import Race, catalogue
from emulator.sched.judge import Bug
from tools.lab.races import lab_of
from tools.lab.system import build_lab

RACES = list(catalogue().values())
BUDGET_NS = 60_000_000_000


@pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
def test_no_schedule_of_the_fixed_variant_with_at_most_one_delay_fails(race: Race) -> None:
    with lab_of(race, defective=False) as lab:
        bug, schedules, whole, _ = lab.conductor.exhaust(0, BUDGET_NS)
        assert (bug, schedules, whole) == (Bug.BUG_NONE, 1, True)
        steps = len(lab.conductor.trace)
        bug, schedules, whole, _ = lab.conductor.exhaust(1, BUDGET_NS)
        # A delay at each step of the schedule without any.
        assert (bug, schedules, whole) == (Bug.BUG_NONE, steps, True)


def test_the_bug_that_needs_two_delays_is_not_found_with_fewer() -> None:
    with lab_of(catalogue()["remove-before-drain"], defective=True) as lab:
        found = [lab.conductor.exhaust(delays, BUDGET_NS) for delays in range(3)]
        assert [each[0] for each in found] == [Bug.BUG_NONE, Bug.BUG_NONE, Bug.BUG_VERDICT]
        assert found[2][3] == sorted(found[2][3])
        assert len(found[2][3]) == 2


def test_a_budget_that_ends_proves_nothing() -> None:
    with build_lab(
        ["map t0 4", "bind d0 t0"], ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a"]
    ) as lab:
        bug, schedules, whole, at = lab.conductor.exhaust(4, 1_000_000)
        assert (bug, whole, at) == (Bug.BUG_NONE, False, [])
        assert schedules > 0
