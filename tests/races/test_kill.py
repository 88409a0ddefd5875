# SPDX-License-Identifier: MIT
"""Actors killed at each of their scheduling points: the others continue, as fibers and as processes."""

from __future__ import annotations

import pytest
from iopf.emulator.races.catalogue import Race, catalogue
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.search.kill import kill_everywhere, victims

from tests.support.victims import assert_processes_do_as_fibers, assert_the_others_go_on

RACES = list(catalogue().values())


@pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
def test_the_remaining_actors_finish_after_any_kill(race: Race) -> None:
    assert_the_others_go_on(race, kill_everywhere)


def test_a_real_kill_is_equivalent_to_not_being_scheduled() -> None:
    assert_processes_do_as_fibers(catalogue()["remove-before-drain"], kill_everywhere)


def test_a_kill_that_blocks_another_actor_is_detected() -> None:
    """A lock whose owner's death is not confirmed is never released."""
    race = catalogue()["remove-before-drain"]
    with lab_of(race, defective=False) as lab:
        bad = 0
        (task,) = [victim for victim in victims(lab) if victim.role == "task"]
        scheduler = lab.scheduler
        scheduler.explore([(0, 0)], 1, 0, 1)
        path = scheduler.path
        for step in range(1, len(path)):
            if path[step] == task.slot and scheduler.run_to(path, step):
                scheduler.kill(task.slot)
                bad += int(scheduler.continue_schedule() != 0)
        assert bad > 0
