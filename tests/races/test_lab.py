# SPDX-License-Identifier: MIT
"""The lab: invalid systems, actor processes that die, detectors of the scheduler."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from iopf.emulator.races.catalogue import catalogue
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.strategies import Strategy
from iopf.shm.arena import Arena
from iopf.tools.lab.play import system
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.play.system import Lab, LabError, LabOpenError, build_lab
from iopf.tools.lab.search.failure import ActorLost
from iopf.tools.lab.search.search import PORTFOLIO, search
from iopf.tools.supervisor.plan import SystemPlan

BIND = ["map t0 4", "bind d0 t0"]
SEND = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=2 group=a", "await d0"]


def test_only_one_system_at_a_time_can_be_controlled() -> None:
    with build_lab(BIND, SEND), pytest.raises(LabOpenError, match="one lab open at a time"):
        build_lab(BIND, SEND)
    with build_lab(BIND, SEND) as lab:
        assert search(lab, 1, seconds=9, most=50).failure is None


def test_concurrent_builds_do_not_choose_the_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each searches a name and then takes it, with no other in between."""
    inside, met = [0], []
    make = system.controlled_board

    def alone(plan: SystemPlan) -> Arena:
        inside[0] += 1
        time.sleep(0)  # let another thread run
        met.append(inside[0])
        inside[0] -= 1
        return make(plan)

    monkeypatch.setattr(system, "controlled_board", alone)
    together = Barrier(4)

    def build() -> None:
        together.wait()
        with contextlib.suppress(LabOpenError), build_lab(BIND, SEND):
            pass

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(build) for _ in range(4)]:
            done.result()
    assert met == [1] * 4


def test_an_invalid_program_is_refused_and_leaves_nothing_behind() -> None:
    with pytest.raises(ScenarioError, match="bnid"):
        build_lab(["bnid d0 t0"])
    with build_lab(BIND, SEND) as lab:
        assert search(lab, 1, seconds=9, most=50).failure is None


def test_a_program_that_waits_forever_is_a_deadlock_that_names_it() -> None:
    stuck = ["map t0 4", "t0: start", "wait-devices t0", "bind d0 t0"]
    with build_lab(stuck, ["d0: start", "wait-bound d0 t0"]) as lab:
        found = search(lab, 1, seconds=9, most=50)
        assert found.what is not None
        assert found.what[0] == "deadlock: no runnable actor"
        assert any("dev-00" in line for line in found.what)


def test_a_failed_operation_is_a_failure_without_try() -> None:
    for word, fails in (("", True), (" try", False)):
        with build_lab(["t0: start", f"unbind d0 t0{word}"]) as lab:
            found = search(lab, 1, seconds=9, most=20)
            assert (found.failure is not None) == fails
            if fails:
                assert "unbind d0 t0" in " ".join(found.what or [])


def test_a_device_not_named_in_a_program_is_idle() -> None:
    programs = (["map t0 4", "t0: start", "unmap t0 4"],)
    tables: list[dict[str, Any]] = [{}, {"device": [{"name": "gpu", "count": 2}, {"name": "nic"}]}]
    for devices in tables:
        with build_lab(*programs, **devices) as lab:
            found = search(lab, 1, seconds=9, most=200)
            assert found.failure is None, found.what
            assert all(device.program for device in lab.plan.devices)


def test_a_device_whose_table_has_a_workload_runs_it() -> None:
    workload = {"groups": 1, "pages": 4}
    with build_lab(
        ["map t0 4", "t0: start", "unmap t0 4"],
        device=[{"workload": workload}],
        tenant=[{"count": 2}],
    ) as lab:
        assert [device.program for device in lab.plan.devices] == [b""]
        assert lab.plan.tenants[1].devices == [0]
    with pytest.raises(ScenarioError, match="runs a workload, but programs run all tenants"):
        build_lab(["t0: start", "map t0 4"], device=[{"workload": workload}])


def hashes(lab: Lab) -> list[int]:
    found = []
    for number, strategy in enumerate(PORTFOLIO * 3):
        lab.scheduler.explore([strategy], number, number, 1)
        found.append(lab.scheduler.trace_hash)
    return found


def test_a_schedule_starts_over_exactly() -> None:
    """The same schedules in another order, with thousands of others in between, are identical."""
    with build_lab(BIND, SEND, ["k0: start", "discard d0"]) as lab:
        first = hashes(lab)
        lab.scheduler.explore(PORTFOLIO, 99, 0, 3000)
        assert hashes(lab) == first
    with build_lab(BIND, SEND, ["k0: start", "discard d0"]) as lab:
        assert hashes(lab) == first


def test_a_killed_actor_process_is_detected_and_the_others_exit() -> None:
    with build_lab(BIND, SEND) as lab:
        before = hashes(lab)
        with ActorProcesses(lab) as procs:
            assert hashes(lab) == before
            victim = procs.pids()[0]
            os.kill(victim, signal.SIGKILL)
            began = time.monotonic()
            bug, _, _ = lab.scheduler.explore(PORTFOLIO, 1, 0, 10)
            assert bug == Bug.BUG_LOST
            assert time.monotonic() - began < 10
        assert hashes(lab) == before


@pytest.mark.parametrize(
    "generation", ["v5.13", "v6.2", "v6.9", "v6.11", "v6.14", "v7.2", "gunthorpe"]
)
def test_every_generation_runs(generation: str) -> None:
    with build_lab(BIND, SEND, kernel={"generation": generation}) as lab:
        found = search(lab, 1, seconds=30, most=500)
        assert found.what is None
        assert found.schedules == 500


def test_actor_processes_leave_no_descriptor_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with build_lab(BIND, SEND) as lab:
        before = descriptors()
        for _ in range(3):
            with ActorProcesses(lab) as procs:
                victim = lab.scheduler.processes[-1].slot
                procs.kill(victim)
                procs.replace(victim)
                assert lab.scheduler.explore(PORTFOLIO, 1, 0, 10)[0] == Bug.BUG_NONE
        assert descriptors() == before


@pytest.mark.parametrize("defective", [True, False])
def test_processes_run_the_same_schedules_as_fibers(defective: bool) -> None:
    """The process of the last step of a schedule starts the next one; the counts are shared."""
    plan = [(int(Strategy.STRATEGY_PCT), 3), (int(Strategy.STRATEGY_RANDOM), 0)]
    with lab_of(catalogue()["remove-before-drain"], defective=defective) as lab:
        scheduler = lab.scheduler

        def play() -> tuple[object, ...]:
            # The first schedules teach the strategies the length of a schedule, in both modes alike.
            scheduler.explore(PORTFOLIO, 5, 0, 1)
            played, steps = scheduler.played, scheduler.steps
            found = scheduler.explore(plan, 7, 3, 120)
            return (
                found,
                scheduler.played - played,
                scheduler.steps - steps,
                scheduler.trace_hash,
                scheduler.path,
            )

        fibers = play()
        assert (fibers[0] == (Bug.BUG_NONE, 123, None)) == (not defective)
        with ActorProcesses(lab):
            assert play() == fibers
            assert play() == fibers
        assert play() == fibers


def test_all_actor_processes_share_one_allowed_core() -> None:
    before = os.sched_getaffinity(0)
    with build_lab(BIND, SEND) as lab:
        with ActorProcesses(lab) as procs:
            cores = {frozenset(os.sched_getaffinity(pid)) for pid in [0, *procs.pids()]}
            (own,) = cores
            assert len(own) == 1
            assert own <= before
        assert os.sched_getaffinity(0) == before


def test_a_search_with_a_killed_actor_process_is_not_a_finding() -> None:
    with build_lab(BIND, SEND) as lab, ActorProcesses(lab) as procs:
        os.kill(procs.pids()[0], signal.SIGKILL)
        with pytest.raises(ActorLost, match=r"was killed or does not return the token; .* had run"):
            search(lab, 1, seconds=60, most=10**9)


def test_a_leak_names_the_pool() -> None:
    with build_lab(BIND, live={"group": 5, "PASID": 0, "fault": 0}) as lab:
        found = search(lab, 1, seconds=30, most=5)
        assert found.what == [
            "leak: 0 of group are in use at the end, expected 5",
            "leak: 1 of PASID are in use at the end, expected 0",
        ]


def test_too_many_processes_are_one_line() -> None:
    with pytest.raises(LabError, match=r"^\d+ processes; a controlled run supports 31: use fewer"):
        build_lab(BIND, SEND, kernel={"handlers": 32})
