# SPDX-License-Identifier: MIT
"""The fields of a record, from the words of a line.

Each verb says in its row which field holds what (`Fields`); numbers and meaning are those of `emulator/spec/program.pxd`. A source
takes the line and its context and returns the value of one field. Page numbers (`at=`) count from PROGRAM_BASE in pages of 4096 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import PAGE_BYTES, Record, map_arg

if TYPE_CHECKING:
    from iopf.emulator.program.groups import Labels
    from iopf.emulator.program.lines import Line

PROGRAM_BASE = 0x1000_0000_0000


@dataclass(frozen=True, slots=True)
class Context:
    """What a line refers to besides itself: group labels of the devices, names of all barriers."""

    labels: Labels
    barriers: Sequence[str]


Source = Callable[["Line", Context], int]


@dataclass(frozen=True, slots=True)
class Fields:
    """The sources of a record's fields; a field without a source is 0."""

    flags: Source | None = None
    arg: Source | None = None
    a: Source | None = None
    b: Source | None = None
    c: Source | None = None
    d: Source | None = None

    def record(self, op: int, line: Line, context: Context) -> Record:
        """The record of a line."""

        def value(source: Source | None) -> int:
            return source(line, context) if source is not None else 0

        return Record(
            op,
            flags=value(self.flags),
            arg=value(self.arg),
            a=value(self.a),
            b=value(self.b),
            c=value(self.c),
            d=value(self.d),
        )


def number(name: str) -> Source:
    """The value of a word that is always there."""
    return lambda line, _context: line.number(name)


def maybe(name: str) -> Source:
    """The value of a word, 0 without it."""
    return lambda line, _context: line.maybe(name) or 0


def plus_one(name: str) -> Source:
    """The value of a word + 1, 0 without it."""

    def source(line: Line, _context: Context) -> int:
        value = line.maybe(name)
        return 0 if value is None else value + 1

    return source


def given(flag: str) -> Source:
    """1 with the flag, else 0."""
    return lambda line, _context: int(flag in line.flags)


def start(line: Line, _context: Context) -> int:
    """The byte address of `at=`."""
    return PROGRAM_BASE + line.number("at") * PAGE_BYTES


def end(line: Line, context: Context) -> int:
    """The byte address behind the pages from `at=` on."""
    return start(line, context) + line.number("pages") * PAGE_BYTES


def mapping(line: Line, _context: Context) -> int:
    """Protection and kind of an anonymous mapping."""
    return map_arg(line.number("prot"), anonymous=True)


def access_flags(line: Line, _context: Context) -> int:
    """The access, and whether it has no PASID."""
    return line.number("rw") | (spec.FLAG_RID if "rid" in line.flags else 0)


def request_flags(line: Line, context: Context) -> int:
    """The access, whether the last request is the last of its group, and whether the function retries."""
    retry = spec.FLAG_RETRY if "retry" in line.flags else 0
    return access_flags(line, context) | retry | (0 if "open" in line.flags else spec.FLAG_LAST)


def requests(line: Line, context: Context) -> int:
    """pages | label << 16 | (prgi + 1) << 32."""
    label = context.labels.number(line.number("device"), line.label)
    return line.number("pages") | label << 16 | plus_one("prgi")(line, context) << 32


def event(line: Line, _context: Context) -> int:
    """prgi | type << 16."""
    return line.number("prgi") | line.number("type") << 16


def label_plus_one(line: Line, context: Context) -> int:
    """The number of the group's label + 1, 0 without one."""
    if line.label is None:
        return 0
    return context.labels.number(line.number("device"), line.label) + 1


def barrier(line: Line, context: Context) -> int:
    """The place of the barrier among the names of all."""
    return context.barriers.index(str(line.values["name"]))
