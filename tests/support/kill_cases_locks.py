# SPDX-License-Identifier: MIT
"""Killed in the middle of a lock, a reference count, an RCU section or a wait: the state that survivors find."""

from __future__ import annotations

from tests.probes.crew import Crew
from tests.probes.locks import LOCK_DIED_STATUS, EventCount, Mutex, Refcount, RwLock
from tests.probes.victim import Step
from tests.support.kill_case import OTHER, ROUNDS, VICTIM, Case, Fixture, Notes


class MutexCase(Case):
    """A killed owner costs one LOCK_DIED. With ``dead_owner`` the victim dies while it takes over."""

    def __init__(self, step: Step, dead_owner: bool = False) -> None:
        super().__init__(step)
        self.dead_owner = dead_owner

    def build(self, fixture: Fixture) -> None:
        mutex = Mutex(fixture.crew, fixture.at, cls=1)
        if self.dead_owner:
            Mutex(fixture.board.as_slot(OTHER), mutex.offset).lock()
            fixture.crew.mark_dead(OTHER)

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        mutex = Mutex(crew, fixture.at)
        first = mutex.lock()
        assert first in (0, LOCK_DIED_STATUS), first
        mutex.unlock()
        for _ in range(ROUNDS):
            assert mutex.lock() == 0
            assert mutex.held
            mutex.unlock()
        assert mutex.word == 0, f"{mutex.word:#x}"
        return {"owner died": int(first != 0)}


class RwCase(Case):
    """Killed writers are taken over by writers and readers alike. A killed reader excludes writers forever: the documented limit (it
    ends the machine), so only readers continue after it."""

    def __init__(self, step: Step, dead_owner: bool = False, read_first: bool = False) -> None:
        super().__init__(step)
        self.dead_owner = dead_owner
        self.read_first = read_first

    def build(self, fixture: Fixture) -> None:
        lock = RwLock(fixture.crew, fixture.at, cls=1)
        if self.dead_owner:
            RwLock(fixture.board.as_slot(OTHER), lock.offset).write_lock()
            fixture.crew.mark_dead(OTHER)

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        lock = RwLock(crew, fixture.at)
        first = 0
        if self.read_first:
            first = lock.read_lock()
            lock.read_unlock()
        reader_left = lock.word & 0x4000FFFF == 1
        for i in range(ROUNDS):
            if i % 2 or reader_left:
                status = lock.read_lock()
                lock.read_unlock()
            else:
                status = lock.write_lock()
                lock.write_unlock()
            first = first or status
            assert status == 0 or i == 0, f"round {i}: {status}"
        assert self.step == Step.STEP_RW_READ or not reader_left
        assert lock.word == int(reader_left), f"{lock.word:#x}"
        return {"owner died": int(first != 0), "reader left": int(reader_left)}


class RefCase(Case):
    """The count is what it was before the operation or after it."""

    def build(self, fixture: Fixture) -> None:
        Refcount(fixture.crew, fixture.at).set(5)

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        ref = Refcount(crew, fixture.at)
        value = ref.value
        assert value in ((5, 6) if self.step == Step.STEP_REF_GET else (4, 5)), value
        for _ in range(ROUNDS):
            ref.get()
            assert not ref.put()
        for left in range(value, 0, -1):
            assert ref.put() == (left == 1)
        return {"done": int(value != 5)}


class RcuCase(Case):
    """A dead reader does not block others, and neither does a dead waiter."""

    def build(self, fixture: Fixture) -> None:
        pass

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        inside = fixture.crew.actor(VICTIM)["rcu_epoch"] != 0
        for _ in range(ROUNDS):
            crew.rcu_read_lock()
            crew.rcu_read_unlock()
            crew.synchronize_rcu()
        return {"died inside": int(inside)}


class EventCountCase(Case):
    """A dead waiter leaves at most one extra mark, which one notification clears; no other wake-up is lost."""

    def build(self, fixture: Fixture) -> None:
        if self.step == Step.STEP_EC_NOTIFY:
            EventCount(fixture.crew, fixture.at).prepare()

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        ec = EventCount(crew, fixture.at)
        left = ec.waiters
        assert left <= 1
        for _ in range(ROUNDS):
            key = ec.prepare()
            assert ec.notify() >= 1
            assert ec.sleep(key, 1_000_000_000) == 0
            assert ec.waiters == 0
            ec.cancel(ec.prepare())
            assert ec.notify() == 0
        return {"marks left": left}
