# SPDX-License-Identifier: MIT
"""Notification of consumers: none while a consumer searches, the next one if the last searcher leaves items behind.

A consumer announced at the bell stands for one that sleeps; a ring takes its mark away and counts as a wake of the ringing actor, and
without a ring there is no system call. See ``work_ring.pxd``.
"""

from __future__ import annotations

import pytest

from tests.probes.crew import SIZES
from tests.probes.work import WorkRing
from tests.support.board import Board

SECOND = 1_000_000_000
PRODUCER, SEARCHER, OTHER, SLEEPER = range(4)


class Scene:
    """A ring with a sleeper on its bell, and the handles of a producer and of two more consumers."""

    def __init__(self) -> None:
        self.board = Board()
        at = self.board.take(SIZES["work_ring"] + 8 * SIZES["work_slot"])
        WorkRing(self.board.crew, at, count=8, cls=3)
        self.producer, self.searcher, self.other, self.sleeper = (
            WorkRing(self.board.as_slot(slot), at) for slot in range(4)
        )
        self.key = self.sleeper.prepare()

    def offer(self, n: int) -> None:
        assert self.producer.push([n]) == 0
        self.producer.ring_bell()

    def take(self, ring: WorkRing) -> int:
        item = ring.pop()
        assert item
        ring.done(item[0])
        return item[1][0]

    @property
    def searching(self) -> int:
        return self.producer.state()["searching"]

    def wakes(self, slot: int) -> int:
        return self.board.crew.actor(slot)["wakes"]

    def sleeps_on(self) -> bool:
        return self.sleeper.sleepers == 1


def test_no_system_call_while_a_consumer_searches() -> None:
    scene = Scene()
    scene.searcher.search_begin()
    for n in range(100):
        scene.offer(n)
        assert scene.take(scene.searcher) == n
    assert scene.wakes(PRODUCER) == 0
    assert scene.sleeps_on()
    scene.searcher.search_end(True)
    assert scene.wakes(SEARCHER) == 0  # no items are left
    assert scene.sleeps_on()


def test_no_system_call_without_sleepers() -> None:
    scene = Scene()
    scene.producer.notify()
    before = scene.wakes(PRODUCER)
    for n in range(8):
        scene.offer(n)
    assert scene.wakes(PRODUCER) == before


def test_a_producer_rings_without_searchers() -> None:
    scene = Scene()
    scene.offer(1)
    assert scene.wakes(PRODUCER) == 1
    assert scene.sleeper.sleep(scene.key, SECOND) == 0
    assert scene.take(scene.sleeper) == 1


@pytest.mark.parametrize("searchers", [1, 2])
def test_more_work_than_searchers_rings(searchers: int) -> None:
    scene = Scene()
    for ring in (scene.searcher, scene.other)[:searchers]:
        ring.search_begin()
    for n in range(searchers):
        scene.offer(n)
        assert scene.sleeps_on()
    scene.offer(searchers)
    assert scene.wakes(PRODUCER) == 1
    assert scene.sleeper.sleep(scene.key, SECOND) == 0


def test_the_last_searcher_rings_for_remaining_work() -> None:
    """The second item arrives while the first one's taker still counts as searching: its producer relies on it."""
    scene = Scene()
    scene.searcher.search_begin()
    scene.offer(1)
    assert scene.take(scene.searcher) == 1
    scene.offer(2)
    assert scene.sleeps_on()
    scene.searcher.search_end(True)
    assert scene.wakes(SEARCHER) == 1
    assert scene.sleeper.sleep(scene.key, SECOND) == 0
    assert scene.take(scene.sleeper) == 2


def test_another_searcher_takes_the_remaining_work() -> None:
    scene = Scene()
    scene.searcher.search_begin()
    scene.other.search_begin()
    scene.offer(1)
    scene.offer(2)
    assert scene.take(scene.searcher) == 1
    scene.searcher.search_end(True)
    assert scene.sleeps_on()
    assert scene.take(scene.other) == 2
    scene.other.search_end(True)
    assert scene.sleeps_on()
    assert scene.searching == 0


def test_a_searcher_that_gives_up_does_not_ring() -> None:
    """It has prepared its own sleep and checks once more afterwards, so it finds items that arrived meanwhile."""
    scene = Scene()
    scene.searcher.search_begin()
    scene.offer(1)
    scene.searcher.prepare()
    scene.searcher.search_end(False)
    assert scene.wakes(SEARCHER) == 0
    assert scene.searcher.waiting


def test_repair_uncounts_the_dead_once() -> None:
    scene = Scene()
    scene.searcher.search_begin()
    scene.other.search_begin()
    scene.board.crew.mark_dead(SEARCHER)
    scene.producer.repair(SEARCHER)
    assert scene.searching == 1
    scene.producer.repair(SEARCHER)
    assert scene.searching == 1
    scene.other.search_end(False)
    assert scene.searching == 0


def test_a_low_count_recovers() -> None:
    """The state after a death between the two steps of an end: never below zero, and correct again once all have stopped."""
    scene = Scene()
    scene.searcher.search_end(False)
    assert scene.searching == 0
    scene.offer(1)
    assert not scene.sleeps_on()
    scene.searcher.search_begin()
    assert scene.searching == 1
