# SPDX-License-Identifier: MIT
"""The IOASID framework against its sequential model, and the PASIDs of address spaces; one process, one call at a time."""

from __future__ import annotations

import errno
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from iopf.emulator.board.ioasid import VCMD_BACKENDS, Getter, IoasidSet
from iopf.emulator.check.ioasid_model import INVALID_IOASID, IoasidModel, Ops

from tests.support.ioasid import IoasidBoard

SET_SVA = IoasidSet.IOASID_SET_SVA
FUNCTIONS = [0x001, 0x002, 0x101]
numbers = st.one_of(st.integers(0, 12), st.sampled_from([4095, 4096, 0xFFFFFFFF]))
sets = st.integers(0, 2)
privates = st.integers(0, 1 << 63)


class Ioasids(RuleBasedStateMachine):
    """The same calls to both; the results and all visible state agree."""

    def __init__(self) -> None:
        super().__init__()
        self.board = IoasidBoard()
        self.kernel = self.board.kernel
        self.model = IoasidModel()

    @rule(ident=st.integers(0, 5), functions=st.tuples(*[st.sampled_from([0, *FUNCTIONS])] * 2))
    def register_any(self, ident: int, functions: tuple[int, int]) -> None:
        ops = Ops(ident, *functions, ident * 16 + 1)
        assert self.kernel.register(ident, *functions, ops.pdata) == self.model.register(ops)

    @rule(ident=st.integers(1, 5), function=st.sampled_from(FUNCTIONS))
    def register_pair(self, ident: int, function: int) -> None:
        ops = Ops(ident, function, function, ident * 16 + 1)
        assert self.kernel.register(ident, function, function, ops.pdata) == self.model.register(
            ops
        )

    @rule(ident=st.integers(1, 5))
    def unregister(self, ident: int) -> None:
        self.kernel.unregister(ident)
        self.model.unregister(ident)

    @rule(set_=sets, least=numbers, most=numbers, private=privates)
    def alloc(self, set_: int, least: int, most: int, private: int) -> None:
        expected = self.model.alloc(set_, least, most, private)
        assert self.kernel.alloc(set_, least, most, private) == expected
        assert expected == INVALID_IOASID or least <= expected <= most

    @rule(number=numbers)
    def free(self, number: int) -> None:
        self.kernel.free(number)
        self.model.free(number)

    @rule(number=numbers)
    def get(self, number: int) -> None:
        self.kernel.get(number)
        self.model.get(number)

    @rule(number=numbers)
    def put(self, number: int) -> None:
        assert self.kernel.put(number) == self.model.put(number)

    @rule(set_=sets, number=numbers)
    def find(self, set_: int, number: int) -> None:
        assert self.kernel.find(set_, number, Getter.GETTER_NONE) == self.model.find(set_, number)
        expected = self.model.find(set_, number, lambda private: False)
        assert self.kernel.find(set_, number, Getter.GETTER_FALSE) == expected

    @rule(number=numbers, private=privates)
    def set_data(self, number: int, private: int) -> None:
        assert self.kernel.set_data(number, private) == self.model.set_data(number, private)

    @rule(backend=st.integers(0, 1))
    def host_refuses(self, backend: int) -> None:
        self.kernel.fail_host(backend, 1)
        self.model.hosts[backend].refuse_nth = 1

    @rule(backend=st.integers(0, 1), nth=st.integers(1, 3))
    def host_repeats(self, backend: int, nth: int) -> None:
        self.kernel.repeat_host(backend, nth)
        self.model.hosts[backend].repeat_nth = nth

    @rule(nth=st.integers(1, 3))
    def record_fails(self, nth: int) -> None:
        self.kernel.fail_record(nth)
        self.model.record_fail_nth = nth

    @rule(backend=st.integers(0, 1), number=st.integers(0, 12))
    def another_guest_takes(self, backend: int, number: int) -> None:
        self.kernel.host_take(backend, number)
        self.model.hosts[backend].out.add(number)

    @precondition(lambda self: self.model.active.ids)
    @rule()
    def free_everything(self) -> None:
        for number in list(self.model.active.ids):
            self.free(number)

    @invariant()
    def agree(self) -> None:
        state, model = self.kernel.state(), self.model
        assert state["ids"] == {n: (e.set, e.private) for n, e in model.active.ids.items()}
        assert state["outstanding"] == len(model.active.ids)
        assert state["list"] == [[ops.ident for ops in space.sharers] for space in model.spaces]
        assert (state["warnings"], state["ids_lost"]) == (model.warnings, model.ids_lost)
        assert (state["unknown"], state["locked"], state["op"]) == (model.unknown, False, 0)
        for backend in range(VCMD_BACKENDS):
            host = self.board.host(backend)
            assert host["out"] == model.hosts[backend].out
            assert host["bad_frees"] == model.hosts[backend].bad_frees

    def teardown(self) -> None:
        self.board.remove_all()
        self.board.check_end()


Ioasids.TestCase.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
TestIoasids = Ioasids.TestCase


def test_objects_are_reused() -> None:
    """Many more ids than objects: each is freed after its grace period and none is lost."""
    board = IoasidBoard()
    rng = random.Random(1)
    held: list[int] = []
    for i in range(5000):
        if held and rng.random() < 0.5:
            board.kernel.free(held.pop(rng.randrange(len(held))))
        elif len(held) < 256:
            held.append(board.kernel.alloc(7, 1, 4000, i))
            assert held[-1] != INVALID_IOASID
    assert len(set(held)) == len(held)
    assert board.snapshot.pools()["ioasid"]["live"] >= len(held)
    board.free_all()
    board.check_end()


def test_an_object_lives_until_its_readers_have_left() -> None:
    """Freed ids and removed allocators stay live objects until the readers inside at the time have left; calls that allocate free
    what they can, without waiting."""
    board = IoasidBoard()

    def live() -> tuple[int, int]:
        pools = board.snapshot.pools()
        return pools["ioasid"]["live"], pools["allocator"]["live"]

    board.kernel.register(1, 1, 1, 0)
    number = board.kernel.alloc(7, 1, 9, 0)
    reader = board.as_slot(5)
    reader.rcu_read_lock()
    board.kernel.free(number)
    board.kernel.unregister(1)
    for _ in range(3):
        board.kernel.free(board.kernel.alloc(7, 1, 9, 0))
    assert live() == (4, 1)
    reader.rcu_read_unlock()
    board.kernel.free(board.kernel.alloc(7, 1, 9, 0))
    assert live() == (1, 0)
    board.check_end()


# PASIDs of address spaces


@pytest.mark.parametrize(
    ("least", "most", "error"),
    [
        (0, 5, errno.EINVAL),
        (5, 4, errno.EINVAL),
        (INVALID_IOASID, INVALID_IOASID, errno.EINVAL),
        (1, INVALID_IOASID, errno.EINVAL),
    ],
)
def test_ranges_that_hold_no_pasid(least: int, most: int, error: int) -> None:
    board = IoasidBoard()
    mm = board.kernel.mm_new()
    assert board.kernel.sva_alloc(mm, least, most) == (-error, 0)
    board.kernel.mm_put(mm)
    board.check_end()


def test_an_mm_has_one_pasid_and_counts_its_binders() -> None:
    board = IoasidBoard()
    one, two = board.kernel.mm_new(), board.kernel.mm_new()
    assert board.kernel.sva_alloc(one, 3, 9) == (0, 3)
    assert board.kernel.sva_alloc(one, 1, 3) == (0, 3)
    assert board.kernel.sva_alloc(one, 4, 9) == (-errno.EOVERFLOW, 0)
    assert board.kernel.sva_alloc(one, 1, 2) == (-errno.EOVERFLOW, 0)
    assert board.kernel.sva_alloc(two, 3, 4) == (0, 4)
    assert board.kernel.sva_alloc(board.kernel.mm_new(), 3, 4) == (-errno.ENOMEM, 0)
    board.kernel.sva_free(one)
    assert board.kernel.mm(one)["pasid"] == 3
    board.kernel.sva_free(one)
    assert (board.kernel.mm(one)["pasid"], list(board.ids())) == (0, [4])
    board.kernel.sva_free(one)
    assert board.kernel.state()["unknown"] == 0, "an mm without PASID has nothing to give back"
    board.kernel.sva_free(two)
    for mm in (one, two, 3 | 1 << 32):
        board.kernel.mm_put(mm)
    board.check_end()


def test_a_pasid_is_found_while_its_mm_lives() -> None:
    board = IoasidBoard()
    mm = board.kernel.mm_new()
    board.kernel.mm_grab(mm)
    _, pasid = board.kernel.sva_alloc(mm, 1, 9)
    assert board.kernel.sva_find(pasid) == mm
    assert board.kernel.mm(mm)["users"] == 2
    board.kernel.mm_put(mm)
    board.kernel.mm_put(mm)
    assert board.kernel.mm(mm)["users"] == 0
    assert board.kernel.sva_find(pasid) == 0, "the process has exited"
    assert board.kernel.find(SET_SVA, pasid, Getter.GETTER_NONE) == (0, mm)
    board.kernel.sva_free(mm)
    assert board.kernel.find(SET_SVA, pasid, Getter.GETTER_MMGET) == (-errno.ENOENT, 0)
    board.kernel.mm_drop(mm)
    board.check_end()


def test_only_ids_of_the_sva_set_name_an_mm() -> None:
    board = IoasidBoard()
    mm = board.kernel.mm_new()
    other = board.kernel.alloc(SET_SVA + 1, 1, 9, mm)
    empty = board.kernel.alloc(SET_SVA, 1, 9, 0)
    assert [board.kernel.sva_find(i) for i in (other, empty, 9)] == [0, 0, 0]
    assert board.kernel.find(SET_SVA, other, Getter.GETTER_MMGET) == (-errno.EACCES, 0)
    assert board.kernel.mm(mm)["users"] == 1
    board.free_all()
    board.kernel.mm_put(mm)
    board.check_end()


def test_a_pasid_lost_with_its_allocator_leaves_the_mm() -> None:
    board = IoasidBoard()
    board.kernel.register(1, 1, 1, 0)
    mm = board.kernel.mm_new()
    assert board.kernel.sva_alloc(mm, 2, 9) == (0, 2)
    board.kernel.unregister(1)
    assert board.kernel.sva_find(2) == 0
    board.kernel.sva_free(mm)
    assert board.kernel.mm(mm)["pasid"] == 0
    board.kernel.mm_put(mm)
    board.check_end()
