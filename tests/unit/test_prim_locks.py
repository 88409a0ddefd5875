# SPDX-License-Identifier: MIT
"""The mutex and the reader-writer lock between real processes: exclusion, takeover from dead owners, no lost wake-up."""

from __future__ import annotations

import pytest
from iopf.cython_ext.crew import VerdictKind

from tests.probes.crew import SIZES
from tests.probes.locks import LOCK_DIED_STATUS, Mutex, RwLock
from tests.support.board import Board, await_word
from tests.support.children import Children, run_together

ROUNDS = 4000


def _hammer_mutex(board: Board, slot: int, at: int, counter: int, noise: int) -> int:
    crew = board.as_slot(slot)
    if noise:
        crew.noise(noise, noise * 8, seed=slot)
    return Mutex(crew, at).hammer(counter, ROUNDS)


@pytest.mark.parametrize("noise", [0, 5])
@pytest.mark.parametrize(("spins", "yields"), [(50, 64), (0, 0)])
def test_mutex_excludes(noise: int, spins: int, yields: int) -> None:
    """Four processes add by separate load and store; no addition is lost, whatever the wait policy."""
    board = Board(spins=spins, yields=yields)
    at, counter = board.take(SIZES["mutex"]), board.take(8)
    Mutex(board.crew, at, cls=1)
    deaths = run_together(
        *[lambda slot=slot: _hammer_mutex(board, slot, at, counter, noise) for slot in range(1, 5)],
        report=board.report,
    )
    assert deaths == [0, 0, 0, 0]
    assert board.memory.read_u64(counter) == 4 * ROUNDS
    assert Mutex(board.crew, at).word == 0
    assert board.crew.verdicts() == []


def _lock_and_stay(board: Board, slot: int, lock: Mutex | RwLock, word: int) -> None:
    crew = board.as_slot(slot)
    if isinstance(lock, Mutex):
        Mutex(crew, lock.offset).lock()
    else:
        RwLock(crew, lock.offset).write_lock()
    board.memory.write_u32(word, 1)
    await_word(board.memory, word, 2, 60.0)


def _lock_after(board: Board, slot: int, at: int, write: bool | None) -> int:
    crew = board.as_slot(slot)
    if write is None:
        mutex = Mutex(crew, at)
        status = mutex.lock()
        assert mutex.held
        mutex.unlock()
        return status
    lock = RwLock(crew, at)
    status = lock.write_lock() if write else lock.read_lock()
    (lock.write_unlock if write else lock.read_unlock)()
    return status


@pytest.mark.parametrize("waits_before_death", [True, False])
def test_mutex_of_a_killed_owner_is_taken_over(waits_before_death: bool) -> None:
    """The next locker is told once that the owner died, also if it was asleep; then everything works as before."""
    board = Board()
    at, word = board.take(SIZES["mutex"]), board.take(4)
    mutex = Mutex(board.crew, at, cls=1)
    with Children(report=board.report) as children:
        owner = children.start(_lock_and_stay, board, 1, mutex, word)
        await_word(board.memory, word, 1)
        if waits_before_death:
            children.start(_lock_after, board, 2, at, None)
            _await_sleeper(board, 2)
        owner.kill()
        board.crew.mark_dead(1)
        if not waits_before_death:
            children.start(_lock_after, board, 2, at, None)
        assert children.results() == [LOCK_DIED_STATUS]
    assert board.crew.actor(2)["owner_deaths"] == 1
    assert mutex.lock() == 0
    mutex.unlock()
    assert mutex.word == 0
    assert board.crew.verdicts() == []


def _await_sleeper(board: Board, slot: int) -> None:
    """Until the actor of ``slot`` has slept on the lock at least once."""
    sleeps = board.as_slot(slot)
    for _ in range(10_000_000):
        if sleeps.actor(slot)["sleeps"]:
            return
    raise TimeoutError("no actor went to sleep")


def test_an_unconfirmed_death_is_not_taken_over() -> None:
    """The owner is dead, but the lock stays held until the supervisor confirms the death."""
    board = Board()
    at, word = board.take(SIZES["mutex"]), board.take(4)
    mutex = Mutex(board.crew, at, cls=1)
    with Children(report=board.report) as children:
        owner = children.start(_lock_and_stay, board, 1, mutex, word)
        await_word(board.memory, word, 1)
        owner.kill()
        children.start(_lock_after, board, 2, at, None)
        _await_sleeper(board, 2)
        assert mutex.word & 0xFFFF == 2
        board.crew.mark_dead(1)
        assert children.results() == [LOCK_DIED_STATUS]


def test_an_unlock_wakes_every_sleeper_in_turn() -> None:
    """Three sleepers, one unlock: each passes the lock on, and none waits for its 20 ms timeout repeatedly."""
    board = Board(spins=0, yields=0)
    at = board.take(SIZES["mutex"])
    mutex = Mutex(board.crew, at, cls=1)
    mutex.lock()
    with Children(report=board.report) as children:
        for slot in (1, 2, 3):
            children.start(_lock_after, board, slot, at, None)
        for slot in (1, 2, 3):
            _await_sleeper(board, slot)
        mutex.unlock()
        assert children.results() == [0, 0, 0]
    assert mutex.lock() == 0


def test_unlocking_a_lock_of_another_actor_is_a_verdict() -> None:
    board = Board()
    at = board.take(SIZES["mutex"])
    Mutex(board.crew, at, cls=3).lock()
    Mutex(board.as_slot(1), at).unlock()
    (verdict,) = board.crew.verdicts()
    assert (verdict["kind"], verdict["actor"], verdict["other_actor"], verdict["cls"]) == (
        VerdictKind.VERDICT_LOCK_MISUSE,
        1,
        0,
        3,
    )


def _hammer_rw(board: Board, slot: int, at: int, pair: int, write_every: int, noise: int) -> int:
    crew = board.as_slot(slot)
    if noise:
        crew.noise(noise, noise * 8, seed=slot)
    return RwLock(crew, at).hammer(pair, ROUNDS, write_every)


@pytest.mark.parametrize("noise", [0, 5])
@pytest.mark.parametrize(("spins", "yields"), [(50, 64), (0, 0)])
def test_rwlock_shows_no_torn_state(noise: int, spins: int, yields: int) -> None:
    board = Board(spins=spins, yields=yields)
    at, pair = board.take(SIZES["rwlock"]), board.take(16)
    lock = RwLock(board.crew, at, cls=1)
    every = [0, 3, 10, 1]
    torn = run_together(
        *[
            lambda slot=slot: _hammer_rw(board, slot, at, pair, every[slot - 1], noise)
            for slot in range(1, 5)
        ],
        report=board.report,
    )
    assert torn == [0, 0, 0, 0]
    writes = sum(len(range(0, ROUNDS, n)) for n in every if n)
    assert (board.memory.read_u64(pair), board.memory.read_u64(pair + 8)) == (writes, writes)
    assert lock.word & 0x4000FFFF == 0
    assert board.crew.verdicts() == []


def test_readers_share_and_exclude_a_writer() -> None:
    board = Board(spins=0, yields=0)
    at = board.take(SIZES["rwlock"])
    one, two = RwLock(board.crew, at, cls=1), RwLock(board.as_slot(1), at)
    assert one.read_lock() == 0
    assert two.read_lock() == 0
    with Children(report=board.report) as children:
        children.start(_lock_after, board, 2, at, True)
        _await_sleeper(board, 2)
        one.read_unlock()
        assert one.word & 0x4000FFFF == 1  # the other reader, and no writer
        two.read_unlock()
        assert children.results() == [0]


@pytest.mark.parametrize("write", [True, False])
def test_rwlock_of_a_killed_writer_is_taken_over(write: bool) -> None:
    board = Board()
    at, word = board.take(SIZES["rwlock"]), board.take(4)
    lock = RwLock(board.crew, at, cls=1)
    with Children(report=board.report) as children:
        owner = children.start(_lock_and_stay, board, 1, lock, word)
        await_word(board.memory, word, 1)
        children.start(_lock_after, board, 2, at, write)
        _await_sleeper(board, 2)
        owner.kill()
        board.crew.mark_dead(1)
        assert children.results() == [LOCK_DIED_STATUS]
    assert lock.write_lock() == 0
    lock.write_unlock()
    assert lock.read_lock() == 0
    lock.read_unlock()
    assert board.crew.verdicts() == []


def test_a_writer_that_dies_waiting_does_not_block_readers() -> None:
    board = Board(spins=0, yields=0)
    at = board.take(SIZES["rwlock"])
    lock = RwLock(board.crew, at, cls=1)
    lock.read_lock()
    with Children(report=board.report) as children:
        writer = children.start(_lock_after, board, 1, at, True)
        _await_sleeper(board, 1)
        writer.kill()
        board.crew.mark_dead(1)
        lock.read_unlock()
        children.start(_lock_after, board, 2, at, False)
        assert children.results() == [0]


def test_rwlock_misuse_is_a_verdict() -> None:
    board = Board()
    lock = RwLock(board.crew, board.take(SIZES["rwlock"]), cls=1)
    lock.read_unlock()
    lock = RwLock(board.crew, board.take(SIZES["rwlock"]), cls=2)
    lock.write_lock()
    RwLock(board.as_slot(1), lock.offset).write_unlock()
    assert [(v["kind"], v["cls"], v["actor"]) for v in board.crew.verdicts()] == [
        (VerdictKind.VERDICT_LOCK_MISUSE, 1, 0),
        (VerdictKind.VERDICT_LOCK_MISUSE, 2, 1),
    ]
