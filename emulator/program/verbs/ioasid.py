# SPDX-License-Identifier: MIT
"""Verbs of the IOASID framework (v5.5 to v6.3); they run in a driver process.

A custom allocator stands for a vIOMMU, and its host for the number space behind the virtual command interface: allocators with the
same host and variant share a space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopf.emulator.board.ioasid import IOASID_IDS, VCMD_BACKENDS, IoasidStep
from iopf.emulator.program import words
from iopf.emulator.program.fields import Context, Fields, number
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.spec import program as spec

if TYPE_CHECKING:
    from iopf.emulator.program.lines import Line

_ALLOCATOR = Word("allocator", words.number(1, 0xFFFF))
_SET = Word("set", words.number(0, 0xFFFF), default=0)
_ID = Word("id", words.number(0, IOASID_IDS - 1))
_STEPS = {
    "host": int(IoasidStep.STEP_HOST),
    "repeat": int(IoasidStep.STEP_REPEAT),
    "record": int(IoasidStep.STEP_RECORD),
}
_PRIVATE = Word("private", words.number(0, 0xFFFFFFFF), default=0)


def _function(line: Line, _context: Context) -> int:
    """The number of the function pair: variant << 8 | host + 1."""
    return line.number("variant") << 8 | line.number("host") + 1


VERBS = (
    Verb(
        "ioasid-register",
        spec.DO_IOASID_REGISTER,
        Runs.DRIVER,
        (_ALLOCATOR,),
        "ioasid_register_allocator of a vIOMMU; the same host and variant share an id space",
        (
            Word("host", words.number(0, VCMD_BACKENDS - 1), default=0),
            Word("variant", words.number(0, 0xFF), default=0),
            Word("pdata", words.number(1, 0xFFFFFFFF), default=1),
        ),
        record=Fields(arg=number("allocator"), a=_function, b=number("pdata")),
    ),
    Verb(
        "ioasid-unregister",
        spec.DO_IOASID_UNREGISTER,
        Runs.DRIVER,
        (_ALLOCATOR,),
        "ioasid_unregister_allocator; with the last of a space its ids are lost",
        record=Fields(arg=number("allocator")),
    ),
    Verb(
        "viommu-unplug",
        spec.DO_IOASID_UNREGISTER,
        Runs.DRIVER,
        (_ALLOCATOR,),
        "hot unplug of a vIOMMU, which unregisters its allocator",
        record=Fields(arg=number("allocator")),
    ),
    Verb(
        "ioasid-alloc",
        spec.DO_IOASID_ALLOC,
        Runs.DRIVER,
        (),
        "ioasid_alloc: the lowest free id from min to max; returns it",
        (
            _SET,
            Word("min", words.number(0, IOASID_IDS - 1), default=1),
            Word("max", words.number(0, IOASID_IDS - 1), default=IOASID_IDS - 1),
            _PRIVATE,
        ),
        record=Fields(arg=number("set"), a=number("min"), b=number("max"), c=number("private")),
    ),
    Verb(
        "ioasid-find",
        spec.DO_IOASID_FIND,
        Runs.DRIVER,
        (),
        "ioasid_find; returns the private data",
        (_SET, _ID),
        record=Fields(arg=number("set"), a=number("id")),
    ),
    Verb(
        "ioasid-set",
        spec.DO_IOASID_SET,
        Runs.DRIVER,
        (),
        "ioasid_set_data",
        (_ID, _PRIVATE),
        record=Fields(a=number("id"), b=number("private")),
    ),
    Verb(
        "ioasid-free",
        spec.DO_IOASID_FREE,
        Runs.DRIVER,
        (),
        "ioasid_free; an unknown id is ignored",
        (_ID,),
        record=Fields(a=number("id")),
    ),
    Verb(
        "ioasid-fail",
        spec.DO_IOASID_FAIL,
        Runs.DRIVER,
        (Word("step", words.one_of(_STEPS, "STEP")),),
        "makes the n-th next step fail; STEP: host (it refuses), repeat (it gives its last number again), record (no memory)",
        (
            Word("nth", words.number(1, 0xFFFF), default=1),
            Word("host", words.number(0, VCMD_BACKENDS - 1), default=0),
        ),
        record=Fields(arg=number("step"), a=number("nth"), b=number("host")),
    ),
)
