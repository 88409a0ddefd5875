# SPDX-License-Identifier: MIT
"""The check of scheduling points also checks fences and orderings: findings as soon as those of one operation are ignored."""

from __future__ import annotations

from typing import Any

import pytest
from iopf.cython_ext.crew import PointOp
from iopf.tools.points.lint import EXPLAINED, explanation, lines, play

RACE = "remove-before-drain"
SCHEDULES = 30
# The first test compiles the copy.
pytestmark = pytest.mark.timeout(600)

# A fence or a locked instruction after a store, before a load of what another actor writes.
BARRIERS = (PointOp.OP_BELL_ARM, PointOp.OP_BELL_RING)
# Stores, and read-modify-writes, that publish.
PUBLISHING = (
    PointOp.OP_UNLOCK,
    PointOp.OP_REF_PUT,
    PointOp.OP_RCU_UNLOCK,
    PointOp.OP_POOL_ALLOC,
    PointOp.OP_LINK_PUBLISH,
    PointOp.OP_RING_PUBLISH,
    PointOp.OP_RING_CONSUME,
    PointOp.OP_WORK_PUBLISH,
    PointOp.OP_WORK_TAKE,
    PointOp.OP_REG_WRITE,
    PointOp.OP_FIELD_WRITE,
    PointOp.OP_FIELD_RMW,
)
# Loads after which another actor's plain words are read.
ACQUIRING = (
    PointOp.OP_LINK_READ_TAIL,
    PointOp.OP_RING_READ_TAIL,
    PointOp.OP_WORK_TAKE,
    PointOp.OP_FIELD_READ,
)


def weakened(operation: PointOp, what: str) -> list[dict[str, Any]]:
    made = play(SCHEDULES, 0, weak=int(operation), only=RACE)
    return [finding for finding in made["findings"] if finding["what"] == what]


@pytest.fixture(scope="module", autouse=True)
def _nothing_in_the_tree() -> None:
    assert play(SCHEDULES, 0, only=RACE)["findings"] == []


@pytest.mark.parametrize("operation", BARRIERS, ids=[each.name for each in BARRIERS])
def test_a_load_that_may_overtake_a_store_is_found(operation: PointOp) -> None:
    findings = weakened(operation, "overtaken")
    assert findings
    for finding in findings:
        said = lines(finding)
        assert f"no fence between a store and a load of {finding['actor']}" in said[0]
        assert said[0].endswith(f"and {finding['other']} does the opposite ({RACE})")
        assert finding["actor"] != finding["other"]
        assert any("load after" in line for line in said)


def test_the_fence_of_a_notify_is_missed_between_publishing_and_the_look_for_waiters() -> None:
    """As a link's tail and the doorbell of its consumer."""
    pairs = {
        (finding["at"][0].rpartition(" ")[2], finding["other_at"][0].rpartition(" ")[2])
        for finding in weakened(PointOp.OP_BELL_RING, "overtaken")
    }
    assert ("ec_notify", "link_publish") in pairs


def test_the_fence_of_a_gate_is_missed_between_the_count_and_the_look_for_a_tenant() -> None:
    made = play(SCHEDULES, 0, weak=int(PointOp.OP_FENCE), only="gates")["findings"]
    stores = {explanation(finding) for finding in made}
    assert ("count_done", "count_done") in stores, stores
    assert play(SCHEDULES, 0, only="gates")["findings"] == []


@pytest.mark.parametrize("operation", PUBLISHING, ids=[each.name for each in PUBLISHING])
def test_a_store_that_publishes_nothing_is_found(operation: PointOp) -> None:
    findings = weakened(operation, "relaxed")
    assert findings
    for finding in findings:
        said = lines(finding)
        assert f"{finding['actor']} reads with acquire what {finding['other']} stores" in said[0]
        assert finding["actor"] != finding["other"]


@pytest.mark.parametrize("operation", ACQUIRING, ids=[each.name for each in ACQUIRING])
def test_a_load_without_acquire_orders_nothing(operation: PointOp) -> None:
    assert weakened(operation, "race")


def test_an_explanation_is_for_one_pair_of_functions() -> None:
    frames = [
        "cython_ext/record_ring.pxd:54 ring_head",
        "emulator/hw/vtd/engine.pyx:49 publish_records",
    ]
    finding = {"what": "overtaken", "at": frames, "other_at": frames[1:]}
    assert explanation(finding) in EXPLAINED
    assert explanation({**finding, "what": "race"}) not in EXPLAINED
    assert explanation({**finding, "at": frames[:1]}) not in EXPLAINED
    assert all(EXPLAINED.values())
