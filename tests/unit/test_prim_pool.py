# SPDX-License-Identifier: MIT
"""Pools and lists: generations, poison, detected misuse with the actors involved, exhaustion, injected failures."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES
from tests.probes.pool import List, Pool
from tests.support.board import Board
from tests.support.children import Children, run_together


def _pool(
    board: Board, capacity: int = 32, *, stride: int = 128, cls: int = 2, batch: int = 4
) -> Pool:
    return Pool(
        board.crew,
        board.take(SIZES["pool"] + capacity * stride),
        capacity=capacity,
        stride=stride,
        cls=cls,
        batch=batch,
    )


def test_a_reference_is_index_and_generation() -> None:
    board = Board()
    pool = _pool(board)
    first = pool.alloc()
    assert first == 1 << 32 | 1
    assert pool.deref(first)
    pool.free(first)
    second = pool.alloc()
    assert second == 2 << 32 | 1
    assert not pool.peek(first)
    assert pool.peek(second)
    assert board.crew.verdicts() == []


def test_bodies_are_zeroed_and_poisoned() -> None:
    board = Board()
    pool = _pool(board)
    ref = pool.alloc()
    pool.write_body(ref, b"x" * 96)
    pool.free(ref)
    assert pool.body(ref) == b"\x6b" * 96
    assert pool.body(pool.alloc()) == bytes(96)
    board.crew.policy(poison=False)
    ref = pool.alloc()
    pool.write_body(ref, b"x" * 96)
    pool.free(ref)
    assert pool.body(ref) == b"x" * 96


def test_use_after_free_names_the_freeing_and_the_using_actor() -> None:
    board = Board()
    pool = _pool(board)
    ref = pool.alloc()
    run_together(lambda: Pool(board.as_slot(3), pool.offset).free(ref))
    assert run_together(lambda: Pool(board.as_slot(5), pool.offset).deref(ref)) == [False]
    (verdict,) = board.crew.verdicts()
    assert verdict == {
        "kind": VerdictKind.VERDICT_USE_AFTER_FREE,
        "cls": 2,
        "object": ref,
        "generation": 2,
        "other_actor": 3,
        "actor": 5,
        "site": 0xFE,
        "detail": 0xFE,  # site of the free
    }


def test_use_of_a_reused_object_is_use_after_free() -> None:
    board = Board()
    pool = _pool(board)
    ref = pool.alloc()
    pool.free(ref)
    assert pool.alloc() & 0xFFFFFFFF == ref & 0xFFFFFFFF
    assert not pool.deref(ref)
    assert [v["kind"] for v in board.crew.verdicts()] == [VerdictKind.VERDICT_USE_AFTER_FREE]


def test_double_free_is_a_verdict_and_does_not_free_twice() -> None:
    board = Board()
    pool = _pool(board)
    ref = pool.alloc()
    run_together(lambda: Pool(board.as_slot(3), pool.offset).free(ref))
    pool.free(ref)
    (verdict,) = board.crew.verdicts()
    assert (verdict["kind"], verdict["actor"], verdict["other_actor"]) == (
        VerdictKind.VERDICT_DOUBLE_FREE,
        0,
        3,
    )
    assert pool.header(ref)["generation"] == 2


@pytest.mark.parametrize("ref", [0, 1 << 32 | 33, 2**64 - 1])
def test_a_reference_that_never_was_is_a_bad_word(ref: int) -> None:
    board = Board()
    pool = _pool(board)
    assert not pool.deref(ref)
    assert not pool.peek(ref)
    assert [v["kind"] for v in board.crew.verdicts()] == [VerdictKind.VERDICT_BAD_WORD]


def test_exhaustion_is_not_a_verdict_and_ends_with_the_next_free() -> None:
    board = Board()
    pool = _pool(board, 10)
    refs = [pool.alloc() for _ in range(10)]
    assert len(set(refs)) == 10
    assert pool.alloc() == 0
    assert pool.live() == 10
    pool.free(refs[4])
    assert pool.alloc() & 0xFFFFFFFF == refs[4] & 0xFFFFFFFF
    assert pool.magazine_counts(0)["fails"] == 1
    assert board.crew.verdicts() == []


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_freed_objects_are_available_to_other_actors(batch: int) -> None:
    """Objects freed by one actor are available to another: at most two batches stay in its magazine."""
    board = Board()
    pool = _pool(board, 32, batch=batch)
    refs = [pool.alloc() for _ in range(32)]
    for ref in refs:
        pool.free(ref)
        assert pool.magazine_counts(0)["count"] == len(pool.magazine(0)) <= 2 * batch
    other = Pool(board.as_slot(1), pool.offset)
    got = [ref for _ in range(33) if (ref := other.alloc())]
    assert len(got) == 32 - len(pool.magazine(0)) >= 32 - 2 * batch


def test_fail_nth_fails_exactly_one() -> None:
    board = Board()
    pool = _pool(board)
    pool.fail_nth = 3
    assert [bool(pool.alloc()) for _ in range(6)] == [True, True, False, True, True, True]
    assert pool.fail_nth == 0


@pytest.mark.parametrize("noise", [0, 5])
def test_actors_never_share_an_object(noise: int) -> None:
    """Four processes on a pool that is too small: no other actor changes a stamp, and at the end every slot is accounted for."""
    board = Board()
    pool = _pool(board, 40)

    def hammer(slot: int) -> int:
        crew = board.as_slot(slot)
        if noise:
            crew.noise(noise, noise * 8, seed=slot)
        return Pool(crew, pool.offset).hammer(4000 if noise else 40000, 16)

    assert (
        run_together(*[lambda s=s: hammer(s) for s in range(1, 5)], report=board.report) == [0] * 4
    )
    assert board.crew.verdicts() == []
    free = pool.chain() + [i for slot in range(8) for i in pool.magazine(slot)]
    assert sorted(free) == list(range(40))
    assert pool.live() == 0


def test_a_damaged_chain_is_a_verdict_and_no_endless_loop() -> None:
    board = Board()
    pool = _pool(board)
    pool.set_free_next(pool.chain()[1] + 1, 0x7777)

    with Children(5.0, board.report) as children:
        children.start(lambda: Pool(board.as_slot(1), pool.offset).alloc())
        assert children.results() == [0]
    assert [v["kind"] for v in board.crew.verdicts()] == [VerdictKind.VERDICT_BAD_WORD]


def _list(board: Board) -> tuple[Pool, List, list[int]]:
    pool = _pool(board)
    nodes = List(pool, board.take(SIZES["list"]), ident=9)
    refs = [pool.alloc() for _ in range(4)]
    return pool, nodes, refs


def test_a_list_keeps_its_order() -> None:
    board = Board()
    _, nodes, refs = _list(board)
    for ref in refs:
        nodes.add_tail(ref)
    assert nodes.walk() == nodes.walk_back()[::-1] == [0, 1, 2, 3]
    for ref, rest in ((refs[1], [0, 2, 3]), (refs[3], [0, 2]), (refs[0], [2]), (refs[2], [])):
        nodes.remove(ref)
        assert nodes.walk() == nodes.walk_back()[::-1] == rest
        assert len(nodes) == len(rest)
    assert board.crew.verdicts() == []


def test_list_misuse_is_a_verdict() -> None:
    board = Board()
    pool, nodes, refs = _list(board)
    other = List(pool, board.take(SIZES["list"]), ident=10)
    nodes.add_tail(refs[0])
    cases: list[tuple[int, Callable[[], None]]] = [
        (1, lambda: nodes.add_tail(refs[0])),  # twice on one list
        (1, lambda: other.add_tail(refs[0])),  # on a second one
        (3, lambda: other.remove(refs[0])),  # off a list that it is not on
        (3, lambda: nodes.remove(refs[1])),  # never was on one
    ]
    for _, act in cases:
        act()
    verdicts = board.crew.verdicts()
    assert [v["kind"] for v in verdicts] == [VerdictKind.VERDICT_LIST] * 4
    assert [v["detail"] & 0xFF for v in verdicts] == [what for what, _ in cases]
    assert nodes.walk() == [0]
    assert other.walk() == []


def test_a_freed_node_on_a_list_is_two_verdicts() -> None:
    """Once where it is freed, once where an actor walks onto it; the second names the freeing actor."""
    board = Board()
    pool, nodes, refs = _list(board)
    nodes.add_tail(refs[0])
    nodes.add_tail(refs[1])
    run_together(lambda: Pool(board.as_slot(4), pool.offset).free(refs[1]))
    assert nodes.walk() == [0]
    freed, walked = board.crew.verdicts()
    assert (freed["kind"], freed["actor"], freed["detail"]) == (VerdictKind.VERDICT_LIST, 4, 4)
    assert (walked["kind"], walked["actor"], walked["other_actor"]) == (
        VerdictKind.VERDICT_LIST,
        0,
        4,
    )
    assert walked["detail"] == 9 << 8 | 3
