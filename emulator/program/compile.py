# SPDX-License-Identifier: MIT
"""Programs to the packed records of every actor.

A program whose lines have one actor becomes that actor's records unchanged. One whose lines have several actors is a *sequence*: the
actors take turns. Before the lines of an actor there is DO_TURN, which waits for the turn, and after them DO_PASS, which passes the turn
on; adjacent lines of one actor share a turn. A tenant without `exit` gets a DO_EXIT as its last record, in a sequence after all lines
(after the DO_PASS). The initial state of a tenant follows from its text: a child waits for its fork, a program that starts with `spawn`
creates its address space itself, all others get an empty one. A device or tenant that lines name and that runs none gets an empty
program, so that it does no other work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from iopf.emulator.program import checks
from iopf.emulator.program.actors import Actor, Kind, Names
from iopf.emulator.program.blocks import Block, Node, Step, actors_of, build, steps
from iopf.emulator.program.checks import LINES_MAX, Parsed, bound_devices, parsed
from iopf.emulator.program.encode import encode
from iopf.emulator.program.errors import LineError, ProgramError, at_line
from iopf.emulator.program.fields import Context
from iopf.emulator.program.groups import Labels
from iopf.emulator.program.lines import Line, parse_line
from iopf.emulator.scenario.errors import PROBLEMS_MAX, Problem
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import Record, pack

Source = tuple[int, int, str]


@dataclass(slots=True)
class Compiled:
    """The compiled programs of a run.

    `tenants`, `devices`, `drivers`: packed records by number of the actor. `lines`: per actor (kind,
    index) and record the program, line and text it came from, None for what the compiler added.
    `labels`: per device the labels by number. `barriers`: name and number of participants, by number.
    `bound`: per tenant the devices it binds. `endless`: a line that repeats without end, if any.
    """

    tenants: dict[int, bytes] = field(default_factory=dict)
    devices: dict[int, bytes] = field(default_factory=dict)
    drivers: dict[int, bytes] = field(default_factory=dict)
    lines: dict[tuple[int, int], list[Source | None]] = field(default_factory=dict)
    labels: dict[int, list[str]] = field(default_factory=dict)
    barriers: list[tuple[str, int]] = field(default_factory=list)
    bound: dict[int, set[int]] = field(default_factory=dict)
    endless: tuple[int, int] | None = None


def parse_programs(programs: Sequence[Sequence[str]], names: Names) -> tuple[list[Parsed], Labels]:
    """The trees of all programs and their labels. Raises ProgramError with all errors."""
    found: list[Problem] = []
    texts: list[list[Line]] = []
    for number, ops in enumerate(programs):
        if not 1 <= len(ops) <= LINES_MAX:
            text = f"a program has 1 to {LINES_MAX} lines, this one {len(ops)}"
            found.append(Problem(f"program[{number}].ops", text))
        texts.append(_parse_lines(number, ops[:LINES_MAX], names, found))
    if found:
        raise ProgramError(found)
    trees: list[Parsed] = []
    for number, lines in enumerate(texts):
        nodes, problems = build(number, lines)
        found += problems
        trees.append(parsed(number, nodes))
    if found:
        raise ProgramError(found)
    labels = Labels()
    found = [*checks.read_groups(trees, labels), *checks.problems(trees)]
    if found:
        raise ProgramError(found)
    return trees, labels


def _parse_lines(number: int, ops: Sequence[str], names: Names, found: list[Problem]) -> list[Line]:
    lines = []
    for op, text in enumerate(ops):
        if len(found) > PROBLEMS_MAX:
            break  # the rest of a damaged file; ProgramError says that there is more
        try:
            lines.append(parse_line(text, names))
        except LineError as error:
            found.append(at_line(number, op, str(error)))
    return lines


@dataclass(slots=True)
class _Writer:
    """The records of one actor. Record numbers count from its first record."""

    records: list[Record] = field(default_factory=list)
    sources: list[Source | None] = field(default_factory=list)

    def add(self, record: Record, source: Source | None = None) -> int:
        """Append a record and return its number."""
        self.records.append(record)
        self.sources.append(source)
        return len(self.records) - 1

    def patch(self, at: int, **fields: int) -> None:
        """Fill in fields that were unknown when the record was written."""
        self.records[at] = self.records[at]._replace(**fields)


class _Compiler:
    def __init__(self, texts: Sequence[Sequence[str]], trees: list[Parsed], labels: Labels) -> None:
        self.texts, self.trees, self.labels = texts, trees, labels
        self.writers: dict[Actor, _Writer] = {}
        self.barriers = _barriers(trees)
        self.endless: tuple[int, int] | None = None
        self.sequences = 0
        every = [step for tree in trees for step in steps(tree.nodes)]
        self.children = {s.line.number("child") for s in every if s.line.verb.name == "fork"}

    def run(self) -> Compiled:
        """All programs, then empty ones for actors that lines name and that have none."""
        for tree in self.trees:
            for actor in tree.actors:
                self._start(actor, tree)
            if tree.is_sequence:
                self._sequence(tree)
            else:
                self._alone(tree)
        for actor in sorted(checks.named(self.trees) - self.writers.keys()):
            self._start(actor, None)
            if actor.kind == Kind.TENANT:
                self.writers[actor].add(Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT))
        return self._result()

    def _start(self, actor: Actor, tree: Parsed | None) -> None:
        """The first records of a tenant: see the head of this module."""
        writer = self.writers[actor] = _Writer()
        if actor.kind != Kind.TENANT:
            return
        own = (step for step in steps(tree.nodes if tree else ()) if step.line.actor == actor)
        first = next(own, None)
        if actor.index in self.children:
            writer.add(Record(spec.DO_WAIT_FORK))
        elif first is None or first.line.verb.name != "spawn":
            writer.add(Record(spec.DO_NEW_MM))

    def _alone(self, tree: Parsed) -> None:
        (actor,) = tree.actors
        writer = self.writers[actor]
        self._nodes(writer, tree.number, tree.nodes)
        if _needs_exit(actor, tree.nodes):
            writer.add(Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT))

    def _sequence(self, tree: Parsed) -> None:
        """The turns of several actors, ending with the exits of its tenants."""
        number, self.sequences = self.sequences, self.sequences + 1
        turns: list[tuple[Actor, list[Node]]] = []
        for node in tree.nodes:
            (actor,) = actors_of([node])
            if turns and turns[-1][0] == actor:
                turns[-1][1].append(node)
            else:
                turns.append((actor, [node]))
        turns += [(a, []) for a in sorted(tree.actors) if _needs_exit(a, _own(a, tree.nodes))]
        for turn, (actor, nodes) in enumerate(turns):
            writer = self.writers[actor]
            following = turns[turn + 1][0].packed if turn + 1 < len(turns) else 0
            writer.add(Record(spec.DO_TURN, arg=number, a=turn))
            self._nodes(writer, tree.number, nodes)
            writer.add(Record(spec.DO_PASS, arg=number, a=turn + 1, b=following))
            if not nodes:
                writer.add(Record(spec.DO_EXIT, flags=spec.FLAG_IMPLICIT))

    def _nodes(self, writer: _Writer, program: int, nodes: Sequence[Node]) -> None:
        context = Context(self.labels, self.barriers)
        for node in nodes:
            source = (program, node.op, self.texts[program][node.op])
            if isinstance(node, Step):
                for record in encode(node.line, context):
                    writer.add(record, source)
            elif node.repeats:
                self._repeat(writer, program, node, source)
            else:
                self._choose(writer, program, node, source)

    def _repeat(self, writer: _Writer, program: int, block: Block, source: Source) -> None:
        times = block.line.number("times")
        if times == 0 and self.endless is None:
            self.endless = (program, block.op)
        head = writer.add(Record(spec.DO_REPEAT, a=times), source)
        self._nodes(writer, program, block.branches[0].body)
        tail = writer.add(Record(spec.DO_AGAIN, a=head), source)
        writer.patch(head, b=tail + 1)

    def _choose(self, writer: _Writer, program: int, block: Block, source: Source) -> None:
        writer.add(Record(spec.DO_CHOOSE, a=len(block.branches)), source)
        heads = [writer.add(Record(spec.DO_BRANCH, a=b.weight), source) for b in block.branches]
        leaves: list[int] = []
        for head, branch in zip(heads, block.branches, strict=True):
            writer.patch(head, b=len(writer.records))
            self._nodes(writer, program, branch.body)
            leaves.append(writer.add(Record(spec.DO_GOTO), source))
        for leave in leaves:
            writer.patch(leave, a=len(writer.records))

    def _result(self) -> Compiled:
        result = Compiled(
            labels=self.labels.names(), bound=bound_devices(self.trees), endless=self.endless
        )
        result.barriers = [(name, len(_participants(self.trees, name))) for name in self.barriers]
        places = {
            Kind.TENANT: result.tenants,
            Kind.DEVICE: result.devices,
            Kind.DRIVER: result.drivers,
        }
        for actor, writer in sorted(self.writers.items()):
            places[actor.kind][actor.index] = pack(writer.records)
            result.lines[int(actor.kind), actor.index] = writer.sources
        return result


def _own(actor: Actor, nodes: Sequence[Node]) -> list[Node]:
    return [node for node in nodes if actor in actors_of([node])]


def _needs_exit(actor: Actor, own: Sequence[Node]) -> bool:
    """Whether the compiler adds the exit of a tenant."""
    last = own[-1]
    exits = isinstance(last, Step) and last.line.verb.name == "exit"
    return actor.kind == Kind.TENANT and not exits


def _barriers(trees: Sequence[Parsed]) -> list[str]:
    every = [step.line for tree in trees for step in steps(tree.nodes)]
    return list(dict.fromkeys(str(x.values["name"]) for x in every if x.verb.name == "barrier"))


def _participants(trees: Sequence[Parsed], name: str) -> set[Actor | None]:
    every = [step.line for tree in trees for step in steps(tree.nodes)]
    return {x.actor for x in every if x.verb.name == "barrier" and x.values["name"] == name}


def compile_programs(
    programs: Sequence[Sequence[str]],
    device_names: Sequence[str],
    tenant_names: Sequence[str],
) -> Compiled:
    """Compile the lines of all programs of a run.

    The names are those of the scenario in the order of their numbers (`iopf.emulator.scenario.expand`).
    Raises ProgramError with all errors.
    """
    trees, labels = parse_programs(programs, Names(device_names, tenant_names))
    return _Compiler(programs, trees, labels).run()
