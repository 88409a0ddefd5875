# SPDX-License-Identifier: MIT
"""The IOASID allocator as a sequential program: result of each call, one call at a time.

Source: drivers/iommu/ioasid.c of Linux v5.5 to v5.17. To be read beside ``emulator/kernel/ioasid/ioasid.pxd``, which describes
concurrency.

    framework   a default space, and a list of custom spaces in order of registration
    space       id -> Entry; a custom one belongs to all ops with its pair of functions
    active      the first space of the list; the default one while the list is empty
    host        allocates numbers for the ops that use it; the framework records them in its own space

An ops is anything comparable that identifies it; a function is a number whose low byte minus one is the host it uses. Allocation
failures, exhausted numbers and a full table have the same result: ``INVALID_IOASID`` or -ENOMEM.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from iopf.emulator.board.ioasid import (
    IOASID_ALLOCATORS,
    IOASID_IDS,
    IOASID_OBJECTS,
    IOASID_SHARERS,
    VCMD_BACKENDS,
)

INVALID_IOASID = 0xFFFFFFFF
Getter = Callable[[int], bool]


@dataclass(slots=True)
class Entry:
    """An allocated id: its set, its owner's private data, its reference count."""

    set: int
    private: int
    refs: int = 1


@dataclass(slots=True)
class Ops:
    """``ioasid_allocator_ops``: two functions, and their data."""

    ident: int
    alloc_fn: int
    free_fn: int
    pdata: int

    @property
    def functions(self) -> tuple[int, int]:
        return self.alloc_fn, self.free_fn


@dataclass(slots=True)
class Space:
    """Ids, and the ops that share them, first registered first. The default space has no ops."""

    sharers: list[Ops] = field(default_factory=list)
    ids: dict[int, Entry] = field(default_factory=dict)


def due(nth: int) -> tuple[int, bool]:
    """Count an injection down: what is left of it, and whether this step is the one."""
    return max(nth - 1, 0), nth == 1


@dataclass(slots=True)
class Host:
    """A host's numbers: lowest first, each allocated once. It can be told to refuse, or to give its last number again."""

    out: set[int] = field(default_factory=set)
    refuse_nth: int = 0
    repeat_nth: int = 0
    last: int = 0
    bad_frees: int = 0

    def alloc(self, least: int, most: int) -> int:
        self.refuse_nth, refused = due(self.refuse_nth)
        if refused:
            return INVALID_IOASID
        self.repeat_nth, repeated = due(self.repeat_nth)
        if repeated and self.last in self.out:
            return self.last
        free = (n for n in range(least, min(most, IOASID_IDS - 1) + 1) if n not in self.out)
        number = next(free, INVALID_IOASID)
        if number != INVALID_IOASID:
            self.out.add(number)
            self.last = number
        return number

    def free(self, number: int) -> None:
        self.bad_frees += number not in self.out
        self.out.discard(number)


class IoasidModel:
    """The framework. ``record_fail_nth``: the n-th next record of a number fails for lack of memory."""

    def __init__(self) -> None:
        self.default = Space()
        self.spaces: list[Space] = []
        self.hosts = [Host() for _ in range(VCMD_BACKENDS)]
        self.record_fail_nth = 0
        self.warnings = self.ids_lost = self.unknown = 0

    @property
    def active(self) -> Space:
        return self.spaces[0] if self.spaces else self.default

    def host(self, function: int) -> Host:
        return self.hosts[(function & 0xFF) - 1]

    # Allocators

    def register(self, ops: Ops) -> int:
        """Register an allocator: 0. Already registered: -EEXIST. The first custom one while ids of the default space are allocated:
        -EAGAIN, because the new space must start empty. No room: -ENOMEM. No such function: -EINVAL."""
        if not ops.ident or any(not 1 <= fn & 0xFF <= VCMD_BACKENDS for fn in ops.functions):
            return -errno.EINVAL
        if len(self.spaces) == IOASID_ALLOCATORS:
            return -errno.ENOMEM
        if any(ops.ident == each.ident for space in self.spaces for each in space.sharers):
            return -errno.EEXIST
        if not self.spaces and self.default.ids:
            return -errno.EAGAIN
        for space in self.spaces:
            if space.sharers[0].functions == ops.functions:
                if len(space.sharers) == IOASID_SHARERS:
                    return -errno.ENOMEM
                space.sharers.append(ops)
                return 0
        self.spaces.append(Space([ops]))
        return 0

    def unregister(self, ident: int) -> None:
        """Unregister an allocator. While others share its space, its ids stay. With the last one the space is freed, and the next of the
        list becomes active; its allocated ids are lost, and their numbers stay allocated at the host."""
        for space in self.spaces:
            if any(ops.ident == ident for ops in space.sharers):
                space.sharers = [ops for ops in space.sharers if ops.ident != ident]
                if not space.sharers:
                    self.spaces.remove(space)
                    self.warnings += bool(space.ids)
                    self.ids_lost += len(space.ids)
                return
        self.unknown += 1

    # Ids, all in the active space

    def alloc(self, set_: int, least: int, most: int, private: int) -> int:
        """Allocate the lowest free number of [least, most] in the default space; in a custom one, the host's choice. A number that cannot
        be recorded is returned to the host, and the caller gets none."""
        space = self.active
        if sum(len(each.ids) for each in [self.default, *self.spaces]) == IOASID_OBJECTS:
            return INVALID_IOASID
        if space.sharers:
            number = self.host(space.sharers[0].alloc_fn).alloc(least, most)
        else:
            last = min(most, IOASID_IDS - 1)
            free = (n for n in range(least, last + 1) if n not in space.ids)
            number = next(free, INVALID_IOASID)
        if number == INVALID_IOASID:
            return INVALID_IOASID
        failed = False
        if least <= number <= most:
            self.record_fail_nth, failed = due(self.record_fail_nth)
        if failed or number in space.ids or not least <= number <= most:
            if space.sharers:
                self.host(space.sharers[0].free_fn).free(number)
            return INVALID_IOASID
        space.ids[number] = Entry(set_, private)
        return number

    def free(self, number: int) -> None:
        """Free an id, whatever its count. An unknown id is an error message."""
        space = self.active
        if number not in space.ids:
            self.unknown += 1
            return
        if space.sharers:
            self.host(space.sharers[0].free_fn).free(number)
        del space.ids[number]

    def get(self, number: int) -> None:
        if number in self.active.ids:
            self.active.ids[number].refs += 1
        else:
            self.unknown += 1

    def put(self, number: int) -> bool:
        """Drop a reference; true if it was the last one and the id was freed."""
        entry = self.active.ids.get(number)
        if entry is None:
            self.unknown += 1
            return False
        entry.refs -= 1
        if entry.refs == 0:
            self.free(number)
        return entry.refs == 0

    def find(self, set_: int, number: int, getter: Getter | None = None) -> tuple[int, int]:
        """Look up an id: (0, private); (0, 0) if the getter rejects it; (-ENOENT, 0) for an unknown id; (-EACCES, 0) for one of another
        set. Set 0 matches any."""
        entry = self.active.ids.get(number)
        if entry is None:
            return -errno.ENOENT, 0
        if set_ and entry.set != set_:
            return -errno.EACCES, 0
        if getter is not None and not getter(entry.private):
            return 0, 0
        return 0, entry.private

    def set_data(self, number: int, private: int) -> int:
        if number not in self.active.ids:
            return -errno.ENOENT
        self.active.ids[number].private = private
        return 0
