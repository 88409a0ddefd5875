# SPDX-License-Identifier: MIT
"""Objects in /dev/shm that carry a name of this program: which are ours, and which of those are in use.

A name proves nothing: any user may create any name. An object is ours if it is a plain file of this user with mode 0600 and one name;
nothing else is opened for its contents, attached to or removed. Nothing here follows a link or waits for the other end of a FIFO.

The creator holds an advisory lock (flock) on its object as long as it lives. The lock also tells systems in other pid namespaces that
share /dev/shm, where the pid in the name means nothing. Children close their copy of the descriptor, so the lock ends with the creator.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from dataclasses import dataclass

from iopf.shm.naming import SHM_DIR, Name, parse


class ArenaError(Exception):
    """One line: what happened, where, what to do. ``status``: the exit status."""

    def __init__(self, message: str, status: int = 3) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Foreign:
    """An object with a name of ours that is not ours, and why."""

    name: Name
    reason: str


def cannot(do: str, error: OSError) -> ArenaError:
    return ArenaError(
        f"{SHM_DIR}: cannot {do}: {os.strerror(error.errno or 0)}; check how it is mounted"
    )


def trouble_of(status: os.stat_result) -> str | None:
    """Why an object is not ours; None if it is."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a plain file"
    if status.st_uid != os.getuid():
        return f"belongs to user {status.st_uid}"
    if stat.S_IMODE(status.st_mode) != 0o600:
        return f"has mode {stat.S_IMODE(status.st_mode):04o}, not 0600"
    if status.st_nlink > 1:
        return "has a second name"
    return None


def open_own(name: Name, *, writable: bool = False) -> int:
    """A descriptor of an object of ours. Raises FileNotFoundError, ArenaError (it is not ours)."""
    flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name.path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise not_ours(name, "is a link") from None
        found = trouble_of(os.lstat(name.path)) or os.strerror(error.errno or 0)
        raise not_ours(name, found) from None
    reason = trouble_of(os.fstat(fd))
    if reason is not None:
        os.close(fd)
        raise not_ours(name, reason)
    return fd


def not_ours(name: Name, reason: str) -> ArenaError:
    return ArenaError(f"{name}: {reason}, so it is no system of this user; it is left alone")


def scan() -> tuple[list[Name], list[Foreign]]:
    """All objects of this user, oldest creator first, and those that only have such a name. Raises ArenaError."""
    try:
        entries = sorted(os.listdir(SHM_DIR))
    except OSError as error:
        raise cannot("list it", error) from error
    ours, foreign = [], []
    for name in filter(None, map(parse, entries)):
        if name.uid != os.getuid():
            continue
        try:
            reason = trouble_of(os.lstat(name.path))
        except FileNotFoundError:
            continue
        if reason is None:
            ours.append(name)
        else:
            foreign.append(Foreign(name, reason))
    return sorted(ours, key=lambda name: (name.started, name.serial)), foreign


def find_all() -> list[Name]:
    """All objects of this user on the machine, oldest creator first. Raises ArenaError."""
    return scan()[0]


def hold(name: Name) -> int | None:
    """Take the creator's lock: a descriptor of its own, whose copies a child can close. None if the object was removed before: a start
    elsewhere saw no lock on it yet."""
    try:
        fd = open_own(name)
    except FileNotFoundError:
        return None
    fcntl.flock(fd, fcntl.LOCK_EX)
    if name.path.exists() and os.path.samestat(os.lstat(name.path), os.fstat(fd)):
        return fd
    os.close(fd)
    return None


def in_use(name: Name) -> bool:
    """Whether the creator lives: by its pid, or by the lock where the pid is of another namespace."""
    if name.creator_alive:
        return True
    try:
        fd = open_own(name)
    except (FileNotFoundError, ArenaError):
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def dead_objects() -> list[Name]:
    """Objects of this user whose creator is dead, including incomplete ones. Raises ArenaError."""
    return [name for name in find_all() if not in_use(name)]


def remove(name: Name) -> bool:
    """Remove an object of ours; false if another process was faster. Raises ArenaError."""
    try:
        reason = trouble_of(os.lstat(name.path))
        if reason is not None:
            raise not_ours(name, reason)
        os.unlink(name.path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot(f"remove {name}", error) from error
    return True
