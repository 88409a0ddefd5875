# SPDX-License-Identifier: MIT
"""The measurements of `iopf race bench --rates`, and the verdict on a goal."""

from __future__ import annotations

import mmap

import pytest
from iopf.cython_ext import ring_bench, ring_bench_bare
from iopf.cython_ext.memory import Memory
from iopf.emulator.sched.judge import Bug
from iopf.tools.lab.play.points import PointsLab
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.report.rates import Figure, table
from iopf.tools.lab.search.search import STRATEGIES


@pytest.mark.parametrize(
    ("figure", "met", "verdict"),
    [
        (Figure("a", 50.0, "/s", 100.0), False, "missed by 50%"),
        (Figure("a", 100.0, "/s", 100.0), True, "met"),
        (Figure("a", 5.0, "%", 2.0, most=True), False, "missed by 3.0 points"),
        (Figure("a", -1.0, "%", 2.0, most=True), True, "met"),
        (Figure("a", 0.1, "ns"), None, ""),
    ],
)
def test_a_figure_has_a_verdict(figure: Figure, met: bool | None, verdict: str) -> None:
    assert (figure.met, figure.verdict()) == (met, verdict)
    assert table([figure])[1].endswith(verdict or "0.10 ns")


@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_the_smallest_system_runs_all_its_steps(strategy: str) -> None:
    with PointsLab(3, 20) as lab:

        def play() -> list[tuple[bytes, int]]:
            found = []
            for number in range(30):
                bug, _, _ = lab.scheduler.explore(STRATEGIES[strategy], number, 0, 1)
                assert bug == Bug.BUG_NONE
                assert lab.steps_made() == 60
                found.append((lab.scheduler.path, lab.scheduler.trace_hash))
            return found

        fibers = play()
        assert all(len(path) == lab.steps == 63 for path, _ in fibers)
        assert len(set(fibers)) > 20
        with ActorProcesses(lab):
            assert play() == fibers


def test_the_ring_without_points_moves_the_same_records() -> None:
    with mmap.mmap(-1, ring_bench.ring_bytes(64)) as area:
        memory = Memory(area)
        for build in (ring_bench, ring_bench_bare):
            for batch in (1, 7, 64):
                got = build.turns_link(memory, 0, 64, 1000, batch)
                assert got == (1000, ring_bench.sum_of(0, 1000), 0)
        memory.close()
    assert ring_bench.last_point() != 0
    assert ring_bench_bare.last_point() == 0
