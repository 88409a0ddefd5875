# SPDX-License-Identifier: MIT
"""Pairs of operations that met on one object, as a fuzz campaign counts them."""

from __future__ import annotations

import pytest
from iopf.emulator.sched.strategies import Strategy
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.tools.lab.play.system import build_lab
from iopf.tools.lab.search.fuzz import Fuzzer
from iopf.tools.lab.search.meetings import Meetings, lines_of, operation, possible
from iopf.tools.lab.search.search import search

from tests.support.machine import USER

TENANT = ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"]
DEVICE = ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"]
OTHER = ["wait-bound d1 t1", "d1: start", "marker d1 t1 try"]
AFTER_EACH_OTHER = [(int(Strategy.STRATEGY_PCT), 1)]


def test_a_line_names_its_verb_and_objects() -> None:
    assert operation("k0: remove d1 try").verb == "remove"
    assert operation("k0: remove d1 try").objects == {"d1"}
    assert operation("write f0 t1 nth=0 code=success").objects == {"f0", "t1"}


def test_operations_meet_when_their_steps_interleave_and_not_one_after_the_other() -> None:
    with build_lab(TENANT, DEVICE) as lab:
        lines = lines_of(lab)
        assert {line.verb for line in lines.values()} >= {"send", "unbind"}
        met = Meetings("v7.2")
        for seed in range(50):
            search(lab, seed, seconds=10, most=1)
            met.add(lab.scheduler.trace, lines)
        assert met.counts["send", "unbind"] > 0
        # PCT of depth 1 never preempts: an actor that does not block finishes its operation.
        alone = Meetings("v7.2")
        lab.scheduler.explore(AFTER_EACH_OTHER, 1, 0, 1)
        trace = [step for step in lab.scheduler.trace if step[0] == lab.names.index("dev-00")]
        alone.add(trace, lines)
        assert not alone.counts


def test_operations_on_different_objects_do_not_meet() -> None:
    tenants = [{"count": 2}]
    second = ["map t1 4", "bind d1 t1", "t1: start"]
    with build_lab(TENANT, second, OTHER, device=[{"count": 2}], tenant=tenants) as lab:
        met, lines = Meetings("v7.2"), lines_of(lab)
        for seed in range(50):
            search(lab, seed, seconds=10, most=1)
            met.add(lab.scheduler.trace, lines)
        assert not met.counts


@pytest.mark.parametrize("generation", GENERATIONS)
def test_removal_retries_and_registration_are_drawn_in_every_generation(generation: str) -> None:
    pairs = possible(generation)
    assert {("bind", "remove"), ("plug", "send"), ("queue-add", "remove")} <= pairs
    assert (("register", "unregister") in pairs) == (generation in ("v5.13", "v5.18", "v6.2"))
    assert (("attach", "remove") in pairs) == (generation in USER)
    assert all(one <= other for one, other in pairs)


def test_a_campaign_tells_what_met_and_what_did_not() -> None:
    campaign = Fuzzer("v6.9", 1).run(60, 60)
    met = campaign.meetings
    assert set(met.counts) <= met.possible
    assert len(met.counts) > len(met.possible) / 3
    assert sorted({*met.never, *met.counts}) == sorted(met.possible)
