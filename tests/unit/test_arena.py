# SPDX-License-Identifier: MIT
"""The arena: creation, refusal of objects that are not a complete board of this build, clean-up."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator

import posix_ipc
import pytest
from iopf.emulator.board.layout import layout_hash
from iopf.shm.arena import Arena, read_header
from iopf.shm.naming import Name, own_name, parse
from iopf.shm.objects import (
    ArenaError,
    dead_objects,
    find_all,
    in_use,
    open_own,
    remove,
)
from iopf.shm.procs import is_alive, start_time

SIZE = 1 << 20


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena.create(SIZE, layout_hash(), name=own_name(71))
    yield made
    made.close()
    made.unlink()


def test_mode_is_private_and_creation_exclusive(arena: Arena) -> None:
    assert arena.name.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ArenaError, match="already exists"):
        Arena.create(SIZE, layout_hash(), name=arena.name)


def test_attach_waits_for_publication(arena: Arena) -> None:
    with pytest.raises(ArenaError, match="not ready"):
        Arena.attach(arena.name, layout_hash())
    arena.publish()
    other = Arena.attach(arena.name, layout_hash())
    arena.memory.write_u64(8192, 77)
    assert other.memory.read_u64(8192) == 77
    with pytest.raises(PermissionError):
        other.memory.write_u64(8192, 1)
    other.close()


def test_another_build_is_refused(arena: Arena) -> None:
    arena.publish()
    with pytest.raises(ArenaError, match="another build") as refused:
        Arena.attach(arena.name, layout_hash() + 1)
    assert refused.value.status == 4


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.truncate(100), "truncated"),
        (lambda f: f.truncate(3), "not ready"),
        (lambda f: f.write(b"\0" * 64), "not ready"),
        (lambda f: f.write(b"ELF?ELF?"), "wrong magic"),
        (lambda f: (f.seek(24), f.write(struct.pack("<Q", SIZE * 2))), "truncated"),
    ],
)
def test_foreign_and_damaged_objects_are_refused(arena: Arena, damage: object, words: str) -> None:
    arena.publish()
    with open(arena.name.path, "r+b") as file:
        damage(file)  # type: ignore[operator]
    with pytest.raises(ArenaError, match=words):
        Arena.attach(arena.name, layout_hash())


def test_a_missing_system_is_named() -> None:
    with pytest.raises(ArenaError, match="no such system") as refused:
        read_header(Name(os.getuid(), 1, 2))
    assert refused.value.status == 2


def test_a_board_that_does_not_fit_is_a_clear_error() -> None:
    usage = os.statvfs("/dev/shm")
    too_much = (usage.f_blocks + 1024) * usage.f_frsize
    name = own_name(72)
    with pytest.raises(ArenaError, match="MiB are free") as refused:
        Arena.create(too_much, layout_hash(), name=name)
    assert refused.value.status == 3
    assert not name.path.exists()


def test_a_read_only_mount_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object, **_settings: object) -> None:
        raise OSError(errno.EROFS, "posix_ipc says nothing more")

    monkeypatch.setattr(posix_ipc, "SharedMemory", refused)
    monkeypatch.setattr(os, "lstat", refused)
    says = "^/dev/shm: cannot .*: Read-only file system; check how it is mounted$"
    with pytest.raises(ArenaError, match=says) as error:
        Arena.create(SIZE, layout_hash(), name=own_name(73))
    assert error.value.status == 3
    with pytest.raises(ArenaError, match=says):
        remove(own_name(73))


def test_names_tell_their_creator() -> None:
    mine = own_name(5)
    assert parse(str(mine)) == mine
    assert mine.creator_alive
    assert not Name(mine.uid, mine.pid, mine.started + 1).creator_alive
    assert parse("iopf-x") is None
    assert parse("other-1-2-3") is None
    assert is_alive(os.getpid(), start_time(os.getpid()))
    assert not is_alive(os.getpid(), 1)
    assert start_time(2**22 + 1) == 0


def test_only_objects_of_the_dead_are_cleaned(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the pid of the name means nothing (another pid namespace), the creator's lock tells that it lives."""
    script = (
        "from iopf.shm.arena import Arena; print(Arena.create(65536, 1).name, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        name = parse(process.stdout.readline().strip())
        assert name is not None
        assert in_use(name)

        def alive(pid: int, started: int) -> bool:
            return pid != name.pid and is_alive(pid, started)

        monkeypatch.setattr("iopf.shm.naming.is_alive", alive)
        assert name in find_all()
        assert name not in dead_objects()
        process.kill()
    assert not in_use(name)
    assert arena.name not in dead_objects()
    remove(name)
    assert not remove(name)


def test_a_child_does_not_keep_the_lock(arena: Arena) -> None:
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        arena.leave()
        os.write(tell, b"x")
        signal.pause()
    fd = open_own(arena.name)
    try:
        assert os.read(ready, 1) == b"x"
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        arena.leave()
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for each in (fd, ready, tell):
            os.close(each)


def test_memory_refuses_accesses_outside(arena: Arena) -> None:
    memory = arena.memory
    for offset in (SIZE, SIZE - 4, 2**63):
        with pytest.raises((IndexError, ValueError)):
            memory.read_u64(offset)
    with pytest.raises(ValueError, match="aligned"):
        memory.read_u64(8193)
    with pytest.raises(IndexError):
        memory.write_bytes(SIZE - 1, b"ab")


def test_unlink_after_another_process(arena: Arena) -> None:
    posix_ipc.unlink_shared_memory(str(arena.name))
    arena.unlink()
    assert not arena.name.path.exists()
