# SPDX-License-Identifier: MIT
"""Killed in the middle of the work ring: each item is handled once or counted as lost, and no flush or sleeper hangs."""

from __future__ import annotations

from tests.probes.crew import Crew
from tests.probes.victim import Step
from tests.probes.work import WorkRing
from tests.support.kill_case import OTHER, ROUNDS, SURVIVOR, VICTIM, Args, Case, Fixture, Notes

SECOND = 1_000_000_000


class WorkCase(Case):
    """Each item once, unless its owner died with it; then it is counted as lost. The ring works on, flushes return."""

    COUNT, QUEUED = 8, 3

    def build(self, fixture: Fixture) -> None:
        ring = WorkRing(fixture.crew, fixture.at, count=self.COUNT, cls=2)
        for n in range(6):
            assert ring.push([n] * 7) == 0
            item = ring.pop()
            assert item is not None
            ring.done(item[0])
        if self.step == Step.STEP_WORK_FLUSH:
            return
        for n in range(self.QUEUED):
            assert ring.push([n] * 7) == 0

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        if self.step != Step.STEP_WORK_DONE:
            return fixture.at, fixture.at, 1000
        # The victim's item is the oldest; two later ones are already done, and a flusher sleeps.
        mine = WorkRing(crew, fixture.at).pop()
        other = WorkRing(fixture.board.as_slot(OTHER), fixture.at)
        assert mine is not None
        for item in (other.pop(), other.pop()):
            assert item is not None
            other.done(item[0])
        return fixture.at, fixture.at, mine[0]

    def repair(self, fixture: Fixture, crew: Crew) -> int:
        return WorkRing(crew, fixture.at).repair(VICTIM)

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        ring = WorkRing(crew, fixture.at)
        assert repaired <= 1
        assert ring.state()["lost"] == repaired
        got = []
        while (item := ring.pop()) is not None:
            got.append(item[1])
            ring.done(item[0])
        queued = [(n,) * 7 for n in range(self.QUEUED)]
        if self.step == Step.STEP_WORK_PUSH:
            whole = tuple(range(1000, 1007))
            assert got in (queued, [*queued, whole]), got
            assert not repaired or len(got) == self.QUEUED
        elif self.step in (Step.STEP_WORK_FLUSH, Step.STEP_WORK_DONE):
            assert got == []
        else:
            assert got in (queued, queued[1:]), got
            assert not repaired or got == queued[1:]
        for n in range(ROUNDS):
            assert ring.push([n] * 7) == 0
            item = ring.pop()
            assert item is not None
            assert item[1] == (n,) * 7
            assert not ring.waiting
            ring.done(item[0])
        assert ring.flush(1_000_000_000) == 0
        state = ring.state()
        assert state["floor"] == state["head"] == state["tail"], state
        for n in range(self.COUNT):  # no slot has been lost
            assert ring.push([n] * 7) == 0
        assert ring.push([9] * 7) == -16
        return {"repaired": repaired}


class SearchCase(Case):
    """A consumer that dies while it searches is still counted, so producers do not ring for what it would have taken. Until the repair
    that may leave an item beside a sleeper; the repair wakes the sleeper, and from then on no ring is missed."""

    COUNT = 8

    def __init__(self, step: Step, found: bool, others: int = 0) -> None:
        """``found``: the victim reports an item, with more items waiting. ``others`` continue searching beside it."""
        super().__init__(step)
        self.found = found
        self.others = others
        self.key = 0

    def build(self, fixture: Fixture) -> None:
        ring = WorkRing(fixture.crew, fixture.at, count=self.COUNT, cls=2)
        self.key = WorkRing(fixture.board.as_slot(SURVIVOR), fixture.at).prepare()
        if self.found:
            assert ring.push([0] * 7) == 0
        if self.others:
            WorkRing(fixture.board.as_slot(OTHER), fixture.at).search_begin()

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        return fixture.at, fixture.at, int(self.found)

    def repair(self, fixture: Fixture, crew: Crew) -> int:
        ring = WorkRing(crew, fixture.at)
        assert ring.state()["searching"] <= self.others + 1
        # A producer runs between the death and the repair: it may find no sleeper to ring for.
        assert ring.push([1] * 7) == 0
        ring.ring_bell()
        silent = ring.sleepers
        assert ring.repair(VICTIM) == 0
        return silent

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        """The survivor is the consumer that had announced its sleep before the victim began; ``repaired`` is 1 when it had
        not been woken by the time of the repair."""
        ring = WorkRing(crew, fixture.at)
        assert ring.sleep(self.key, SECOND) == 0, "slept through the repair"
        assert ring.sleepers == 0
        # A low count costs a needless ring and recovers; a high one would silence producers forever.
        assert ring.state()["searching"] <= self.others, ring.state()
        assert ring.state()["lost"] == 0
        low = self.others - ring.state()["searching"]
        if self.others:
            WorkRing(fixture.board.as_slot(OTHER), fixture.at).search_end(False)
        for n in range(0 if self.found else 1, 2):
            self._take(ring, n)
        producer = WorkRing(fixture.board.as_slot(OTHER), fixture.at)
        for n in range(ROUNDS):
            ring.search_begin()
            assert ring.pop() is None
            key = ring.prepare()
            ring.search_end(False)
            assert not ring.waiting
            assert producer.push([n] * 7) == 0
            producer.ring_bell()
            assert ring.sleep(key, SECOND) == 0, f"lost wake-up in round {n}: {ring.state()}"
            ring.search_begin()
            self._take(ring, n)
            ring.search_end(True)
            assert ring.sleepers == 0
            assert ring.state()["searching"] == 0
        return {"work beside a sleeper until the repair": repaired, "count too low": low}

    def _take(self, ring: WorkRing, n: int) -> None:
        item = ring.pop()
        assert item is not None
        assert item[1] == (n,) * 7
        ring.done(item[0])
