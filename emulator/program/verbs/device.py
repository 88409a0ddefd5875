# SPDX-License-Identifier: MIT
"""Verbs that run in a device."""

from __future__ import annotations

from iopf.emulator.program import words
from iopf.emulator.program.fields import (
    Fields,
    access_flags,
    label_plus_one,
    number,
    plus_one,
    request_flags,
    requests,
    start,
)
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.program.verbs.operands import (
    ANY_PASID,
    AT,
    CODE,
    GROUP_PAGES_MAX,
    LABEL,
    MAYBE_PRGI,
    MAYBE_T,
    RW,
    D,
    T,
)
from iopf.emulator.spec import program as spec

VERBS = (
    Verb(
        "send",
        spec.DO_SEND,
        Runs.DEVICE,
        (D, MAYBE_T),
        "page requests of one group; open: without the last request, which a later `send` to the same group adds; "
        "retry: after Success, absent pages are requested again",
        (
            Word("pages", words.number(1, GROUP_PAGES_MAX)),
            AT,
            RW,
            LABEL,
            ANY_PASID,
            MAYBE_PRGI,
        ),
        ("open", "retry", "rid"),
        at_least=("tenant", "pasid", "rid"),
        at_most=("pasid", "rid"),
        record=Fields(
            flags=request_flags, arg=plus_one("tenant"), a=start, b=plus_one("pasid"), c=requests
        ),
    ),
    Verb(
        "translate",
        spec.DO_TRANSLATE,
        Runs.DEVICE,
        (D, MAYBE_T),
        "accesses pages through the translation cache, and requests missing translations, as ATS does; Bad address if one is not granted",
        (Word("pages", words.number(1, GROUP_PAGES_MAX)), AT, RW, ANY_PASID),
        ("rid",),
        at_least=("tenant", "pasid", "rid"),
        at_most=("pasid", "rid"),
        record=Fields(
            flags=access_flags,
            arg=plus_one("tenant"),
            a=start,
            b=plus_one("pasid"),
            c=number("pages"),
        ),
    ),
    Verb(
        "await",
        spec.DO_AWAIT,
        Runs.DEVICE,
        (D,),
        "waits for the answer of the group, or of all groups",
        (LABEL,),
        record=Fields(arg=label_plus_one, b=plus_one("code")),
    ),
    Verb(
        "expect",
        spec.DO_AWAIT,
        Runs.DEVICE,
        (D,),
        "waits for the answer of the group; Protocol error for another answer or none",
        (Word("group", words.LABEL), CODE),
        record=Fields(arg=label_plus_one, b=plus_one("code")),
    ),
    Verb(
        "marker",
        spec.DO_MARKER,
        Runs.DEVICE,
        (D, MAYBE_T),
        "sends the stop marker of a PASID",
        (ANY_PASID,),
        exactly=("tenant", "pasid"),
        record=Fields(arg=plus_one("tenant"), b=plus_one("pasid")),
    ),
    Verb(
        "reset",
        spec.DO_RESET,
        Runs.DEVICE,
        (D,),
        "drops its outstanding requests, as a function level reset does",
        record=Fields(),
    ),
    Verb(
        "overflow",
        spec.DO_OVERFLOW,
        Runs.DEVICE,
        (D, T),
        "sends groups until the queue of its IOMMU overflows; needs enough credits",
        (AT,),
        record=Fields(arg=plus_one("tenant"), a=start),
    ),
    Verb(
        "wait-bound",
        spec.DO_WAIT_BOUND,
        Runs.DEVICE,
        (D, T),
        "waits until the tenant has bound the device",
        record=Fields(arg=number("tenant")),
    ),
)
