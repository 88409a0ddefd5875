# SPDX-License-Identifier: MIT
"""Actors with programs, and their names in a line: `t0`, `d3`, `k1`, or names of the scenario."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from iopf.emulator.program.errors import LineError
from iopf.emulator.scenario.errors import did_you_mean

DRIVERS_MAX = 8


class Kind(IntEnum):
    """Kinds of actors, with their numbers in bits 16 and up of DO_PASS's b."""

    TENANT = 1
    DEVICE = 2
    DRIVER = 3


LETTERS = {Kind.TENANT: "t", Kind.DEVICE: "d", Kind.DRIVER: "k"}


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """A process with a program: the n-th tenant, device or driver of the run."""

    kind: Kind
    index: int

    @property
    def packed(self) -> int:
        """The actor in records: kind << 16 | index."""
        return self.kind << 16 | self.index

    def __str__(self) -> str:
        return f"{LETTERS[self.kind]}{self.index}"


_SHORT = re.compile(r"(?P<letter>[tdk])(?P<index>0|[1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all devices and tenants of a run, ordered by number."""

    devices: Sequence[str]
    tenants: Sequence[str]

    def find(self, kind: Kind, word: str) -> int:
        """The number of the actor named `word`. Names of the scenario take precedence over `t0`.

        Raises LineError for an unknown name.
        """
        known = {Kind.DEVICE: self.devices, Kind.TENANT: self.tenants}.get(kind, ())
        if word in known:
            return list(known).index(word)
        limit = DRIVERS_MAX if kind == Kind.DRIVER else len(known)
        short = _SHORT.fullmatch(word)
        if short and short["letter"] == LETTERS[kind] and int(short["index"]) < limit:
            return int(short["index"])
        letter = LETTERS[kind]
        there = (
            f"expected {letter}0" if limit == 1 else f"expected {letter}0 to {letter}{limit - 1}"
        )
        hint = did_you_mean(word, known) or f"; {there}"
        raise LineError(f"no {kind.name.lower()} '{word}'{hint}")

    def actor(self, word: str) -> Actor:
        """The actor named by a prefix such as `t0:`. Raises LineError."""
        for kind, known in ((Kind.TENANT, self.tenants), (Kind.DEVICE, self.devices)):
            if word in known:
                return Actor(kind, list(known).index(word))
        for kind, letter in LETTERS.items():
            if word.startswith(letter) and word[1:].isdigit():
                return Actor(kind, self.find(kind, word))
        hint = did_you_mean(word, [*self.tenants, *self.devices])
        raise LineError(f"no tenant, device or driver '{word}'{hint}")


def default_names(devices: int, tenants: int) -> Names:
    """Names for programs outside a scenario: d0, d1 ... and t0, t1 ..."""
    return Names([f"d{i}" for i in range(devices)], [f"t{i}" for i in range(tenants)])
