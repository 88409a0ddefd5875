# SPDX-License-Identifier: MIT
"""Encoding of a line as records, by the fields of its verb."""

from __future__ import annotations

from iopf.emulator.program.fields import Context
from iopf.emulator.program.lines import TRY, Line
from iopf.emulator.program.verbs import VERBS
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import Record

# Verbs that are several operations, in order.
_COMPOUND = {"rebind": ("unbind", "bind")}


def encode(line: Line, context: Context) -> list[Record]:
    """The records of a line outside a block's frame."""
    records = []
    for name in _COMPOUND.get(line.verb.name, (line.verb.name,)):
        verb = VERBS[name]
        if verb.record is None:
            raise ValueError(f"'{name}' is the frame of a block")
        records.append(verb.record.record(verb.op, line, context))
    if TRY not in line.flags:
        return records
    return [record._replace(flags=record.flags | spec.FLAG_TRY) for record in records]
