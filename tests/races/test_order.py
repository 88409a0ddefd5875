# SPDX-License-Identifier: MIT
"""Every primitive alone, every state of it, under sequential consistency, under delayed stores, and under stores that overtake each other;
and every fence, locked instruction, release store and re-check taken out in turn."""

from __future__ import annotations

import pytest

from tests.support.order import (
    MEMORIES,
    MODULES,
    PROBES,
    ROOT,
    TEXTS,
    Mutant,
    build,
    explore,
    function_lines,
    place,
    programs,
)
from tests.support.order_mutants import ELSEWHERE, EVERY_ORDERING, MUTANTS

# The first test compiles the copy.
pytestmark = pytest.mark.timeout(600)

# Programs of three actors whose states are too many for each change: so many preemptions, drains and timeouts not counted.
BOUNDED = {
    "waits/giving up": 3,
    "waits/two grace": 3,
    "locks/three": 3,
    "locks/rwlock": 3,
    "rings/two consumers": 2,
    "rings/two producers": 3,
    "rings/two flushers": 2,
    "rings/dependent": 3,
    "gates/two groups": 3,
}
PROGRAMS = programs()
FILES = sorted({mutant.file for mutant in MUTANTS})
SEEN = [mutant for mutant in MUTANTS if mutant.seen]
SURVIVORS = [mutant for mutant in MUTANTS if not mutant.seen]


@pytest.fixture(scope="module", autouse=True)
def _copy() -> None:
    build(MUTANTS)


def failures(plays: list[tuple[str, str]], mutant: int, *, more: int = 0) -> list[str]:
    """What fails, of programs in a memory each."""
    made = []
    for program, memory in plays:
        bound = BOUNDED[program] + more if program in BOUNDED else -1
        (found,) = explore([(program, memory)], mutant=mutant, preemptions=bound)
        if found["failure"]:
            made.append(f"{program} {memory}: {found['failure']}")
        else:
            assert found["complete"], f"{program} {memory}: {found['states']:,} states, not all"
            assert found["ends"] > 0
    return made


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_primitive_holds_in_every_state(program: str) -> None:
    assert failures([(program, memory) for memory in MEMORIES], 0) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "program", [program for program in BOUNDED if program != "rings/two consumers"]
)
def test_a_primitive_holds_with_one_more_preemption(program: str) -> None:
    assert failures([(program, memory) for memory in MEMORIES], 0, more=1) == []


@pytest.mark.parametrize("mutant", SEEN, ids=[mutant.name for mutant in SEEN])
def test_a_mistake_is_seen(mutant: Mutant) -> None:
    """In the memory that the table names, and in no stronger one."""
    number = MUTANTS.index(mutant) + 1
    program, _, memory = mutant.seen.rpartition(" ")
    assert failures([(program, memory)], number)
    stronger = MEMORIES[: MEMORIES.index(memory)]
    assert failures([(program, each) for each in stronger[-1:]], number) == []


def programs_over(file: str) -> list[str]:
    """The programs in which a line of the file runs. The eventcount is in all of these modules."""
    modules: tuple[str, ...] = ("waits", "rings", "channels", "gates")
    if file in dict(TEXTS):
        modules = ("gates",)
    for part, these in (
        ("/rcu.", ("waits",)),
        ("/mutex.", ("locks",)),
        ("/work_ring.", ("rings",)),
        ("/link.", ("rings", "channels")),
        ("/channel_core.", ("channels",)),
    ):
        if part in file:
            modules = these
    return [program for program in PROGRAMS if program.partition("/")[0] in modules]


@pytest.mark.parametrize("mutant", SURVIVORS, ids=[mutant.name for mutant in SURVIVORS])
def test_a_line_that_is_not_needed_has_a_reason(mutant: Mutant) -> None:
    """No program sees that it is gone, under the weakest memory: what the others allow, it allows, too."""
    assert mutant.why
    plays = [(program, "pso") for program in programs_over(mutant.file)]
    assert plays
    assert failures(plays, MUTANTS.index(mutant) + 1, more=-1) == []


@pytest.mark.long
@pytest.mark.parametrize("mutant", SURVIVORS, ids=[mutant.name for mutant in SURVIVORS])
def test_a_line_is_not_needed_with_one_more_preemption(mutant: Mutant) -> None:
    plays = [(program, "pso") for program in programs_over(mutant.file) if program in BOUNDED]
    assert failures(plays, MUTANTS.index(mutant) + 1) == []


def test_names_are_unique_and_programs_exist() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names))
    assert {mutant.seen.rpartition(" ")[0] for mutant in SEEN} <= set(PROGRAMS)
    assert set(BOUNDED) <= set(PROGRAMS)
    assert {program.partition("/")[0] for program in PROGRAMS} == set(MODULES)
    assert not any(mutant.seen and mutant.why for mutant in MUTANTS)
    assert (ROOT / PROBES).is_dir()


@pytest.mark.parametrize("file", FILES)
def test_every_fence_and_every_release_store_has_a_mutant(file: str) -> None:
    lines = (ROOT / file).read_text().split("\n")
    watched = set(range(len(lines)))
    if file in dict(TEXTS):
        watched = {n for name in dict(TEXTS)[file] for n in function_lines(lines, name)}
    elsewhere = set()
    for name in ELSEWHERE:
        try:
            elsewhere |= set(function_lines(lines, name))
        except LookupError:
            continue  # of another file
    ordering = {n for n in watched - elsewhere if EVERY_ORDERING.match(lines[n].strip())}
    mutated = {place(lines, mutant)[0] for mutant in MUTANTS if mutant.file == file}
    assert sorted(ordering - mutated) == [], "lines without a mutant"
