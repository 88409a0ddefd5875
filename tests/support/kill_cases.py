"""What the stepping test kills, and what must hold afterwards: one class per primitive.

A case has four parts. ``build`` formats the primitive. ``warm`` runs in the victim before the operation, brings the primitive
to where the interesting path starts, and returns the arguments of ``probe.step``. ``repair`` is what the supervisor does once it
has seen the death. ``survive`` runs in another process: about 200 operations and all the checks; it returns what it
counted. The fixed numbers are the slots of the crew.
"""

from __future__ import annotations

from typing import Any

from cython_ext.probe import (
    LOCK_DIED_STATUS,
    SIZES,
    Crew,
    EventCount,
    EventRing,
    Histogram,
    Link,
    List,
    Mutex,
    Pool,
    RecordRing,
    Refcount,
    RwLock,
    Step,
    WorkRing,
)
from tests.support.board import Board

SUPERVISOR, VICTIM, SURVIVOR, OTHER = 0, 1, 2, 3
ROUNDS = 200
Args = tuple[int, int, int]
Notes = dict[str, int]


class Stage:
    """A fresh board of four actors, the mark of the victim, and room for one primitive and a second."""

    def __init__(self) -> None:
        self.board = Board(4, 1 << 15, spins=2, yields=1)
        self.armed = self.board.take(64)
        self.at = self.board.take(16384)
        self.second = self.board.take(1024)
        self.memory = self.board.memory
        self.crew = self.board.crew


class Case:
    """Nothing to prepare and nothing to repair; subclasses say what differs."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def build(self, stage: Stage) -> None:
        raise NotImplementedError

    def warm(self, stage: Stage, crew: Crew) -> Args:
        return stage.at, stage.at, 0

    def repair(self, stage: Stage, crew: Crew) -> int:
        return 0

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        raise NotImplementedError


class MutexCase(Case):
    """A killed owner costs one LOCK_DIED. With ``dead_owner`` the victim itself dies while it takes over."""

    def __init__(self, step: Step, dead_owner: bool = False) -> None:
        super().__init__(step)
        self.dead_owner = dead_owner

    def build(self, stage: Stage) -> None:
        mutex = Mutex(stage.crew, stage.at, cls=1)
        if self.dead_owner:
            Mutex(stage.board.as_slot(OTHER), mutex.offset).lock()
            stage.crew.mark_dead(OTHER)

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        mutex = Mutex(crew, stage.at)
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
    """Killed writers are taken over by writers and readers alike. A killed reader keeps writers out for ever: that is the
    documented limit (it ends the machine), so after one only readers are asked to go on."""

    def __init__(self, step: Step, dead_owner: bool = False, read_first: bool = False) -> None:
        super().__init__(step)
        self.dead_owner = dead_owner
        self.read_first = read_first

    def build(self, stage: Stage) -> None:
        lock = RwLock(stage.crew, stage.at, cls=1)
        if self.dead_owner:
            RwLock(stage.board.as_slot(OTHER), lock.offset).write_lock()
            stage.crew.mark_dead(OTHER)

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        lock = RwLock(crew, stage.at)
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

    def build(self, stage: Stage) -> None:
        Refcount(stage.crew, stage.at).set(5)

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        ref = Refcount(crew, stage.at)
        value = ref.value
        assert value in ((5, 6) if self.step == Step.STEP_REF_GET else (4, 5)), value
        for _ in range(ROUNDS):
            ref.get()
            assert not ref.put()
        for left in range(value, 0, -1):
            assert ref.put() == (left == 1)
        return {"done": int(value != 5)}


class RcuCase(Case):
    """A dead reader is in nobody's way, a dead waiter neither."""

    def build(self, stage: Stage) -> None:
        pass

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        inside = stage.crew.actor(VICTIM)["rcu_epoch"] != 0
        for _ in range(ROUNDS):
            crew.rcu_read_lock()
            crew.rcu_read_unlock()
            crew.synchronize_rcu()
        return {"died inside": int(inside)}


class PoolCase(Case):
    """capacity = live + on the chain + in magazines + lost, with lost at most one batch, and no slot in two places."""

    CAPACITY, BATCH = 48, 4

    def __init__(self, step: Step, allocs: int, frees: int) -> None:
        """The victim allocates and frees that many before the operation."""
        super().__init__(step)
        self.allocs = allocs
        self.frees = frees

    def build(self, stage: Stage) -> None:
        pool = Pool(
            stage.crew, stage.at, capacity=self.CAPACITY, stride=128, cls=0, batch=self.BATCH
        )
        for _ in range(3):
            ref = pool.alloc()
            pool.write_body(ref, ref.to_bytes(8, "little"))

    def warm(self, stage: Stage, crew: Crew) -> Args:
        pool = Pool(crew, stage.at)
        refs = [pool.alloc() for _ in range(self.allocs)]
        for ref in refs:
            pool.write_body(ref, ref.to_bytes(8, "little"))
        for ref in refs[: self.frees]:
            pool.free(ref)
        return stage.at, stage.at, refs[-1] if refs else 0

    def _audit(self, pool: Pool) -> tuple[list[int], int]:
        live = [i for i in range(pool.capacity) if pool.header(i + 1)["live"]]
        free = pool.chain()
        for slot in range(4):
            free += pool.magazine(slot)
        assert len(set(live + free)) == len(live) + len(free), (live, free)
        assert all(pool.header(i + 1)["free"] for i in free)
        return live, pool.capacity - len(live) - len(free)

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        pool = Pool(crew, stage.at)
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
    """Under its mutex. After LOCK_DIED the caller mends; nobody else's node may be missing, before or after."""

    def build(self, stage: Stage) -> None:
        pool = Pool(stage.crew, stage.at, capacity=16, stride=64, cls=0)
        nodes = List(pool, stage.second, ident=7)
        Mutex(stage.crew, stage.second + SIZES["list"], cls=1)
        for _ in range(3):
            nodes.add_tail(pool.alloc())
        fourth = pool.alloc()
        if self.step == Step.STEP_LIST_DEL:
            nodes.add_tail(fourth)
            nodes.add_tail(pool.alloc())

    def warm(self, stage: Stage, crew: Crew) -> Args:
        pool = Pool(crew, stage.at)
        return stage.second, stage.at, pool.header(4)["generation"] << 32 | 4

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        pool = Pool(crew, stage.at)
        nodes = List(pool, stage.second)
        mutex = Mutex(crew, stage.second + SIZES["list"])
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


class RingCase(Case):
    """Links and record rings: the victim's record is there whole or not at all, nothing else is lost, doubled or reordered."""

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

    def _end(self, stage: Stage, crew: Crew, producer: bool) -> Any:
        if self.record_ring:
            return RecordRing(crew, stage.at, self.COUNT)
        return Link(crew, stage.at, self.COUNT, producer=producer)

    def _record(self, n: int) -> list[int]:
        return [n * 1000 + i for i in range(self.words)]

    def build(self, stage: Stage) -> None:
        producer, consumer = self._end(stage, stage.crew, True), self._end(stage, stage.crew, False)
        for n in range(6):  # not at the start of the ring
            assert self._put(producer, self._record(n))
            assert self._get(consumer) is not None
        for n in range(self.QUEUED):
            assert self._put(producer, self._record(n))

    def warm(self, stage: Stage, crew: Crew) -> Args:
        return stage.at, stage.at, self.COUNT

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        consumer, producer = (
            self._end(stage, crew, False),
            self._end(stage, stage.board.as_slot(OTHER), True),
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


class WorkCase(Case):
    """Each item once, unless its owner died with it; then it is counted as lost. The ring goes on, flushes come back."""

    COUNT, QUEUED = 8, 3

    def build(self, stage: Stage) -> None:
        ring = WorkRing(stage.crew, stage.at, count=self.COUNT, cls=2)
        for n in range(6):
            assert ring.push([n] * 7) == 0
            item = ring.pop()
            assert item is not None
            ring.done(item[0])
        if self.step == Step.STEP_WORK_FLUSH:
            return
        for n in range(self.QUEUED):
            assert ring.push([n] * 7) == 0

    def warm(self, stage: Stage, crew: Crew) -> Args:
        if self.step != Step.STEP_WORK_DONE:
            return stage.at, stage.at, 1000
        # The victim's item is the oldest; two later ones are done already, and a flusher sleeps.
        mine = WorkRing(crew, stage.at).pop()
        other = WorkRing(stage.board.as_slot(OTHER), stage.at)
        assert mine is not None
        for item in (other.pop(), other.pop()):
            assert item is not None
            other.done(item[0])
        return stage.at, stage.at, mine[0]

    def repair(self, stage: Stage, crew: Crew) -> int:
        return WorkRing(crew, stage.at).repair(VICTIM)

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        ring = WorkRing(crew, stage.at)
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


class EventCase(Case):
    """No torn record, and the next writer goes on where the victim stopped."""

    CAPACITY, WRITTEN = 8, 20

    def build(self, stage: Stage) -> None:
        EventRing(stage.crew, stage.at, capacity=self.CAPACITY).burst(self.WRITTEN)

    def warm(self, stage: Stage, crew: Crew) -> Args:
        return stage.at, stage.at, self.WRITTEN

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        ring = EventRing(crew, stage.at)
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

    def build(self, stage: Stage) -> None:
        hist = Histogram(stage.crew, stage.at)
        for value in range(50):
            hist.add(value)

    def warm(self, stage: Stage, crew: Crew) -> Args:
        return stage.at, stage.at, 7777

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        hist = Histogram(crew, stage.at)
        for _ in range(ROUNDS):
            hist.add(9999)
        count, binned = hist.summary()["count"], sum(hist.bins().values())
        assert count in (50 + ROUNDS, 51 + ROUNDS)
        assert 0 <= binned - count <= 1
        return {"bins ahead": binned - count}


class EventCountCase(Case):
    """A dead waiter leaves at most one mark too many, which one notification clears; nobody else's wake-up is lost."""

    def build(self, stage: Stage) -> None:
        if self.step == Step.STEP_EC_NOTIFY:
            EventCount(stage.crew, stage.at).prepare()

    def survive(self, stage: Stage, crew: Crew, repaired: int) -> Notes:
        ec = EventCount(crew, stage.at)
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


def _cases() -> dict[str, Case]:
    return {
        "mutex lock and unlock": MutexCase(Step.STEP_MUTEX),
        "mutex unlock with a sleeper": MutexCase(Step.STEP_MUTEX_UNLOCK_WAKE),
        "mutex takeover from the dead": MutexCase(Step.STEP_MUTEX, dead_owner=True),
        "rwlock write, then a writer": RwCase(Step.STEP_RW_WRITE),
        "rwlock write, then a reader": RwCase(Step.STEP_RW_WRITE, read_first=True),
        "rwlock write unlock with a sleeper": RwCase(Step.STEP_RW_WRITE_UNLOCK_WAKE),
        "rwlock read": RwCase(Step.STEP_RW_READ),
        "rwlock takeover by a writer": RwCase(Step.STEP_RW_WRITE, dead_owner=True),
        "rwlock takeover by a reader": RwCase(Step.STEP_RW_READ, dead_owner=True),
        "refcount get": RefCase(Step.STEP_REF_GET),
        "refcount put": RefCase(Step.STEP_REF_PUT),
        "rcu read section": RcuCase(Step.STEP_RCU),
        "rcu synchronize": RcuCase(Step.STEP_RCU_SYNC),
        "pool alloc from the magazine": PoolCase(Step.STEP_POOL_ALLOC, 2, 0),
        "pool alloc with a grab": PoolCase(Step.STEP_POOL_ALLOC, 0, 0),
        "pool free": PoolCase(Step.STEP_POOL_FREE, 3, 0),
        "pool free with a flush": PoolCase(Step.STEP_POOL_FREE, 12, 7),
        "list add": ListCase(Step.STEP_LIST_ADD),
        "list del": ListCase(Step.STEP_LIST_DEL),
        "link push": RingCase(Step.STEP_LINK_PUSH, record_ring=False, push=True),
        "link pop": RingCase(Step.STEP_LINK_POP, record_ring=False, push=False),
        "record ring put": RingCase(Step.STEP_RECORD_PUT, record_ring=True, push=True),
        "record ring get": RingCase(Step.STEP_RECORD_GET, record_ring=True, push=False),
        "work push": WorkCase(Step.STEP_WORK_PUSH),
        "work pop": WorkCase(Step.STEP_WORK_POP),
        "work pop and done": WorkCase(Step.STEP_WORK_POP_DONE),
        "work done that frees three": WorkCase(Step.STEP_WORK_DONE),
        "work flush": WorkCase(Step.STEP_WORK_FLUSH),
        "event write": EventCase(Step.STEP_EVENT),
        "histogram add": HistogramCase(Step.STEP_HISTOGRAM),
        "eventcount prepare, cancel, sleep": EventCountCase(Step.STEP_EC_WAIT),
        "eventcount notify": EventCountCase(Step.STEP_EC_NOTIFY),
    }


CASES = _cases()
