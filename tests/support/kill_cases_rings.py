# SPDX-License-Identifier: MIT
"""Killed in the middle of a record or a count with one writer per side: the record is complete or absent."""

from __future__ import annotations

from typing import Any

from tests.probes.crew import Crew
from tests.probes.rings import EventRing, Histogram, Link, RecordRing
from tests.probes.victim import Step
from tests.support.kill_case import OTHER, ROUNDS, Args, Case, Fixture, Notes


class RingCase(Case):
    """Links and record rings: the victim's record is complete or absent; no other record is lost, duplicated or reordered."""

    COUNT, QUEUED = 8, 3

    def __init__(self, step: Step, record_ring: bool, push: bool) -> None:
        super().__init__(step)
        self.record_ring = record_ring
        self.push = push
        self.words = 4 if record_ring else 8

    def _put(self, end: Any, words: list[int]) -> bool:
        if self.record_ring:
            return bool(end.put(words))
        return bool(end.fill(words) and end.publish() == 1)

    def _get(self, end: Any) -> tuple[int, ...] | None:
        record: tuple[int, ...] | None = end.get() if self.record_ring else end.take()
        if not self.record_ring:
            end.consume()
        return record

    def _end(self, fixture: Fixture, crew: Crew, producer: bool) -> Any:
        if self.record_ring:
            return RecordRing(crew, fixture.at, self.COUNT)
        return Link(crew, fixture.at, self.COUNT, producer=producer)

    def _record(self, n: int) -> list[int]:
        return [n * 1000 + i for i in range(self.words)]

    def build(self, fixture: Fixture) -> None:
        producer, consumer = (
            self._end(fixture, fixture.crew, True),
            self._end(fixture, fixture.crew, False),
        )
        for n in range(6):  # not at the start of the ring
            assert self._put(producer, self._record(n))
            assert self._get(consumer) is not None
        for n in range(self.QUEUED):
            assert self._put(producer, self._record(n))

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        return fixture.at, fixture.at, self.COUNT

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        consumer, producer = (
            self._end(fixture, crew, False),
            self._end(fixture, fixture.board.as_slot(OTHER), True),
        )
        got = []
        while (record := self._get(consumer)) is not None:
            got.append(list(record))
        queued = [self._record(n) for n in range(self.QUEUED)]
        if self.push:
            whole = [self.COUNT + i for i in range(self.words)]  # what the victim writes
            assert got in (queued, [*queued, whole]), got
        else:
            assert got in (queued, queued[1:]), got
        for n in range(ROUNDS):
            assert self._put(producer, self._record(n))
            assert list(self._get(consumer) or ()) == self._record(n)
        return {"done": int(len(got) != self.QUEUED)}


class EventCase(Case):
    """No torn record, and the next writer continues where the victim stopped."""

    CAPACITY, WRITTEN = 8, 20

    def build(self, fixture: Fixture) -> None:
        EventRing(fixture.crew, fixture.at, capacity=self.CAPACITY).burst(self.WRITTEN)

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        return fixture.at, fixture.at, self.WRITTEN

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        ring = EventRing(crew, fixture.at)
        assert ring.written in (self.WRITTEN, self.WRITTEN + 1)
        torn = ring.started != ring.written
        kept = self._check(ring)
        assert kept >= self.CAPACITY - 1
        ring.burst(ROUNDS)
        assert self._check(ring) == self.CAPACITY
        return {"died inside": int(torn)}

    def _check(self, ring: EventRing) -> int:
        end, gone, records = ring.read()
        assert gone + len(records) == end == ring.written
        for n, record in enumerate(records, start=gone):
            assert (record[0], record[1], record[3], record[4]) == (
                n,
                n & 0xFFFF,
                ~n & (2**64 - 1),
                n * n,
            )
        return len(records)


class HistogramCase(Case):
    """At most the one value is missing from the count, and the bins never disagree by more than that."""

    def build(self, fixture: Fixture) -> None:
        hist = Histogram(fixture.crew, fixture.at)
        for value in range(50):
            hist.add(value)

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        return fixture.at, fixture.at, 7777

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        hist = Histogram(crew, fixture.at)
        for _ in range(ROUNDS):
            hist.add(9999)
        count, binned = hist.summary()["count"], sum(hist.bins().values())
        assert count in (50 + ROUNDS, 51 + ROUNDS)
        assert 0 <= binned - count <= 1
        return {"bins ahead": binned - count}
