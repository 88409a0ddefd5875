# SPDX-License-Identifier: MIT
"""The IOASID framework with several concurrent processes: no id twice, no use after free, no waiting for dead processes."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from iopf.emulator.board.ioasid import Getter, IoasidSet

from tests.probes.crew import meet
from tests.support.children import Children
from tests.support.ioasid import IoasidBoard
from tests.support.speed import slowdown

SECOND = 1_000_000_000
BOUND_S = 60.0 * slowdown()
ONE, TWO, THREE, FOUR = 4, 5, 6, 7  # slots of the crew
HOST0, HOST1 = 1, 2
LEAST, MOST = 10, 40


def stop(board: IoasidBoard) -> None:
    board.memory.write_u64(board.stop, 1)


def churn(board: IoasidBoard, slot: int, rounds: int) -> dict[str, int]:
    return board.actor(slot).churn(board.owners, rounds, 12, LEAST, MOST)


def churn_until_stopped(board: IoasidBoard, slot: int, noise: int = 0) -> Counter[str]:
    if noise:
        board.as_slot(slot).noise(noise, noise * 20, seed=slot)
    total: Counter[str] = Counter()
    while True:
        total.update(churn(board, slot, 200))
        if board.memory.read_u64(board.stop):
            return total


def look(board: IoasidBoard, slot: int, want: int, noise: int = 0) -> dict[str, int]:
    if noise:
        board.as_slot(slot).noise(noise, noise * 20, seed=slot)
    return board.actor(slot).look(50 * SECOND, LEAST, MOST, want)


def run(
    board: IoasidBoard, workers: list[tuple[Any, ...]], others: list[tuple[Any, ...]]
) -> tuple[list[Any], list[Any]]:
    """Run workers until they have seen or done enough, and the others until the workers have finished; (results of the first, of the
    second). All start at once."""
    parties = len(workers) + len(others)

    def start(function: Callable[..., Any], *args: Any) -> Any:
        assert meet(board.memory, board.stop + 16, parties)
        return function(board, *args)

    with Children(BOUND_S, board.report) as children:
        members = [children.start(start, *each) for each in [*workers, *others]]
        until = time.monotonic() + BOUND_S
        for child in members[: len(workers)]:
            if not child.collect(until):
                break
        stop(board)
        results = children.results()
    return results[: len(workers)], results[len(workers) :]


@pytest.mark.parametrize("custom", [False, True], ids=["default", "custom"])
@pytest.mark.parametrize(("noise", "want"), [(0, 2000000), (20, 50000)])
def test_no_id_is_out_twice_and_lookups_see_whole_data(custom: bool, noise: int, want: int) -> None:
    board = IoasidBoard()
    if custom:
        board.kernel.register(1, HOST0, HOST0, 0xA)
    churns = [(churn_until_stopped, slot, noise) for slot in (ONE, TWO, THREE)]
    (seen,), done = run(board, [(look, FOUR, want)], churns)
    assert min(seen["found"], seen["unknown"]) >= want
    assert seen["other"] == 0
    assert all(result["got"] > 0 for result in done)
    assert [(r["out_of_range"], r["twice"], r["wrong"]) for r in done] == [(0, 0, 0)] * 3
    board.remove_all()
    assert board.hosts_empty()
    assert all(board.host(i)["bad_frees"] == 0 for i in range(2))
    board.check_end()


def plug(board: IoasidBoard, slot: int, rounds: int) -> None:
    """Two sharers of one host, one of them plugged at any time; then both, then one."""
    kernel = board.actor(slot)
    for i in range(rounds):
        comes, goes = (2, 1) if i % 2 == 0 else (1, 2)
        assert kernel.register(comes, HOST0, HOST0, 0xA0 + comes) == 0
        kernel.unregister(goes)


def test_ids_outlive_the_unplug_of_sharers_while_they_are_used() -> None:
    board = IoasidBoard()
    board.kernel.register(1, HOST0, HOST0, 0xA1)
    workers = [(plug, THREE, 20000), (look, FOUR, 1000000)]
    churns = [(churn_until_stopped, slot) for slot in (ONE, TWO)]
    (_, seen), done = run(board, workers, churns)
    for result in done:
        assert (result["out_of_range"], result["twice"], result["wrong"]) == (0, 0, 0)
    assert (seen["found"] >= 1000000, seen["other"]) == (True, 0)
    state = board.kernel.state()
    assert (state["warnings"], state["ids_lost"], state["unknown"]) == (0, 0, 0)
    board.remove_all()
    assert board.hosts_empty()
    board.check_end()


def unplug(board: IoasidBoard, slot: int, rounds: int) -> None:
    """Plugs a second host, removes the active one while it is in use, and vice versa, until ids were lost often. A host without its
    guest takes its numbers back."""
    kernel = board.actor(slot)
    until = time.monotonic() + BOUND_S
    i = 0
    while i < rounds or kernel.state()["warnings"] < 100:
        comes, goes = ((2, HOST1), 1) if i % 2 == 0 else ((1, HOST0), 2)
        assert kernel.register(comes[0], comes[1], comes[1], comes[0]) == 0
        kernel.unregister(goes)
        kernel.host_release(goes - 1, range(LEAST, MOST + 1))
        assert time.monotonic() < until
        i += 1


def test_removing_a_space_in_use_loses_only_ids() -> None:
    """A caller's error: ids are lost, warnings report it. No freed data is used, no process hangs, every object is reused."""
    board = IoasidBoard()
    board.kernel.register(1, HOST0, HOST0, 1)
    workers = [(unplug, THREE, 10000), (look, FOUR, 10000, 20)]
    churns = [(churn_until_stopped, slot) for slot in (ONE, TWO)]
    (_, seen), done = run(board, workers, churns)
    assert (seen["found"] >= 10000, seen["other"]) == (True, 0)
    assert all((result["got"] > 0, result["out_of_range"]) == (True, 0) for result in done)
    state = board.kernel.state()
    assert state["ids_lost"] >= state["warnings"] >= 100
    board.remove_all()
    board.check_end()


def bind_until_stopped(board: IoasidBoard, slot: int, noise: int = 0) -> tuple[int, int]:
    """(rounds, rounds that found no memory or no PASID)."""
    if noise:
        board.as_slot(slot).noise(noise, noise * 20, seed=slot)
    rounds = without = 0
    while True:
        without += board.actor(slot).bind_loop(100, 6)
        rounds += 100
        if board.memory.read_u64(board.stop):
            return rounds, without


def find_loop(board: IoasidBoard, slot: int, want: int) -> dict[str, int]:
    return board.actor(slot).find_loop(50 * SECOND, 6, want)


@pytest.mark.parametrize(("noise", "want"), [(0, 20000), (20, 200)])
def test_a_lookup_holds_the_mm_that_it_found(noise: int, want: int) -> None:
    """Binders end their address spaces before and after the unbind, and free the structure right after it."""
    board = IoasidBoard()
    finders = [(find_loop, slot, want) for slot in (THREE, FOUR)]
    found, done = run(board, finders, [(bind_until_stopped, slot, noise) for slot in (ONE, TWO)])
    assert all((each["found"] >= want, each["dead"]) == (True, 0) for each in found)
    assert all(without < rounds // 2 for rounds, without in done)
    assert board.ids() == {}
    board.check_end()


def replace(board: IoasidBoard, slot: int, number: int) -> None:
    """Gives an id a new mm and ends the old one at once, which must be unused by then."""
    kernel = board.actor(slot)
    old = 0
    while not board.memory.read_u64(board.stop):
        fresh = kernel.mm_new()
        assert kernel.set_data(number, fresh) == 0
        if old:
            kernel.mm_put(old)
        old = fresh
    assert kernel.set_data(number, 0) == 0
    if old:
        kernel.mm_put(old)


def test_set_data_returns_when_the_old_data_is_unused() -> None:
    board = IoasidBoard()
    number = board.kernel.alloc(IoasidSet.IOASID_SET_SVA, 1, 6, 0)
    finders = [(find_loop, slot, 100000) for slot in (THREE, FOUR)]
    found, _ = run(board, finders, [(replace, ONE, number)])
    assert all((each["found"] >= 100000, each["dead"]) == (True, 0) for each in found)
    assert board.kernel.find(0, number, Getter.GETTER_NONE) == (0, 0)
    board.free_all()
    board.check_end()


def await_beats(board: IoasidBoard, slot: int, beats: int) -> None:
    """Wait until the actor has reached this round of its loop."""
    until = time.monotonic() + BOUND_S
    while board.crew.actor(slot)["heartbeat"] <= beats:
        assert time.monotonic() < until, board.report()
        os.sched_yield()


def stop_as_owner(board: IoasidBoard, slot: int, pid: int) -> None:
    """Stop the process while it holds the lock."""
    until = time.monotonic() + BOUND_S
    while True:
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        if board.kernel.lock_owner() == slot:
            return
        assert time.monotonic() < until, board.report()
        os.kill(pid, signal.SIGCONT)
        os.sched_yield()


def test_processes_killed_anywhere_leave_a_framework_that_works() -> None:
    """Thirty kills, every second one of a process that holds the lock, the others at random places; another process works on the same
    space all the time. A slot is used once."""
    board = IoasidBoard(handlers=32)
    board.kernel.register(1, HOST0, HOST0, 0xA)
    with Children(BOUND_S, board.report) as children:
        children.start(churn_until_stopped, board, TWO)
        for i in range(30):
            slot = FOUR + 1 + i
            victim = children.start(churn, board, slot, 1 << 40)
            await_beats(board, slot, 400 * i)
            if i % 2:
                stop_as_owner(board, slot, victim.pid)
            victim.kill()
            board.crew.mark_dead(slot)
            board.kernel.settle()
            for number, (_, private) in board.ids().items():
                if private >> 32 == slot + 1:
                    board.memory.write_u64(board.owners + 8 * number, 0)
                    board.kernel.free(number)
        stop(board)
        assert children.results()[0]["got"] > 0
    ids = board.ids()
    assert ids == {}
    assert board.hosts_empty()
    assert 15 <= board.kernel.state()["repairs"] <= 30
    board.remove_all()
    board.check_end(lost=30)
