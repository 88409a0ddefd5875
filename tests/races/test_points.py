# SPDX-License-Identifier: MIT
"""The check of scheduling points: no finding in the tree, and findings as soon as one kind of point is ignored."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from iopf.cython_ext.crew import PointOp
from iopf.emulator.races.catalogue import catalogue
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.search.search import PORTFOLIO
from iopf.tools.points.build import instrumented
from iopf.tools.points.lint import ROOT, lines, play

RACE = "remove-before-drain"
SCHEDULES = 50
# The first test compiles the copy.
pytestmark = pytest.mark.timeout(600)

# Without these, two accesses of different actors are unordered.
NEEDED = (
    PointOp.OP_LOCK_CAS,
    PointOp.OP_UNLOCK,
    PointOp.OP_BELL_ARM,
    PointOp.OP_BELL_SLEEP,
    PointOp.OP_BELL_RING,
    PointOp.OP_BELL_CANCEL,
    PointOp.OP_REF_GET,
    PointOp.OP_REF_PUT,
    PointOp.OP_LINK_PUBLISH,
    PointOp.OP_LINK_READ_TAIL,
    PointOp.OP_RING_READ_HEAD,
    PointOp.OP_RING_PUBLISH,
    PointOp.OP_RING_READ_TAIL,
    PointOp.OP_RING_CONSUME,
    PointOp.OP_WORK_PUBLISH,
    PointOp.OP_WORK_TAKE,
    PointOp.OP_WORK_DONE,
    PointOp.OP_WORK_FLUSH,
    PointOp.OP_REG_WRITE,
    PointOp.OP_FIELD_READ,
    PointOp.OP_FIELD_WRITE,
    PointOp.OP_FIELD_RMW,
)
# In this race these words have no unordered accesses; the finding is a locked instruction without an announcement.
LOCKED = (
    PointOp.OP_READ_LOCK,
    PointOp.OP_READ_UNLOCK,
    PointOp.OP_POOL_GRAB,
    PointOp.OP_POOL_FREE,
    PointOp.OP_WORK_RESERVE,
)
# These announce no access, or in this race an access that others already order.
UNSEEN = (
    PointOp.OP_LOCAL,
    PointOp.OP_FENCE,
    PointOp.OP_RCU_LOCK,
    PointOp.OP_RCU_UNLOCK,
    PointOp.OP_POOL_ALLOC,
    PointOp.OP_POOL_DEREF,
    PointOp.OP_LINK_READ_HEAD,
    PointOp.OP_LINK_CONSUME,
    PointOp.OP_EVENT,
    PointOp.OP_LIST,
)


@pytest.fixture(scope="module")
def believed() -> dict[str, Any]:
    """The findings in the unchanged tree."""
    return play(SCHEDULES, 0, only=RACE)


def blind(operation: PointOp) -> list[dict[str, Any]]:
    findings: list[dict[str, Any]] = play(SCHEDULES, 0, blind=int(operation), only=RACE)["findings"]
    return findings


def check_place(text: str) -> None:
    """A line like `    emulator/kernel/vtd/qi.pyx:58 qi_submit: ring_publish(...)`, with the text of that source line."""
    place = re.fullmatch(r"    ([\w/]+\.(?:pyx|pxd|h)):(\d+) (\w+): (.+)", text)
    assert place is not None, text
    file, number, _function, source = place.groups()
    there = Path(ROOT, file).read_text().splitlines()[int(number) - 1].strip()
    assert there.startswith(source), text


def test_every_access_of_the_race_has_its_point(believed: dict[str, Any]) -> None:
    assert believed["findings"] == []
    assert believed["systems"] == 1
    assert believed["accesses"] > 100_000
    assert 0 < believed["silent"] < believed["accesses"]


def test_every_operation_of_the_race_is_in_one_table() -> None:
    met = Counter[PointOp]()
    with lab_of(catalogue()[RACE], defective=False, memory="sc") as lab:
        for number in range(SCHEDULES):
            lab.scheduler.explore(PORTFOLIO, 1, number, 1)
            met.update(PointOp(step[1] & 0xFF) for step in lab.scheduler.trace)
    tables = [*NEEDED, *LOCKED, *UNSEEN]
    assert len(tables) == len(set(tables))
    assert set(met) == set(tables)


@pytest.mark.usefixtures("believed")
@pytest.mark.parametrize("operation", NEEDED, ids=[each.name for each in NEEDED])
def test_accesses_without_a_point_are_unordered(operation: PointOp) -> None:
    races = [finding for finding in blind(operation) if finding["what"] == "race"]
    assert races
    for finding in races:
        said = lines(finding)
        assert f"no order between {finding['actor']} and {finding['other']} ({RACE})" in said[0]
        assert finding["actor"] != finding["other"]
        check_place(said[1])
        check_place(said[3])


@pytest.mark.usefixtures("believed")
@pytest.mark.parametrize("operation", LOCKED, ids=[each.name for each in LOCKED])
def test_a_locked_instruction_without_its_point_is_found(operation: PointOp) -> None:
    findings = blind(operation)
    assert findings
    name = operation.name.removeprefix("OP_").lower()
    for finding in findings:
        assert finding["what"] == "locked"
        said = lines(finding)
        assert said[0].endswith(f"/{name}")
        check_place(said[1])


def test_steps_are_instrumented_and_the_scheduler_is_not() -> None:
    sources = [str(file.relative_to(ROOT)) for file in (ROOT / "emulator").rglob("*.pyx")]
    steps = [source for source in sources if instrumented(source)]
    assert "emulator/kernel/core/group.pyx" in steps
    assert not any(source.startswith("emulator/sched/") for source in steps)
    assert not any("probe" in source for source in steps)
    assert len(steps) > len(sources) / 2
