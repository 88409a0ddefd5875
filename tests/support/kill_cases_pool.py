# SPDX-License-Identifier: MIT
"""Killed in the middle of an allocation or a list change: nothing is in two places, and lost objects are counted."""

from __future__ import annotations

from tests.probes.crew import SIZES, Crew
from tests.probes.locks import Mutex
from tests.probes.pool import List, Pool
from tests.probes.victim import Step
from tests.support.kill_case import ROUNDS, SUPERVISOR, VICTIM, Args, Case, Fixture, Notes


class PoolCase(Case):
    """capacity = live + on the chain + in magazines + lost, with lost at most one batch, and no slot in two places."""

    CAPACITY, BATCH = 48, 4

    def __init__(self, step: Step, allocs: int, frees: int) -> None:
        """The victim allocates and frees this many objects before the operation."""
        super().__init__(step)
        self.allocs = allocs
        self.frees = frees

    def build(self, fixture: Fixture) -> None:
        pool = Pool(
            fixture.crew, fixture.at, capacity=self.CAPACITY, stride=128, cls=0, batch=self.BATCH
        )
        for _ in range(3):
            ref = pool.alloc()
            pool.write_body(ref, ref.to_bytes(8, "little"))

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        pool = Pool(crew, fixture.at)
        refs = [pool.alloc() for _ in range(self.allocs)]
        for ref in refs:
            pool.write_body(ref, ref.to_bytes(8, "little"))
        for ref in refs[: self.frees]:
            pool.free(ref)
        return fixture.at, fixture.at, refs[-1] if refs else 0

    def _audit(self, pool: Pool) -> tuple[list[int], int]:
        live = [i for i in range(pool.capacity) if pool.header(i + 1)["live"]]
        free = pool.chain()
        for slot in range(4):
            free += pool.magazine(slot)
        assert len(set(live + free)) == len(live) + len(free), (live, free)
        assert all(pool.header(i + 1)["free"] for i in free)
        return live, pool.capacity - len(live) - len(free)

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        pool = Pool(crew, fixture.at)
        live, lost = self._audit(pool)
        assert 0 <= lost <= self.BATCH, f"{lost} lost"
        stamps = [pool.header(i + 1)["generation"] << 32 | (i + 1) for i in live]
        wrong = [ref for ref in stamps if pool.body(ref)[:8] != ref.to_bytes(8, "little")]
        assert len(wrong) <= (self.step == Step.STEP_POOL_ALLOC), wrong
        out_of_reach = sum(len(pool.magazine(slot)) for slot in (SUPERVISOR, VICTIM))
        assert pool.hammer(ROUNDS, 10) == 0
        refs = []
        while ref := pool.alloc():
            assert not any(pool.body(ref))
            refs.append(ref)
        assert len(refs) == pool.capacity - len(live) - lost - out_of_reach
        for ref in refs:
            pool.free(ref)
        assert self._audit(pool) == (live, lost)
        return {"points with a loss": int(lost > 0), "slots lost": lost}


class ListCase(Case):
    """Under its mutex. After LOCK_DIED the caller repairs; no other node may be missing, before or after."""

    def build(self, fixture: Fixture) -> None:
        pool = Pool(fixture.crew, fixture.at, capacity=16, stride=64, cls=0)
        nodes = List(pool, fixture.second, ident=7)
        Mutex(fixture.crew, fixture.second + SIZES["list"], cls=1)
        for _ in range(3):
            nodes.add_tail(pool.alloc())
        fourth = pool.alloc()
        if self.step == Step.STEP_LIST_DEL:
            nodes.add_tail(fourth)
            nodes.add_tail(pool.alloc())

    def warm(self, fixture: Fixture, crew: Crew) -> Args:
        pool = Pool(crew, fixture.at)
        return fixture.second, fixture.at, pool.header(4)["generation"] << 32 | 4

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        pool = Pool(crew, fixture.at)
        nodes = List(pool, fixture.second)
        mutex = Mutex(crew, fixture.second + SIZES["list"])
        died = mutex.lock()
        others = [0, 1, 2, 4] if self.step == Step.STEP_LIST_DEL else [0, 1, 2]
        assert [i for i in nodes.walk() if i != 3] == others
        if died:
            nodes.mend()
        assert nodes.walk() == nodes.walk_back()[::-1]
        assert len(nodes) == len(nodes.walk())
        mutex.unlock()
        before = nodes.walk()
        for _ in range(ROUNDS):
            ref = pool.alloc()
            assert mutex.lock() == 0
            nodes.add_tail(ref)
            assert nodes.walk() == nodes.walk_back()[::-1] == [*before, (ref & 0xFFFFFFFF) - 1]
            nodes.remove(ref)
            mutex.unlock()
            pool.free(ref)
        assert nodes.walk() == before
        return {"owner died": int(died != 0)}
