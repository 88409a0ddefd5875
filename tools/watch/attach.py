# SPDX-License-Identifier: MIT
"""Finding running systems and attaching to one, read-only."""

from __future__ import annotations

from dataclasses import dataclass

import msgpack
from iopf.cython_ext.guard import Guard
from iopf.emulator.board.layout import layout_hash
from iopf.emulator.board.snapshot import Snapshot
from iopf.shm.arena import Arena, Header, read_header
from iopf.shm.naming import Name, parse
from iopf.shm.objects import ArenaError, find_all, in_use
from iopf.tools.closing import Closing
from iopf.tools.status import Status

META_BYTES = 65536


@dataclass(slots=True)
class Found:
    """A shared-memory object of this user: its name, its header if readable, else the reason why not."""

    name: Name
    header: Header | None
    trouble: str | None
    alive: bool


def systems() -> list[Found]:
    """All objects of this user, of running and dead systems."""
    found = []
    for name in find_all():
        try:
            found.append(Found(name, read_header(name), None, in_use(name)))
        except ArenaError as error:
            found.append(Found(name, None, str(error), in_use(name)))
    return found


class Board(Closing):
    """The board of a running system, open for reading. It may be overwritten or cut off at any time: call `check` after reading."""

    def __init__(self, name: Name) -> None:
        """Raises ArenaError."""
        self.name = name
        self.arena = Arena.attach(name, layout_hash())
        line = f"iopf: {name}: the board is damaged, and led to an invalid access; end its system\n"
        self._guard = Guard(self.arena.memory, line, "", Status.UNTRUSTED)
        try:
            self.snapshot = Snapshot(self.arena.memory)
            self.run_name, self.devices = _description(self.arena, self.snapshot)
            self.check()
        except ValueError as error:
            self.close()
            raise ArenaError(f"{name}: {error}", Status.UNTRUSTED) from None
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raises ArenaError if the board is not as its system has made it."""
        damage = "it was truncated" if self._guard.replaced else self.snapshot.damage()
        if damage is not None:
            raise ArenaError(
                f"{self.name}: the board is damaged ({damage}); end its system", Status.UNTRUSTED
            )

    def close(self) -> None:
        self._guard.close()


def _description(arena: Arena, snapshot: Snapshot) -> tuple[str, list[str]]:
    """The supervisor's name for the run and its devices. Empty if unreadable."""
    offset = snapshot.meta_offset
    length = int.from_bytes(arena.memory.read_bytes(offset, 4), "little")
    if not 0 < length <= META_BYTES - 4:
        return "", []
    try:
        raw = arena.memory.read_bytes(offset + 4, length)
        meta = msgpack.unpackb(raw, unicode_errors="surrogateescape")
    except (ValueError, msgpack.exceptions.UnpackException):
        return "", []
    if not isinstance(meta, dict) or not isinstance(meta.get("devices"), list):
        return "", []
    return str(meta.get("name", "")), [str(name) for name in meta["devices"]]


def attach(wanted: str | None) -> Board:
    """The given system (object name, or pid of its supervisor), or the only running one. Raises ArenaError."""
    running = [found for found in systems() if found.alive]
    if wanted is None:
        if len(running) != 1:
            names = ", ".join(str(found.name) for found in running)
            raise ArenaError(
                "no running system; start one with 'iopf run'"
                if not running
                else f"{len(running)} running systems: {names}; select one",
                2,
            )
        name = running[0].name
    else:
        by_pid = [found.name for found in running if wanted == str(found.name.pid)]
        parsed = by_pid[0] if by_pid else parse(wanted)
        if parsed is None:
            raise ArenaError(
                f"{wanted}: not the name of a system or the pid of its supervisor; 'iopf ps' lists running systems",
                2,
            )
        name = parsed
    return Board(name)
