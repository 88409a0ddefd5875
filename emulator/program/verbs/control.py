# SPDX-License-Identifier: MIT
"""Verbs of every actor: order, waiting, repetition and choice."""

from __future__ import annotations

from iopf.emulator.program import words
from iopf.emulator.program.fields import Fields, barrier, number
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.program.verbs.operands import WEIGHT
from iopf.emulator.spec import program as spec

VERBS = (
    Verb(
        "barrier",
        spec.DO_BARRIER,
        Runs.ANY,
        (Word("name", words.NAME),),
        "waits for every actor with the same barrier",
        record=Fields(arg=barrier),
    ),
    Verb(
        "pause",
        spec.DO_PAUSE,
        Runs.ANY,
        (Word("duration", words.DURATION),),
        "waits: 100ns, 20us, 5ms, 1s",
        record=Fields(a=number("duration")),
    ),
    Verb(
        "start",
        spec.DO_START,
        Runs.ANY,
        (),
        "under control, lines before it run once, lines after it in every schedule; otherwise no effect",
        record=Fields(),
    ),
)

BLOCKS = (
    Verb(
        "repeat",
        spec.DO_REPEAT,
        Runs.BLOCK,
        (Word("times", words.TIMES),),
        "repeats the lines up to `end`",
    ),
    Verb(
        "choose",
        spec.DO_CHOOSE,
        Runs.BLOCK,
        (),
        "runs one branch, at random",
        (WEIGHT,),
    ),
    Verb(
        "or",
        spec.DO_BRANCH,
        Runs.BLOCK,
        (),
        "starts the next branch",
        (WEIGHT,),
    ),
    Verb(
        "end",
        spec.DO_AGAIN,
        Runs.BLOCK,
        (),
        "ends the block",
    ),
)
