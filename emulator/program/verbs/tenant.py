# SPDX-License-Identifier: MIT
"""Verbs that run in a tenant."""

from __future__ import annotations

from iopf.emulator.program import words
from iopf.emulator.program.fields import Fields, end, given, mapping, maybe, number, plus_one, start
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.program.verbs.operands import (
    AT,
    CODE,
    COUNT,
    DOMAIN,
    MAYBE_PASID,
    PAGES,
    PROT,
    SINK,
    D,
    F,
    T,
)
from iopf.emulator.spec import program as spec

_SPAN = Fields(a=start, b=end)
_PROTECTED = Fields(arg=number("prot"), a=start, b=end)
_DEVICE = Fields(arg=number("device"))
_OBJECT = Fields(arg=number("fault"))
_ATTACHMENT = Fields(
    arg=number("device"), a=maybe("pasid"), b=number("domain"), c=plus_one("fault")
)

VERBS = (
    Verb(
        "map",
        spec.DO_MAP,
        Runs.TENANT,
        (T, PAGES),
        "maps anonymous memory; prot: rw",
        (AT, PROT),
        record=Fields(arg=mapping, a=start, b=end),
    ),
    Verb(
        "unmap",
        spec.DO_UNMAP,
        Runs.TENANT,
        (T, PAGES),
        "unmaps; holes are legal",
        (AT,),
        record=_SPAN,
    ),
    Verb(
        "protect",
        spec.DO_PROTECT,
        Runs.TENANT,
        (T, PAGES),
        "changes the protection",
        (AT, PROT),
        record=_PROTECTED,
    ),
    Verb(
        "zap",
        spec.DO_ZAP,
        Runs.TENANT,
        (T, PAGES),
        "drops pages, keeps mappings",
        (AT,),
        record=_SPAN,
    ),
    Verb(
        "touch",
        spec.DO_TOUCH,
        Runs.TENANT,
        (T, PAGES),
        "the CPU's own accesses",
        (AT, PROT),
        record=_PROTECTED,
    ),
    Verb(
        "bind",
        spec.DO_BIND,
        Runs.TENANT,
        (D, T),
        "shares the address space with the device",
        record=_DEVICE,
    ),
    Verb(
        "unbind",
        spec.DO_UNBIND,
        Runs.TENANT,
        (D, T),
        "ends one bind; drains the PASID",
        record=_DEVICE,
    ),
    Verb(
        "rebind",
        spec.DO_BIND,
        Runs.TENANT,
        (D, T),
        "unbind, then bind",
        record=_DEVICE,
    ),
    Verb(
        "exec",
        spec.DO_EXEC,
        Runs.TENANT,
        (T,),
        "replaces the address space by an empty one",
        record=Fields(),
    ),
    Verb(
        "exit",
        spec.DO_EXIT,
        Runs.TENANT,
        (T,),
        "the process exits; implicit at the end of a program",
        record=Fields(),
    ),
    Verb(
        "spawn",
        spec.DO_SPAWN,
        Runs.TENANT,
        (T,),
        "the process exits and a new one starts, empty",
        record=Fields(),
    ),
    Verb(
        "fork",
        spec.DO_FORK,
        Runs.TENANT,
        (T, Word("child", words.TENANT)),
        "starts the second tenant with a copy of the mappings",
        record=Fields(arg=number("child")),
    ),
    Verb(
        "wait-devices",
        spec.DO_WAIT_DEVICES,
        Runs.TENANT,
        (T,),
        "waits until its devices have finished",
        record=Fields(),
    ),
    Verb(
        "fault-alloc",
        spec.DO_FAULT_ALLOC,
        Runs.TENANT,
        (T, F),
        "opens a fault object",
        record=_OBJECT,
    ),
    Verb(
        "fault-close",
        spec.DO_FAULT_CLOSE,
        Runs.TENANT,
        (T, F),
        "closes its file descriptor",
        record=_OBJECT,
    ),
    Verb(
        "attach",
        spec.DO_ATTACH,
        Runs.TENANT,
        (D, T),
        "attaches a domain to a PASID or to the RID; domain=fault needs fault=F",
        (MAYBE_PASID, DOMAIN, SINK),
        ("rid",),
        exactly=("pasid", "rid"),
        record=_ATTACHMENT,
    ),
    Verb(
        "replace",
        spec.DO_REPLACE,
        Runs.TENANT,
        (D, T),
        "replaces the attached domain, atomically for DMA",
        (MAYBE_PASID, DOMAIN, SINK),
        ("rid",),
        exactly=("pasid", "rid"),
        record=_ATTACHMENT,
    ),
    Verb(
        "detach",
        spec.DO_DETACH,
        Runs.TENANT,
        (D, T),
        "detaches the domain",
        (MAYBE_PASID,),
        ("rid",),
        exactly=("pasid", "rid"),
        record=Fields(arg=number("device"), a=maybe("pasid")),
    ),
    Verb(
        "read",
        spec.DO_FAULT_READ,
        Runs.TENANT,
        (F, T),
        "reads faults from a fault object into a buffer of N bytes; unmapped: the copy fails",
        (Word("bytes", words.number(0, 1 << 20)),),
        ("unmapped",),
        record=Fields(arg=number("fault"), a=number("bytes"), b=given("unmapped")),
    ),
    Verb(
        "write",
        spec.DO_FAULT_WRITE,
        Runs.TENANT,
        (F, T),
        "answers the group of the n-th cookie that all reads of F have returned (from 0), or of a given "
        "cookie; a read returns nothing while no group waits",
        (
            Word("nth", words.number(0, 0xFFFFFFFF), optional=True),
            Word("cookie", words.number(0, 0xFFFFFFFF), optional=True),
            CODE,
        ),
        at_most=("nth", "cookie"),
        record=Fields(arg=number("fault"), a=maybe("nth"), b=number("code"), c=plus_one("cookie")),
    ),
    Verb(
        "serve",
        spec.DO_SERVE,
        Runs.TENANT,
        (F, T),
        "reads and answers N groups, as a VMM does",
        (Word("groups", COUNT), Word("code", words.one_of({"success": 0, "invalid": 1}))),
        record=Fields(arg=number("fault"), a=number("groups"), b=number("code")),
    ),
)
