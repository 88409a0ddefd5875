# SPDX-License-Identifier: MIT
"""Virtual time: a sleep times out when no actor is runnable, or earlier by choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from iopf.emulator.sched.judge import Bug
from iopf.emulator.sched.tree import Walk
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.play.target import scenario_target
from iopf.tools.lab.report.table import rows
from iopf.tools.lab.report.where import Where
from iopf.tools.lab.search.minimise import minimise_failure
from iopf.tools.lab.search.prove import prove
from iopf.tools.lab.search.search import search, walk

REMOVE = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]
LATE = ["wait-bound d0 t0", "d0: start", "d0: pause 1ms", "send d0 t0 pages=1 group=a try"]
DEFECT = {"generation": "v7.2", "defects": ["remove-before-drain"]}
MINUTE_NS = 60_000_000_000


@pytest.fixture
def lab() -> Iterator[Lab]:
    """The request meets the removal only if a pause ends while the removal is runnable."""
    with build_lab(REMOVE, LATE, kernel=DEFECT, device=[{"stop": "marker"}]) as made:
        yield made


def test_a_sleep_times_out_last_unless_chosen_earlier(lab: Lab) -> None:
    lab.scheduler.early = False
    assert search(lab, 1, seconds=60, most=6000).failure is None
    lab.scheduler.early = True
    assert search(lab, 1, seconds=60, most=60_000).failure is not None


def test_a_schedule_in_which_time_passes_is_the_same_in_processes(lab: Lab) -> None:
    found = search(lab, 1, seconds=60, most=60_000)
    assert found.failure is not None
    path, result = found.failure.path, lab.scheduler.trace_hash
    with ActorProcesses(lab):
        assert lab.scheduler.replay(path) == Bug.BUG_VERDICT
        assert lab.scheduler.trace_hash == result
        again = search(lab, 1, seconds=60, most=60_000)
        assert again.failure is not None
        assert again.failure.path == path


def test_the_table_marks_early_timeouts(lab: Lab) -> None:
    found = search(lab, 1, seconds=60, most=60_000)
    assert found.failure is not None
    short = minimise_failure(lab, found.failure)
    assert lab.scheduler.replay(short.path) == Bug.BUG_VERDICT
    table = "\n".join(rows(lab.scheduler.trace, lab.names, Where(lab.plan.config)))
    assert "out of time" in table


def test_a_proof_mentions_timeouts(lab: Lab) -> None:
    proof = prove(lab, seconds=2, preemptions=0)
    assert proof.failure is None
    assert proof.timed


def test_a_proof_without_timeouts_does_not() -> None:
    with build_lab(REMOVE, LATE[:2]) as lab:
        assert not prove(lab, seconds=2, preemptions=0).timed


def test_a_reduced_walk_mentions_timeouts(lab: Lab) -> None:
    assert walk(lab, "dpor", seconds=60, most=2000).timed
    assert not walk(lab, "dfs", seconds=60, most=1).timed


def test_a_bounded_walk_counts_an_early_timeout_as_a_preemption() -> None:
    """The device finds no binding only if the pause before the unbind ends while the device is runnable."""
    later = ["map t0 4", "bind d0 t0", "t0: start", "t0: pause 1ms", "unbind d0 t0"]
    with build_lab(later, ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a"]) as lab:
        bug, _, whole = lab.scheduler.walk(Walk.WALK_PREEMPTIONS, 0, MINUTE_NS)
        assert (bug, whole) == (Bug.BUG_NONE, True)
        assert lab.scheduler.walk(Walk.WALK_PREEMPTIONS, 1, MINUTE_NS)[0] == Bug.BUG_DEADLOCK


@pytest.mark.parametrize("pause", ["9ms", "20ms", "500ms", "60s"])
def test_a_pause_passes_whatever_its_length(pause: str) -> None:
    """Of a tenant, a device and a driver. A timeout that only guards against lost wake-ups would never expire."""
    with build_lab(
        ["map t0 4", "bind d0 t0", "t0: start", f"t0: pause {pause}", "unmap t0 4"],
        ["wait-bound d0 t0", "d0: start", f"d0: pause {pause}", "send d0 t0 pages=1 group=a try"],
        ["k0: start", f"k0: pause {pause}", "discard d0"],
    ) as lab:
        found = search(lab, 1, seconds=60, most=500)
        assert found.what is None
        assert found.schedules == 500
        assert lab.scheduler.leapt_ns > 0


def test_a_workload_may_wait_long_between_its_groups(tmp_path: Path) -> None:
    file = tmp_path / "slow.toml"
    file.write_text("schema = 1\n[[device]]\nworkload = { gap_ns = 50000000 }\n")
    with scenario_target(str(file)).lab() as lab:
        assert search(lab, 1, seconds=60, most=50).what is None
        assert lab.scheduler.leapt_ns > 40_000_000
