# SPDX-License-Identifier: MIT
"""The arena: one POSIX shared-memory object with the whole board of a system.

The first page is a header, written by the creator and read by every process that attaches:

    magic           8 bytes
    layout version  u32   changes with the meaning of the layout
    state           u32   1 being created, 2 ready, 3 of a laboratory; written last
    layout hash     u64   changes with the size of any shared structure
    size            u64   bytes of the whole object
    creator pid     u64, start time u64 (clock ticks since boot), creation time u64 (ns since the epoch)
Everything else starts at ``BOARD_OFFSET``. The object has mode 0600, is created exclusively, and its memory is reserved before the first
access, so that a full /dev/shm is an error here and not a SIGBUS later.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
import time
from dataclasses import dataclass

import posix_ipc
from iopf.cython_ext.memory import Memory
from iopf.shm.naming import SHM_DIR, Name, own_name
from iopf.shm.objects import ArenaError, cannot, hold, open_own, remove

MAGIC = b"IOPFBRD\x01"
LAYOUT_VERSION = 1
BOARD_OFFSET = 4096
STATE_CREATING = 1
STATE_READY = 2
STATE_CONTROLLED = 3
_HEADER = struct.Struct("<8sIIQQQQQ")
_STATE_OFFSET = 12


@dataclass(frozen=True, slots=True)
class Header:
    version: int
    state: int
    layout_hash: int
    size: int
    creator_pid: int
    creator_start: int
    created_ns: int


class Arena:
    """A mapped arena. ``create`` creates one, ``attach`` opens one of this build; ``close`` unmaps, ``unlink`` removes the name."""

    def __init__(
        self,
        name: Name,
        mapping: mmap.mmap,
        header: Header,
        writable: bool,
        held: int | None = None,
    ) -> None:
        self.name = name
        self.header = header
        self._mapping = mapping
        self._held = held  # the creator's descriptor with the lock
        self.memory = Memory(mapping, writable=writable)

    @classmethod
    def create(cls, size: int, layout_hash: int, *, name: Name | None = None) -> Arena:
        """Create a zeroed arena of ``size`` bytes. Raises ArenaError (status 3) if the machine has too little memory."""
        name = name or own_name()
        fd, held = _created(name)
        try:
            _reserve(fd, size)
            mapping = mmap.mmap(fd, size)
        except OSError as error:
            os.close(held)
            remove(name)
            raise _no_room(error, size) from error
        finally:
            os.close(fd)
        header = Header(
            LAYOUT_VERSION,
            STATE_CREATING,
            layout_hash,
            size,
            name.pid,
            name.started,
            time.time_ns(),
        )
        _HEADER.pack_into(mapping, 0, MAGIC, *_fields(header))
        return cls(name, mapping, header, writable=True, held=held)

    @classmethod
    def attach(cls, name: Name, layout_hash: int, *, writable: bool = False) -> Arena:
        """Open the arena of a running system. Raises ArenaError if it has ended, is foreign, incomplete, truncated or of another build."""
        fd = _opened(name, writable)
        try:
            header = _check(name, fd)
            return cls(name, cls._map(name, fd, header, layout_hash, writable), header, writable)
        finally:
            os.close(fd)

    @staticmethod
    def _map(name: Name, fd: int, header: Header, layout_hash: int, writable: bool) -> mmap.mmap:
        if header.version != LAYOUT_VERSION or header.layout_hash != layout_hash:
            raise ArenaError(
                f"{name}: made by another build (layout {header.version}/{header.layout_hash:x}, "
                f"this is {LAYOUT_VERSION}/{layout_hash:x}); use the build that started it",
                4,
            )
        if header.state == STATE_CONTROLLED:
            raise ArenaError(
                f"{name}: belongs to a search for schedules, which prints its own progress; nothing to watch",
                2,
            )
        if header.state != STATE_READY:
            raise ArenaError(f"{name}: not ready; its system is starting, or died during its start")
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        try:
            return mmap.mmap(fd, header.size, access=access)
        except (OSError, ValueError) as error:
            raise ArenaError(f"{name}: cannot map the board: {error}") from None

    def publish(self) -> None:
        """Mark the board as complete, so that others may attach."""
        self.memory.write_u32(_STATE_OFFSET, STATE_READY)

    def publish_controlled(self) -> None:
        """Mark the board as that of a laboratory, whose schedules restore it all the time: other processes do not attach."""
        self.memory.write_u32(_STATE_OFFSET, STATE_CONTROLLED)

    def truncated(self) -> bool:
        """Whether the object has become shorter than the board, so that accesses behind its end are fatal. For the creator."""
        return self._held is not None and os.fstat(self._held).st_size < self.header.size

    def leave(self) -> None:
        """For a child of the creator: close its copy of the lock, which is the creator's alone."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def close(self) -> None:
        self.memory.close()
        self._mapping.close()
        self.leave()

    def unlink(self) -> None:
        """Remove the name; the memory is freed with the last process that maps it. No error if another process was faster."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name.path)
        self.leave()


def _created(name: Name) -> tuple[int, int]:
    """A descriptor of the new, empty object, and one that holds the lock. Raises ArenaError."""
    while True:
        try:
            fd = posix_ipc.SharedMemory(str(name), posix_ipc.O_CREX, mode=0o600).fd
        except posix_ipc.ExistentialError:
            raise ArenaError(
                f"{name}: already exists; run 'iopf clean', or end the system that uses it"
            ) from None
        except (PermissionError, posix_ipc.PermissionsError):
            raise ArenaError(
                f"{SHM_DIR}: no permission to create shared memory; check its mount and mode"
            ) from None
        except OSError as error:
            raise cannot("create shared memory", error) from error
        os.fchmod(fd, 0o600)  # whatever the umask is
        held = hold(name)
        if held is not None:
            return int(fd), held
        os.close(
            fd
        )  # a start in another pid namespace has taken the object for a dead one, before the lock


def _fields(header: Header) -> tuple[int, ...]:
    return (
        header.version,
        header.state,
        header.layout_hash,
        header.size,
        header.creator_pid,
        header.creator_start,
        header.created_ns,
    )


def _reserve(fd: int, size: int) -> None:
    os.ftruncate(fd, size)
    os.posix_fallocate(fd, 0, size)


def _no_room(error: OSError, size: int) -> ArenaError:
    usage = os.statvfs(SHM_DIR)
    free = usage.f_bavail * usage.f_frsize
    if error.errno in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG, errno.EDQUOT):
        return ArenaError(
            f"{SHM_DIR}: the board needs {size / 2**20:.1f} MiB and {free / 2**20:.1f} MiB are free; "
            "use fewer devices, run 'iopf clean', or enlarge it (mount -o remount,size=…)"
        )
    return ArenaError(f"{SHM_DIR}: cannot map the board: {os.strerror(error.errno or 0)}")


def read_header(name: Name) -> Header:
    """Read and check the header of an object. Raises ArenaError."""
    fd = _opened(name, writable=False)
    try:
        return _check(name, fd)
    finally:
        os.close(fd)


def _opened(name: Name, writable: bool) -> int:
    try:
        return open_own(name, writable=writable)
    except FileNotFoundError:
        raise ArenaError(f"{name}: no such system; 'iopf ps' lists running systems", 2) from None


def _check(name: Name, fd: int) -> Header:
    raw = os.pread(fd, _HEADER.size, 0)
    length = os.fstat(fd).st_size
    if len(raw) < _HEADER.size or raw[:8] == bytes(8):
        raise ArenaError(f"{name}: not ready; its system is starting, or died during its start")
    magic, *fields = _HEADER.unpack(raw)
    if magic != MAGIC:
        raise ArenaError(
            f"{name}: not a board of this program (wrong magic number); remove the file if it is unused"
        )
    header = Header(*fields)
    if header.size != length or length < BOARD_OFFSET:
        raise ArenaError(f"{name}: truncated ({length} of {header.size} bytes); run 'iopf clean'")
    return header
