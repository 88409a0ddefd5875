# SPDX-License-Identifier: MIT
"""Proofs up to a number of preemptions or delays: bugs within the bound are found."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import pytest
from iopf.emulator.races.catalogue import Race, catalogue
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.tree import Walk
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.search.prove import Outcome, prove
from iopf.tools.lab.search.search import walk

RACES = list(catalogue().values())
BUDGET_NS = 60_000_000_000
MOST = 5000


@pytest.mark.parametrize("by", list(Walk), ids=["reduced", "preemptions", "delays"])
@pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
def test_no_schedule_of_a_walk_through_the_fixed_variant_fails(race: Race, by: Walk) -> None:
    """All schedules, those without preemptions, or those with one delay; at most the first thousands."""
    with lab_of(race, defective=False) as lab:
        bug, schedules, whole = lab.scheduler.walk(by, int(by == Walk.WALK_DELAYS), BUDGET_NS, MOST)
        assert bug == Bug.BUG_NONE
        assert whole or schedules == MOST


def test_a_bug_that_needs_a_preemption_is_found_with_one_and_not_without() -> None:
    with lab_of(catalogue()["discard-partial-unlocked"], defective=True) as lab:
        bug, schedules, whole = lab.scheduler.walk(Walk.WALK_PREEMPTIONS, 0, BUDGET_NS)
        assert (bug, whole) == (Bug.BUG_NONE, True)
        assert schedules > 1
        assert lab.scheduler.walk(Walk.WALK_PREEMPTIONS, 1, BUDGET_NS)[0] == Bug.BUG_VERDICT


def test_a_bug_that_needs_a_delay_is_found_with_one_and_not_without() -> None:
    with lab_of(catalogue()["discard-partial-unlocked"], defective=True) as lab:
        assert lab.scheduler.walk(Walk.WALK_DELAYS, 0, BUDGET_NS) == (Bug.BUG_NONE, 1, True)
        assert lab.scheduler.walk(Walk.WALK_DELAYS, 1, BUDGET_NS)[0] == Bug.BUG_VERDICT


def test_a_proof_without_time_for_all_schedules_covers_delays() -> None:
    with lab_of(catalogue()["remove-before-drain"], defective=False) as lab:
        proof = prove(lab, seconds=20, preemptions=-1, delays=1)
    assert not proof.complete
    assert (proof.delays, proof.preemptions, proof.bounded) == (1, -1, 0)
    assert proof.delayed > 100
    assert proof.verdict == "the budget ended: no schedule with at most 1 delay fails"
    assert proof.played.endswith(f"then {proof.delayed:,} schedules of at most 1 delay")


def test_a_long_walk_reports_progress() -> None:
    told: list[str] = []
    with lab_of(catalogue()["bad-setup-silent"], defective=False) as lab:
        proof = prove(lab, seconds=2, preemptions=0, tell=told.append)
    assert told[0] == "all schedules, reduced"
    counts = [
        int(match[1].replace(",", ""))
        for line in told
        if (match := re.fullmatch(r"all schedules, reduced: ([\d,]+), [01] of 2 s", line))
    ]
    assert len(counts) > 1
    assert counts == sorted(set(counts))
    assert 0 < counts[-1] <= proof.executions


def test_a_budget_that_ends_proves_nothing() -> None:
    with build_lab(
        ["map t0 4", "bind d0 t0"], ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a"]
    ) as lab:
        proof = prove(lab, seconds=0.01, preemptions=8)
        assert not proof.complete
        assert proof.preemptions < 8
        assert proof.executions > 0
        assert proof.outcome is Outcome.INCONCLUSIVE
        assert proof.verdict.startswith("inconclusive, the budget ended: ")


def test_seconds_that_end_before_the_executions_are_inconclusive() -> None:
    """The bounded walks do not begin: they would make the result depend on the machine."""
    with lab_of(catalogue()["remove-before-drain"], defective=False) as lab:
        proof = prove(lab, seconds=0.2, preemptions=2, executions=2**40)
    assert proof.outcome is Outcome.INCONCLUSIVE
    assert (proof.delayed, proof.bounded) == (0, 0)


def test_a_walk_reports_whether_it_is_complete() -> None:
    with lab_of(catalogue()["bad-setup-silent"], defective=False) as lab:
        cut = walk(lab, "dpor", seconds=60, most=1000)
        assert (cut.schedules, cut.complete) == (1000, False)
        every = walk(lab, "dpor", seconds=120, most=2**62)
        assert every.complete
        assert not every.timed
        assert every.schedules > 100_000


class Counted:
    """Replaces a scheduler: a given number of schedules with at most no preemption, with one, and so on."""

    steps = 0
    timed = False
    walkable = True

    def __init__(self, *counts: int) -> None:
        self.counts = counts

    def walk(
        self, _dfs: bool, bound: int, _budget: int, most: int, *, tell: object
    ) -> tuple[Bug, int, bool]:
        count = self.counts[bound]
        return Bug.BUG_NONE, min(count, most), count <= most


@pytest.mark.parametrize(
    ("most", "played", "complete"), [(1000, 17, True), (17, 17, True), (16, 16, False)]
)
def test_a_walk_is_complete_when_a_larger_bound_adds_nothing(
    most: int, played: int, complete: bool
) -> None:
    lab = cast("Lab", SimpleNamespace(scheduler=Counted(1, 4, 6, 6), follow=lambda _model: None))
    found = walk(lab, "dfs", seconds=60, most=most)
    assert (found.schedules, found.complete) == (played, complete)
