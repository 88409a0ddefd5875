# SPDX-License-Identifier: MIT
"""Boards that somebody damages, and processes that die of errors of their own: never a PASS, a crash of supervisor or viewer, or a hang."""

from __future__ import annotations

import itertools
import os
import random
import select
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from iopf.emulator.board import layout
from iopf.emulator.board.config import CONFIG_FIELDS
from iopf.emulator.board.layout import layout_hash
from iopf.emulator.spec.roles import Role
from iopf.shm.arena import Arena
from iopf.shm.naming import own_name
from iopf.shm.objects import ArenaError
from iopf.tools.status import Status
from iopf.tools.supervisor.verdicts import describe
from iopf.tools.watch.attach import Board, systems
from iopf.tools.watch.ps import row_of
from iopf.tools.watch.screen import lines
from iopf.tools.watch.top import Sampler, end_of

from tests.support.running import ENDLESS, Running

TWO = ("--devices", "2", "--handlers", "1", *ENDLESS)
CONFIG_WORDS = len(CONFIG_FIELDS) + 1 + 6  # and `slots`; six fields have two words
REGIONS = range(layout.OFF_COUNT)
# How a run may end whose board was changed under it: with a verdict of its own. A process may die of what it has read.
ENDS = {Status.OK, Status.FAILED, Status.DIED, Status.STUCK, Status.UNTRUSTED}


@pytest.mark.parametrize(
    ("role", "number"),
    [
        (Role.ROLE_DEVICE, signal.SIGSEGV),
        (Role.ROLE_DEVICE, signal.SIGABRT),
        (Role.ROLE_TENANT, signal.SIGBUS),
        (Role.ROLE_TENANT, signal.SIGFPE),
    ],
)
def test_an_error_of_its_own_is_no_removal(tmp_path: Path, role: Role, number: int) -> None:
    with Running(tmp_path, *TWO) as run:
        run.kill(role, 0, number)
        output = run.end()
        result = run.result()
    assert run.status == Status.DIED
    assert f"was killed by {signal.Signals(number).name}" in output.splitlines()[-1]
    assert (result["removals"], result["exits"]) == ([], [])
    assert signal.Signals(number).name in result["crash"]


@pytest.mark.parametrize("part", [0.0, 0.4, 0.9])
def test_a_truncated_board_is_a_verdict(tmp_path: Path, part: float) -> None:
    with Running(tmp_path, *TWO) as run:
        path = run.arena.name.path
        os.truncate(path, int(path.stat().st_size * part) // 4096 * 4096)
        output = run.end()
        assert run.status == Status.UNTRUSTED
        assert "was truncated; nothing of it can be trusted" in output.splitlines()[-1]
        assert run.result()["verdict"] == "UNTRUSTED"


@pytest.mark.parametrize("word", [0, 1, 6])
def test_a_changed_configuration_is_a_verdict(tmp_path: Path, word: int) -> None:
    with Running(tmp_path, *TWO) as run:
        image = run.arena.name.path.read_bytes()
        devices, tenants = len(run.snapshot.devices()), 1
        at = image.index(struct.pack("<3I", devices, 1, tenants), 4096) + 4 * word
        _flip(run.arena, at, 1 << 30)
        output = run.end()
    assert run.status == Status.UNTRUSTED
    assert "the board was damaged: its configuration" in output.splitlines()[-1]


def _flip(arena: Arena, at: int, bits: int) -> None:
    other = Arena.attach(arena.name, layout_hash(), writable=True)
    other.memory.write_u32(at, other.memory.read_u32(at) ^ bits)
    other.close()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The board of a system in full flow."""
    with Running(tmp_path_factory.mktemp("image") / "run", *TWO) as run:
        return run.arena.name.path.read_bytes()


@pytest.fixture
def board(image: bytes) -> Iterator[Arena]:
    """A copy of it that belongs to this process."""
    arena = Arena.create(len(image), layout_hash(), name=own_name(7777705))
    arena.memory.write_bytes(4096, image[4096:])
    arena.publish()
    yield arena
    arena.close()
    arena.unlink()


def _places(arena: Arena) -> list[range]:
    """The words of the head and of each region; and again the first of each, on which others depend."""
    with Board(arena.name) as board:
        starts = sorted({board.snapshot.region(number) for number in REGIONS})
    spans = list(zip([4096, *starts], [*starts, arena.header.size], strict=True))
    return [
        range(start, min(end, start + length), 4) for length in (65536, 640) for start, end in spans
    ]


def _looked_at(arena: Arena) -> None:
    """All that the viewers show of a board."""
    (found,) = [each for each in systems() if each.name == arena.name]
    assert row_of(found)["system"] == str(arena.name)
    with Board(arena.name) as board:
        sampler = Sampler(board)
        sampler.sample()
        shown = lines(sampler.sample(), 80, 24)
        assert len(shown) <= 24
        assert max(map(len, shown)) <= 80
        end_of(sampler)
        for slot in range(len(board.snapshot.actors())):
            board.snapshot.events(slot)
        board.snapshot.pools()
        board.snapshot.pasids_used()
        board.snapshot.reached()
        [describe(verdict, []) for verdict in board.snapshot.verdicts()]
        board.check()


def _attack(arena: Arena, seed: int, flips: int) -> dict[str, int]:
    rng = random.Random(seed)
    places = _places(arena)
    seen = {"shown": 0, "refused": 0}
    for _ in range(flips):
        at = rng.choice(rng.choice(places))
        before = arena.memory.read_u32(at)
        bits = 1 << rng.randrange(32) if rng.random() < 0.5 else rng.getrandbits(32)
        arena.memory.write_u32(at, before ^ bits)
        try:
            _looked_at(arena)
            seen["shown"] += 1
        except ArenaError as error:
            assert error.status in (Status.MACHINE, Status.UNTRUSTED), error
            seen["refused"] += 1
        arena.memory.write_u32(at, before)
    return seen


def test_every_word_of_configuration_and_regions_is_compared(board: Arena, image: bytes) -> None:
    start = image.index(struct.pack("<3I", 2, 1, 1), 4096)
    end = start + 4 * CONFIG_WORDS + 8 * layout.OFF_COUNT
    for at in range(start, end, 4):
        before = board.memory.read_u32(at)
        with Board(board.name) as seen:
            board.memory.write_u32(at, before ^ 1 << 31)
            with pytest.raises(
                ArenaError, match=r"damaged \(its (configuration|table of regions)\)"
            ):
                seen.check()
        board.memory.write_u32(at, before)


def test_viewers_survive_any_board(board: Arena) -> None:
    seen = _attack(board, 1, 400)
    assert min(seen.values()) > 0, seen


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 12))
def test_viewers_survive_ten_thousand_flips(board: Arena, seed: int) -> None:
    seen = _attack(board, seed, 1000)
    assert min(seen.values()) > 0, seen


def test_viewers_survive_a_board_that_ends(board: Arena) -> None:
    """Read while it is cut off: the page that is gone reads as zeros, and the end of the reading says so."""
    with Board(board.name) as seen:
        os.truncate(board.name.path, 4096)
        seen.snapshot.actors()
        seen.snapshot.pools()
        with pytest.raises(ArenaError, match="it was truncated"):
            seen.check()
    with pytest.raises(ArenaError, match="truncated"):
        Board(board.name)


FLIPS_OF_A_RUN = 60


def _live(directory: Path, seed: int, most: int) -> int:
    """Words of a running system change one after another until it ends, at most `most`, from its start, in full flow or while it is
    stopping; how many did. The end is a verdict of its own, and a PASS has no problem in its account."""
    rng = random.Random(seed)
    ending = rng.choice(("duration", "interrupt"))
    more = ("--duration", "0.3") if ending == "duration" else ()
    flips = 0
    with Running(
        directory, *TWO, "--set", "system.watchdog_s=1", *more, flowing=rng.random() < 0.6
    ) as run:
        places = _places(run.arena)
        other = Arena.attach(run.arena.name, layout_hash(), writable=True)
        interrupted_at = rng.randrange(most) if ending == "interrupt" else most
        while flips < most and run.process.poll() is None:
            if flips == interrupted_at:
                run.process.send_signal(signal.SIGINT)
            at = rng.choice(rng.choice(places))
            other.memory.write_u32(at, other.memory.read_u32(at) ^ (rng.getrandbits(32) or 1))
            flips += 1
            select.select([], [], [], 0.004)  # the system runs on with what it has read
        other.close()
        output = run.end()
    # A signal that comes behind the verdict ends the process itself.
    late = run.status == -signal.SIGINT and "\nverdict " in output
    interrupted = run.status == 128 + signal.SIGINT and ending == "interrupt"
    assert late or interrupted or run.status in ENDS, (run.status, output)
    if run.status == Status.OK:
        assert run.result()["problems"] == []
    return flips


@pytest.mark.parametrize("seed", range(8))
def test_a_run_survives_changed_words(tmp_path: Path, seed: int) -> None:
    assert _live(tmp_path, seed, 1 + 4 * seed) > 0


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 1100, 100))
def test_runs_survive_ten_thousand_changed_words(tmp_path: Path, seed: int) -> None:
    flips = 0
    for number in itertools.count(seed):
        flips += _live(tmp_path / str(number), number, FLIPS_OF_A_RUN)
        if flips >= 1000:
            break
