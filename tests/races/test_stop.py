# SPDX-License-Identifier: MIT
"""Actors stopped at each of their scheduling points, and pairs of actors killed: as fibers and as processes."""

from __future__ import annotations

import pytest
from iopf.cython_ext.runqueue import End
from iopf.emulator.races.catalogue import Race, catalogue
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import build_lab
from iopf.tools.lab.play.target import scenario_target
from iopf.tools.lab.search.kill import kill_everywhere, kill_pairs, victims
from iopf.tools.lab.search.stop import stop_everywhere

from tests.support.victims import assert_processes_do_as_fibers, assert_the_others_go_on

RACES = list(catalogue().values())
ONE = "remove-before-drain"


@pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
def test_every_program_succeeds_after_any_stop(race: Race) -> None:
    assert_the_others_go_on(race, stop_everywhere)


@pytest.mark.parametrize("race", RACES, ids=[race.slug for race in RACES])
def test_two_deaths_block_no_other_actor(race: Race) -> None:
    with lab_of(race, defective=False) as lab:
        every_victim = victims(lab)
        points = 0
        for first in every_victim:
            for second in every_victim:
                if first is second:
                    continue
                tried = kill_pairs(lab, first, second, most=6, seeds=range(2), procs=None)
                assert tried.failures == [], f"{first.name}, {second.name}: {tried.failures[0]}"
                points += tried.points
        assert points > 100


@pytest.mark.parametrize("name", ["one-request", "quickstart", "many-devices"])
def test_a_reduced_scenario_survives_kills_and_stops(name: str) -> None:
    with scenario_target(name).lab(memory="sc") as lab:
        for victim in victims(lab):
            for everywhere in (kill_everywhere, stop_everywhere):
                tried = everywhere(lab, victim, seeds=range(1), procs=None)
                assert tried.failures == [], f"{victim.name}: {tried.failures[0]}"
                assert tried.points > 0 or victim.role == "driver", victim.name


def test_a_real_stop_is_equivalent_to_being_skipped() -> None:
    assert_processes_do_as_fibers(catalogue()[ONE], stop_everywhere)


def test_two_real_kills_are_equivalent_to_not_being_scheduled() -> None:
    with lab_of(catalogue()[ONE], defective=False) as lab:
        named = {victim.role: victim for victim in victims(lab)}
        for roles in (("device", "tenant"), ("tenant", "handler")):
            first, second = (named[role] for role in roles)
            left = kill_pairs(lab, first, second, most=5, seeds=range(1), procs=None)
            with ActorProcesses(lab) as procs:
                killed = kill_pairs(lab, first, second, most=5, seeds=range(1), procs=procs)
            assert (killed.points, killed.failures) == (left.points, left.failures) == (5, [])


def test_a_stopped_actor_process_does_not_run() -> None:
    with lab_of(catalogue()[ONE], defective=False) as lab, ActorProcesses(lab) as procs:
        slot, process = next(iter(procs.processes.items()))
        for _ in range(3):
            procs.stop(slot)
            assert _state(process.pid) == "T"
            procs.resume(slot)
            assert _state(process.pid) != "T"
        assert lab.scheduler.explore([(0, 0)], 1, 0, 5)[0] == 0


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(") ", 1)[1][0]


def test_a_held_actor_runs_no_step_and_continues_when_released() -> None:
    with lab_of(catalogue()[ONE], defective=False) as lab:
        scheduler = lab.scheduler
        (device,) = [victim for victim in victims(lab) if victim.role == "device"]
        scheduler.explore([(0, 0)], 1, 0, 1)
        path = scheduler.path
        step = path.index(device.slot, 1)
        assert scheduler.run_to(path, step)
        scheduler.hold(device.slot)
        scheduler.continue_schedule(recheck=False)
        assert scheduler.ended == End.END_QUIET
        rest = len(scheduler.path)
        assert device.slot not in scheduler.path[step:rest]
        assert (
            scheduler.continue_schedule(recheck=False) != 0
        )  # its program has not finished while it is held
        scheduler.release(device.slot)
        assert scheduler.continue_schedule(recheck=False) == 0
        assert device.slot in scheduler.path[rest:]
        for slot in (0, 99):
            with pytest.raises(ValueError, match="slot"):
                scheduler.hold(slot)
            with pytest.raises(ValueError, match="slot"):
                scheduler.release(slot)


def test_a_failure_after_a_stop_is_detected() -> None:
    """The device goes long after the unbind: only a stopped tenant is too late."""
    programs = (
        ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"],
        ["k0: start", "k0: pause 5ms", "remove d0"],
    )
    with build_lab(*programs) as lab:
        (tenant,) = [victim for victim in victims(lab) if victim.role == "tenant"]
        tried = stop_everywhere(lab, tenant, seeds=range(3), procs=None)
        late = [lines[0] for step, _, lines in tried.failures if step > 0]
        assert len(late) == len(tried.failures) > 0
        assert all("'unbind d0 t0' failed" in line for line in late), late
