# SPDX-License-Identifier: MIT
"""Programs of tenants and devices: operations, flags, and the 48-byte record they are packed in.

A program is a sequence of records ``<HHIQQQQQ`` = op, flags, arg, t_ns, a, b, c, d in little
endian.  Tenants and devices execute their program in order.  Two rules tie the programs together:

* A ``REQUEST`` carries in ``b`` an *epoch*: the device sends it only after its tenant has done at
  least that many records of the tenant program.
* A ``GATE`` carries in ``a`` the number of page request groups of this tenant, counted over all
  devices from the start of the run, that must be finished before the tenant continues.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import NamedTuple

from iopf.emulator.spec import program as spec

RECORD = struct.Struct("<HHIQQQQQ")
RECORD_BYTES = RECORD.size
PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT


class Op(IntEnum):
    """Operations of replayed tenants and devices; numbers of `emulator/spec/program.pxd`.

    ``MAP``     a=start, b=end, arg=attributes (see :func:`map_arg`); the range is free by then.
    ``UNMAP``   a=start, b=end; holes in the range are legal, as for munmap(2).
    ``PROTECT`` a=start, b=end, arg=prot; the range is mapped without holes.
    ``ZAP``     a=start, b=end; pages go, mappings stay (MADV_DONTNEED, MADV_FREE).
    ``MREMAP``  a=old start, b=old end, c=new start, d=new end; the new range is free and is not
                shorter than the old one; what is longer extends the last mapping moved.
    ``FORK``    arg=tenant index of the child, which starts with a copy of the mappings.
    ``EXEC``    the address space is replaced by an empty one, with a PASID of its own.
    ``EXIT``    the address space goes; always the last record.
    ``BIND``, ``UNBIND``  arg=device index.
    ``NEW_MM``  first record of a tenant that no fork in the trace created.
    ``WAIT_FORK``  first record of a forked tenant: wait for the parent's ``FORK``.
    ``GATE``    a=number of groups of this tenant that must be finished before it continues.
    ``WAIT_DEVICES``  until every device of the tenant has finished its workload (synthetic tenants).
    ``REQUEST`` flags=:class:`Flag`, arg=tenant index, a=address (page aligned), b=epoch, c=line
                number in the trace, t_ns=arrival.
    """

    MAP = spec.DO_MAP
    UNMAP = spec.DO_UNMAP
    PROTECT = spec.DO_PROTECT
    ZAP = spec.DO_ZAP
    MREMAP = spec.DO_MREMAP
    FORK = spec.DO_FORK
    EXEC = spec.DO_EXEC
    EXIT = spec.DO_EXIT
    BIND = spec.DO_BIND
    UNBIND = spec.DO_UNBIND
    NEW_MM = spec.DO_NEW_MM
    WAIT_FORK = spec.DO_WAIT_FORK
    GATE = spec.DO_GATE
    WAIT_DEVICES = spec.DO_WAIT_DEVICES
    REQUEST = spec.DO_REQUEST


class Flag(IntFlag):
    """What a request asks for, and whether it is the last one of its group."""

    READ = 1
    WRITE = 2
    EXEC = 4
    PRIV = 8
    LAST = 16


class Prot(IntFlag):
    """Protection of a mapping, with the values of mmap(2); same bits as in :class:`Flag`."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXEC = 4


PROT_MASK = 7
SHARED = 1 << 8
ANONYMOUS = 1 << 9
GROWSDOWN = 1 << 10
IMPLICIT = 1 << 11


def map_arg(
    prot: int,
    *,
    shared: bool = False,
    anonymous: bool = False,
    growsdown: bool = False,
    implicit: bool = False,
) -> int:
    """Return the attributes of a mapping as ``MAP`` carries them in arg."""
    return (
        (prot & PROT_MASK)
        | (SHARED if shared else 0)
        | (ANONYMOUS if anonymous else 0)
        | (GROWSDOWN if growsdown else 0)
        | (IMPLICIT if implicit else 0)
    )


class Record(NamedTuple):
    """One record of a program; a field without a meaning for its operation is 0."""

    op: int
    flags: int = 0
    arg: int = 0
    t_ns: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0


def pack(records: Iterable[Record]) -> bytes:
    """Return the records packed one after the other, 48 bytes each.

    A field out of range raises struct.error.
    """
    packed = bytearray()
    for record in records:
        packed += RECORD.pack(*record)
    return bytes(packed)


def unpack(program: bytes) -> list[Record]:
    """Return the records of a packed program.

    A length that is no multiple of 48, or an unknown operation, raises ValueError.
    """
    if len(program) % RECORD_BYTES:
        raise ValueError(f"program of {len(program)} bytes is not a multiple of {RECORD_BYTES}")
    records = [Record(*fields) for fields in RECORD.iter_unpack(program)]
    for index, record in enumerate(records):
        if record.op not in Op.__members__.values():
            raise ValueError(f"record {index} has the unknown operation {record.op}")
    return records
