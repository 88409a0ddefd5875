# SPDX-License-Identifier: MIT
"""From the lines of one program to a tree: single lines, and blocks with branches.

One actor runs a whole block, so the tree of a sequence is a list of steps, each with one actor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from iopf.emulator.program.actors import Actor
from iopf.emulator.program.errors import at_line
from iopf.emulator.program.grammar import Runs
from iopf.emulator.program.lines import Line
from iopf.emulator.scenario.errors import Problem
from iopf.emulator.spec.program import LOOPS


@dataclass(slots=True)
class Step:
    """One line, with its number in the program."""

    op: int
    line: Line


@dataclass(slots=True)
class Branch:
    """One branch of a block: its weight and its content. `repeat` has one branch."""

    weight: int
    body: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """`repeat` or `choose`, with the number of its first line. `times` 0: without end."""

    op: int
    line: Line
    branches: list[Branch]

    @property
    def repeats(self) -> bool:
        return self.line.verb.name == "repeat"


Node = Step | Block


def steps(nodes: Sequence[Node]) -> Iterator[Step]:
    """Every line except the frames of blocks, in the order of the text."""
    for node in nodes:
        if isinstance(node, Step):
            yield node
        else:
            for branch in node.branches:
                yield from steps(branch.body)


def actors_of(nodes: Sequence[Node]) -> list[Actor]:
    """The actors in order of first appearance."""
    found = {step.line.actor: None for step in steps(nodes)}
    return [actor for actor in found if actor is not None]


def build(program: int, lines: Sequence[Line]) -> tuple[list[Node], list[Problem]]:
    """The tree of a program and the errors in its blocks."""
    top = Branch(1)
    open_blocks: list[Block] = []
    problems: list[Problem] = []
    for op, line in enumerate(lines):
        inside = open_blocks[-1].branches[-1] if open_blocks else top
        if line.verb.runs != Runs.BLOCK:
            inside.body.append(Step(op, line))
            continue
        problem = _frame(op, line, inside, open_blocks)
        if problem:
            problems.append(at_line(program, op, problem))
    for block in open_blocks:
        problems.append(at_line(program, block.op, f"'{block.line.verb.name}' has no 'end'"))
    problems += [at_line(program, op, text) for op, text in _unfit(top.body)]
    return top.body, problems


def _frame(op: int, line: Line, inside: Branch, open_blocks: list[Block]) -> str | None:
    """Open, continue or close a block; return an error text or None."""
    name = line.verb.name
    if name in ("repeat", "choose"):
        block = Block(op, line, [Branch(line.maybe("weight") or 1)])
        inside.body.append(block)
        open_blocks.append(block)
        return f"blocks are nested more than {LOOPS} deep" if len(open_blocks) > LOOPS else None
    if not open_blocks:
        return f"'{name}' without a 'repeat' or 'choose' before it"
    if name == "end":
        open_blocks.pop()
    elif open_blocks[-1].repeats:
        return "'or' needs 'choose', not 'repeat'"
    else:
        open_blocks[-1].branches.append(Branch(line.number("weight")))
    return None


def _unfit(nodes: Sequence[Node]) -> Iterator[tuple[int, str]]:
    """Blocks without an actor, or with several."""
    for node in nodes:
        if isinstance(node, Step):
            continue
        actors = actors_of([node])
        if not actors:
            yield node.op, "this block has no operation"
        elif len(actors) > 1:
            listed = " and ".join(str(actor) for actor in actors[:2])
            yield node.op, f"a block runs in one actor; this one has lines of {listed}"
