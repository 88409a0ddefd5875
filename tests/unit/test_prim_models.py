# SPDX-License-Identifier: MIT
"""Random histories of the pool and of the work ring, in one process, against models that are plain lists."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES
from tests.probes.pool import Pool
from tests.probes.work import WorkRing
from tests.support.board import Board

ACTORS = 3
RUNNING = 3
EBUSY, ETIMEDOUT = -16, -110
actors = st.integers(0, ACTORS - 1)


class PoolMachine(RuleBasedStateMachine):
    """The model tracks live references and the number of frees per slot; locations are compared after each step."""

    CAPACITY = 12
    live_refs = Bundle("live_refs")
    dead_refs = Bundle("dead_refs")

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(ACTORS, 1 << 14)
        at = self.board.take(SIZES["pool"] + self.CAPACITY * 64)
        Pool(self.board.crew, at, capacity=self.CAPACITY, stride=64, cls=3, batch=2)
        self.pools = [Pool(self.board.as_slot(slot), at) for slot in range(ACTORS)]
        self.live: dict[int, int] = {}
        self.freed = [0] * self.CAPACITY
        self.fail_in = 0

    @rule(target=live_refs, actor=actors)
    def alloc(self, actor: int) -> object:
        pool = self.pools[actor]
        empty = not pool.magazine(actor) and not pool.chain()
        injected = self.fail_in == 1
        self.fail_in = max(0, self.fail_in - 1)
        ref = pool.alloc()
        assert (ref == 0) == (empty or injected)
        if ref == 0:
            return multiple()
        index = (ref & 0xFFFFFFFF) - 1
        assert ref >> 32 == 1 + self.freed[index]
        assert ref not in self.live
        assert not any(pool.body(ref))
        pool.write_body(ref, ref.to_bytes(8, "little"))
        self.live[ref] = actor
        return ref

    @rule(target=dead_refs, actor=actors, ref=consumes(live_refs))
    def free(self, actor: int, ref: int) -> int:
        self.pools[actor].free(ref)
        del self.live[ref]
        self.freed[(ref & 0xFFFFFFFF) - 1] += 1
        assert self.pools[actor].header(ref)["free_actor"] == actor
        return ref

    @rule(actor=actors, ref=dead_refs)
    def use_after_free(self, actor: int, ref: int) -> None:
        assert not self.pools[actor].deref(ref)
        (verdict,) = self.board.crew.verdicts()
        assert (verdict["kind"], verdict["actor"], verdict["object"]) == (
            VerdictKind.VERDICT_USE_AFTER_FREE, actor, ref,
        )  # fmt: skip
        self.board.crew.clear_verdicts()

    @rule(nth=st.integers(1, 4))
    def inject(self, nth: int) -> None:
        self.pools[0].fail_nth = self.fail_in = nth

    @invariant()
    def every_slot_is_in_one_place(self) -> None:
        pool = self.pools[0]
        live = [(ref & 0xFFFFFFFF) - 1 for ref in self.live]
        kept = [pool.magazine(actor) for actor in range(ACTORS)]
        assert sorted([*live, *pool.chain(), *(i for magazine in kept for i in magazine)]) == list(
            range(self.CAPACITY)
        )
        assert pool.live() == len(live)
        for actor, magazine in enumerate(kept):
            assert pool.magazine_counts(actor)["count"] == len(magazine) < 2 * pool.batch

    @invariant()
    def live_objects_are_untouched(self) -> None:
        for ref, actor in self.live.items():
            assert self.pools[actor].deref(ref)
            assert self.pools[actor].body(ref)[:8] == ref.to_bytes(8, "little")
        assert self.board.crew.verdicts() == []


class WorkMachine(RuleBasedStateMachine):
    """The model is the list of all positions: waiting, taken by an actor, or done."""

    COUNT = 4

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(ACTORS, 1 << 14, spins=0, yields=0)
        at = self.board.take(SIZES["work_ring"] + self.COUNT * SIZES["work_slot"])
        WorkRing(self.board.crew, at, count=self.COUNT, cls=3)
        self.rings = [WorkRing(self.board.as_slot(slot), at) for slot in range(ACTORS)]
        self.items: list[str | int] = []  # "waiting", "done", or the actor that has it
        self.lost = 0

    def _floor(self) -> int:
        return next((i for i, item in enumerate(self.items) if item != "done"), len(self.items))

    def _taken(self, actor: int) -> list[int]:
        return [i for i, item in enumerate(self.items) if item == actor]

    @rule(actor=actors)
    def push(self, actor: int) -> None:
        full = len(self.items) - self._floor() == self.COUNT
        n = len(self.items)
        assert self.rings[actor].push([n, n * 3]) == (EBUSY if full else 0)
        if not full:
            self.items.append("waiting")

    @rule(actor=actors)
    def pop(self, actor: int) -> None:
        item = self.rings[actor].pop()
        if "waiting" not in self.items:
            assert item is None
            return
        first = self.items.index("waiting")
        assert item is not None
        assert (item[0], item[1][:2]) == (first, (first, first * 3))
        self.items[first] = actor

    @precondition(lambda self: any(isinstance(item, int) for item in self.items))
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        taken = [i for i, item in enumerate(self.items) if isinstance(item, int)]
        position = data.draw(st.sampled_from(taken), label="position")
        owner = self.items[position]
        assert isinstance(owner, int)
        self.rings[owner].done(position)
        self.items[position] = "done"

    @rule(actor=actors)
    def flush(self, actor: int) -> None:
        """With a timeout of 0: tells whether everything queued is done."""
        idle = self._floor() == len(self.items)
        assert self.rings[actor].flush(0) == (0 if idle else ETIMEDOUT)

    @rule(actor=st.integers(1, ACTORS - 1))
    def die(self, actor: int) -> None:
        """The supervisor confirms a death and repairs; then the slot is used again."""
        self.board.crew.mark_dead(actor)
        had = self._taken(actor)
        assert self.rings[0].repair(actor) == len(had)
        for position in had:
            self.items[position] = "done"
        self.lost += len(had)
        self.board.crew.set_state(actor, RUNNING)

    @invariant()
    def hints_and_counters(self) -> None:
        ring = self.rings[0]
        state = ring.state()
        assert ring.waiting == ("waiting" in self.items)
        assert ring.backlog == self.items.count("waiting")
        assert (state["tail"], state["lost"], state["flushers"]) == (len(self.items), self.lost, 0)
        assert state["floor"] == self._floor()
        assert self.board.crew.verdicts() == []


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestWorkRing = WorkMachine.TestCase
TestWorkRing.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
