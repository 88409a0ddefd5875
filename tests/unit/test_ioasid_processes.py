"""The IOASID framework with several processes at once: no id twice, nothing used after its free, and nobody waits for the dead."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from cython_ext.probe_crew import meet
from emulator.spec.ioasid import Getter, IoasidSet
from tests.support.children import Children
from tests.support.ioasid import IoasidBoard

SECOND = 1_000_000_000
BOUND_S = 60.0
ONE, TWO, THREE, FOUR = 4, 5, 6, 7  # slots of the crew
HOST0, HOST1 = 1, 2
LEAST, MOST = 10, 40


def stop(board: IoasidBoard) -> None:
    board.memory.write_u64(board.stop, 1)


def churn(board: IoasidBoard, slot: int, rounds: int, noise: int = 0) -> dict[str, int]:
    if noise:
        board.as_slot(slot).noise(noise, noise * 20, seed=slot)
    return board.actor(slot).churn(board.owners, rounds, 12, LEAST, MOST)


def look(board: IoasidBoard, slot: int) -> dict[str, int]:
    return board.actor(slot).look(board.stop, 50 * SECOND, LEAST, MOST)


def run(
    board: IoasidBoard, workers: list[tuple[Any, ...]], watchers: list[tuple[Any, ...]]
) -> tuple[list[Any], list[Any]]:
    """Workers until they are done, watchers until the workers are; (results of the first, of the second). All start at once."""
    parties = len(workers) + len(watchers)

    def start(function: Callable[..., Any], *args: Any) -> Any:
        assert meet(board.memory, board.stop + 16, parties)
        return function(board, *args)

    with Children(BOUND_S, board.report) as children:
        seen = [children.start(start, *watcher) for watcher in watchers]
        for worker in workers:
            children.start(start, *worker)
        until = time.monotonic() + BOUND_S
        for child in [child for child in children.members if child not in seen]:
            if not child.collect(until):
                break
        stop(board)
        results = children.results()
    return results[len(seen) :], results[: len(seen)]


@pytest.mark.parametrize("custom", [False, True], ids=["default", "custom"])
@pytest.mark.parametrize("noise", [0, 20])
def test_no_id_is_out_twice_and_lookups_see_whole_data(custom: bool, noise: int) -> None:
    board = IoasidBoard()
    if custom:
        board.kernel.register(1, HOST0, HOST0, 0xA)
    rounds = 5000 if noise else 300000
    workers = [(churn, slot, rounds, noise) for slot in (ONE, TWO, THREE)]
    done, (seen,) = run(board, workers, [(look, FOUR)])
    assert all(result["got"] > rounds // 10 for result in done)
    assert [(r["out_of_range"], r["twice"], r["wrong"]) for r in done] == [(0, 0, 0)] * 3
    assert seen["found"] > 0
    assert seen["unknown"] > 0
    assert seen["other"] == 0
    board.remove_all()
    assert board.hosts_empty()
    assert all(board.host(i)["bad_frees"] == 0 for i in range(2))
    board.check_end()


def plug(board: IoasidBoard, slot: int, rounds: int) -> int:
    """Two sharers of one host, one of them plugged at any time; then both, and one is left."""
    kernel = board.actor(slot)
    for i in range(rounds):
        comes, goes = (2, 1) if i % 2 == 0 else (1, 2)
        assert kernel.register(comes, HOST0, HOST0, 0xA0 + comes) == 0
        kernel.unregister(goes)
    return rounds


def test_ids_outlive_the_unplug_of_sharers_while_they_are_used() -> None:
    board = IoasidBoard()
    board.kernel.register(1, HOST0, HOST0, 0xA1)
    workers = [(churn, ONE, 200000), (churn, TWO, 200000), (plug, THREE, 20000)]
    (one, two, _), (seen,) = run(board, workers, [(look, FOUR)])
    for result in (one, two):
        assert (result["out_of_range"], result["twice"], result["wrong"]) == (0, 0, 0)
    assert seen["other"] == 0
    state = board.kernel.state()
    assert (state["warnings"], state["ids_lost"], state["unknown"]) == (0, 0, 0)
    board.remove_all()
    assert board.hosts_empty()
    board.check_end()


def unplug(board: IoasidBoard, slot: int, rounds: int) -> int:
    """Plugs a second host, takes the active one away under its users, and the other way round."""
    kernel = board.actor(slot)
    for i in range(rounds):
        comes, goes = ((2, HOST1), 1) if i % 2 == 0 else ((1, HOST0), 2)
        assert kernel.register(comes[0], comes[1], comes[1], comes[0]) == 0
        kernel.unregister(goes)
    return rounds


def churn_until_stopped(board: IoasidBoard, slot: int) -> int:
    got = out_of_range = 0
    while board.memory.read_u64(board.stop) == 0:
        result = churn(board, slot, 200)
        got += result["got"]
        out_of_range += result["out_of_range"]
    assert out_of_range == 0
    return got


def test_a_space_that_goes_under_its_users_loses_ids_and_nothing_else() -> None:
    """The callers' fault: ids are lost, warnings say so. Nobody uses freed data, nobody hangs, every object comes back."""
    board = IoasidBoard()
    board.kernel.register(1, HOST0, HOST0, 1)
    watchers = [(churn_until_stopped, ONE), (churn_until_stopped, TWO), (look, FOUR)]
    _, (one, two, seen) = run(board, [(unplug, THREE, 20000)], watchers)
    assert min(one, two, seen["found"]) > 0
    assert seen["other"] == 0
    state = board.kernel.state()
    assert state["warnings"] > 0
    assert state["ids_lost"] >= state["warnings"]
    board.remove_all()
    board.check_end()


def bind_loop(board: IoasidBoard, slot: int, rounds: int, noise: int = 0) -> int:
    if noise:
        board.as_slot(slot).noise(noise, noise * 20, seed=slot)
    return board.actor(slot).bind_loop(rounds, 6)


def find_loop(board: IoasidBoard, slot: int) -> dict[str, int]:
    return board.actor(slot).find_loop(board.stop, 50 * SECOND, 6)


@pytest.mark.parametrize("noise", [0, 20])
def test_a_lookup_holds_the_mm_that_it_found(noise: int) -> None:
    """Binders end their address spaces before and after the unbind, and the structure right after it."""
    board = IoasidBoard()
    rounds = 500 if noise else 50000
    workers = [(bind_loop, slot, rounds, noise) for slot in (ONE, TWO)]
    without, (one, two) = run(board, workers, [(find_loop, THREE), (find_loop, FOUR)])
    assert all(n < rounds // 2 for n in without)
    assert one["found"] + two["found"] > 0
    assert (one["dead"], two["dead"]) == (0, 0)
    assert board.ids() == {}
    board.check_end()


def replace(board: IoasidBoard, slot: int, number: int, rounds: int) -> int:
    """Gives an id a new mm and ends the old one at once: nobody may be at it any more."""
    kernel = board.actor(slot)
    old = 0
    for _ in range(rounds):
        fresh = kernel.mm_new()
        assert kernel.set_data(number, fresh) == 0
        if old:
            kernel.mm_put(old)
        old = fresh
    assert kernel.set_data(number, 0) == 0
    kernel.mm_put(old)
    return rounds


def test_set_data_returns_when_nobody_uses_the_old_data() -> None:
    board = IoasidBoard()
    number = board.kernel.alloc(IoasidSet.IOASID_SET_SVA, 1, 6, 0)
    done, (one, two) = run(
        board, [(replace, ONE, number, 20000)], [(find_loop, THREE), (find_loop, FOUR)]
    )
    assert done == [20000]
    assert one["found"] + two["found"] > 0
    assert board.kernel.find(0, number, Getter.GETTER_NONE) == (0, 0)
    board.free_all()
    board.check_end()


def await_beats(board: IoasidBoard, slot: int, beats: int) -> None:
    """Returns when the actor has come this far in its loop."""
    until = time.monotonic() + BOUND_S
    while board.crew.actor(slot)["heartbeat"] <= beats:
        assert time.monotonic() < until, board.report()
        os.sched_yield()


def test_processes_killed_anywhere_leave_a_framework_that_works() -> None:
    """Thirty kills at random places, with another process at work on the same space all the time. A slot has one life."""
    board = IoasidBoard(handlers=32)
    board.kernel.register(1, HOST0, HOST0, 0xA)
    with Children(BOUND_S, board.report) as children:
        children.start(churn_until_stopped, board, TWO)
        for i in range(30):
            slot = FOUR + 1 + i
            victim = children.start(churn, board, slot, 1 << 40)
            await_beats(board, slot, 400 * i)
            victim.kill()
            board.crew.mark_dead(slot)
            board.kernel.settle()
            for number, (_, private) in board.ids().items():
                if private >> 32 == slot + 1:
                    board.memory.write_u64(board.owners + 8 * number, 0)
                    board.kernel.free(number)
        stop(board)
        assert children.results()[0] > 0
    ids = board.ids()
    assert ids == {}
    assert board.hosts_empty()
    assert board.kernel.state()["repairs"] > 0
    board.remove_all()
    board.check_end(lost=30)
