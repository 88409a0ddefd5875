# SPDX-License-Identifier: MIT
"""Finding running systems and attaching to one, read-only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgpack
from iopf.emulator.board.layout import layout_hash
from iopf.emulator.board.snapshot import Snapshot
from iopf.shm.arena import Arena, ArenaError, Header, read_header
from iopf.shm.naming import Name, find_all, parse

META_BYTES = 65536


@dataclass(slots=True)
class Found:
    """A shared-memory object of this user: its name, its header if readable, else the reason why not."""

    name: Name
    header: Header | None
    trouble: str | None

    @property
    def alive(self) -> bool:
        return self.name.creator_alive


def systems() -> list[Found]:
    """All objects of this user, of running and dead systems."""
    found = []
    for name in find_all():
        try:
            found.append(Found(name, read_header(name), None))
        except ArenaError as error:
            found.append(Found(name, None, str(error)))
    return found


def read_meta(arena: Arena, snapshot: Snapshot) -> dict[str, Any]:
    """The supervisor's description of the run: name, seed, names of devices and tenants. Empty if unreadable."""
    offset = snapshot.meta_offset
    length = int.from_bytes(arena.memory.read_bytes(offset, 4), "little")
    if not 0 < length <= META_BYTES - 4:
        return {}
    try:
        meta = msgpack.unpackb(arena.memory.read_bytes(offset + 4, length))
    except (ValueError, msgpack.exceptions.ExtraData):
        return {}
    return meta if isinstance(meta, dict) else {}


def attach(wanted: str | None) -> tuple[Arena, Snapshot, dict[str, Any]]:
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
    arena = Arena.attach(name, layout_hash())
    snapshot = Snapshot(arena.memory)
    return arena, snapshot, read_meta(arena, snapshot)
