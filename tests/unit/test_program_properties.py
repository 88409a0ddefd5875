# SPDX-License-Identifier: MIT
"""Random programs: any text is compiled or refused, and the output reads back the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.program.actors import LETTERS, Kind, default_names
from iopf.emulator.program.compile import compile_programs
from iopf.emulator.program.errors import LineError, ProgramError
from iopf.emulator.program.grammar import Runs, Verb, Word
from iopf.emulator.program.lines import TRY, parse_line, show_line
from iopf.emulator.program.verbs import VERBS
from iopf.emulator.program.words import CODES, DOMAINS, NANOSECONDS, POOLS, UNITS
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import RECORD, RECORD_BYTES

NAMES = default_names(3, 2)
KNOWN_WORDS = [
    *VERBS,
    *["d0", "d1", "t0", "t1", "k0", "f0", "open", "rid", "try", "t0:", "k1:", "4", "all", "group"],
    *[
        "pages=4",
        "at=2",
        "group=a",
        "pasid=1",
        "prgi=2",
        "rw=rw",
        "nth=1",
        "code=success",
        "=",
        "x=",
    ],
]
ANY_LINE = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(KNOWN_WORDS), max_size=6).map(" ".join),
    st.tuples(st.sampled_from(list(VERBS)), st.text(max_size=12)).map(" ".join),
)


def spelled(word: Word) -> st.SearchStrategy[str]:
    """Words that the reader of a subject or key accepts, by the form on the help page."""
    forms: dict[str, st.SearchStrategy[str]] = {
        "D": st.sampled_from(["d0", "d1", "d2"]),
        "T": st.sampled_from(["t0", "t1"]),
        "F": st.integers(0, spec.FAULT_OBJECTS - 1).map(lambda n: f"f{n}"),
        "LABEL": st.sampled_from(["a", "b", "c.1"]),
        "NAME": st.sampled_from(["x", "y"]),
        "DURATION": st.builds(
            "{}{}".format, st.integers(0, 60), st.sampled_from(list(NANOSECONDS))
        ),
        "POOL": st.sampled_from(list(POOLS)),
        "rwx": st.sampled_from(["r", "w", "x", "rw", "wr", "xr", "rwx"]),
        "rwxp": st.sampled_from(["r", "w", "xp", "rw", "rwxp"]),
        "N|forever": st.sampled_from(["forever", "3", "0x10"]),
        "|".join(UNITS): st.sampled_from(list(UNITS)),
        "|".join(DOMAINS): st.sampled_from(list(DOMAINS)),
        "success|invalid|failure|N": st.sampled_from([*CODES, "7"]),
        "success|invalid": st.sampled_from(["success", "invalid"]),
    }
    return forms.get(word.reader.form, st.integers(1, 60).map(str))


@st.composite
def lines(draw: Any, verb: Verb) -> str:
    """A line of one verb; about half of them keep the rules on combinations of words."""
    prefix = ""
    if verb.runs == Runs.ANY:
        prefix = draw(st.sampled_from(["t0: ", "d1: ", "k2: "]))
    elif verb.runs == Runs.DRIVER:
        prefix = draw(st.sampled_from(["", "k0: ", "k3: "]))
    parts = [verb.name]
    parts += [draw(spelled(w)) for w in verb.subjects if not w.optional or draw(st.booleans())]
    extra = [
        f"{key.name}={draw(spelled(key))}"
        for key in verb.keys
        if (key.default is None and not key.optional) or draw(st.booleans())
    ]
    flags = [TRY] if verb.runs != Runs.BLOCK else []
    extra += [flag for flag in (*verb.flags, *flags) if draw(st.booleans())]
    return prefix + " ".join([*parts, *draw(st.permutations(extra))])


SOME_LINE = st.sampled_from(list(VERBS.values())).flatmap(lines)


@settings(max_examples=400, deadline=None)
@given(ANY_LINE | SOME_LINE)
def test_a_line_that_is_read_is_written_and_read_again(text: str) -> None:
    try:
        line = parse_line(text, NAMES)
    except LineError as error:
        assert str(error)
        return
    written = show_line(line)
    assert parse_line(written, NAMES) == line
    assert show_line(parse_line(written, NAMES)) == written


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(ANY_LINE | SOME_LINE, max_size=8), max_size=4))
def test_any_text_is_compiled_or_refused_with_its_place(programs: list[list[str]]) -> None:
    try:
        found = compile_programs(programs, NAMES.devices, NAMES.tenants)
    except ProgramError as error:
        assert all(problem.path.startswith("program[") for problem in error.problems)
        return
    for kind, packed in (
        (Kind.TENANT, found.tenants),
        (Kind.DEVICE, found.devices),
        (Kind.DRIVER, found.drivers),
    ):
        for index, program in packed.items():
            assert len(found.lines[int(kind), index]) == len(program) // RECORD_BYTES


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["t0", "d1", "k0"]), st.data())
def test_jumps_stay_inside_the_program(actor: str, data: st.DataObject) -> None:
    """Blocks nested at random: every record number is one of the actor's records."""
    text: list[str] = []

    def body(depth: int) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            kind = data.draw(st.integers(0, 2)) if depth < spec.LOOPS else 0
            if kind == 0:
                text.append(f"{actor}: pause 1ns")
            elif kind == 1:
                text.append("repeat 2")
                body(depth + 4)
                text.append("end")
            else:
                text.append("choose")
                body(depth + 4)
                text.append("or weight=3")
                text.append("end")

    body(0)
    found = compile_programs([text], NAMES.devices, NAMES.tenants)
    kind = next(kind for kind, letter in LETTERS.items() if letter == actor[0])
    packed = {Kind.TENANT: found.tenants, Kind.DEVICE: found.devices, Kind.DRIVER: found.drivers}
    records = list(RECORD.iter_unpack(packed[kind][int(actor[1])]))
    for number, record in enumerate(records):
        op, a, b = record[0], record[4], record[5]
        if op == spec.DO_REPEAT:
            assert records[b - 1][0] == spec.DO_AGAIN
            assert records[b - 1][4] == number
        elif op == spec.DO_BRANCH:
            assert number < b < len(records) or kind != Kind.TENANT
        elif op == spec.DO_GOTO:
            assert number < a <= len(records)
