# SPDX-License-Identifier: MIT
"""Rules that span lines and programs. Each function implements one rule and yields its problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from iopf.emulator.program.actors import Actor, Kind
from iopf.emulator.program.blocks import Block, Node, actors_of, steps
from iopf.emulator.program.errors import at_line
from iopf.emulator.program.groups import Labels
from iopf.emulator.scenario.errors import Problem
from iopf.emulator.spec import program as spec

LINES_MAX = 4096
_SUBJECTS = {"device": Kind.DEVICE, "tenant": Kind.TENANT, "child": Kind.TENANT}


@dataclass(slots=True)
class Parsed:
    """One program: its number, its tree, and its actors."""

    number: int
    nodes: list[Node]
    actors: list[Actor]

    @property
    def is_sequence(self) -> bool:
        return len(self.actors) > 1


def parsed(number: int, nodes: list[Node]) -> Parsed:
    """The program with its actors."""
    return Parsed(number, nodes, actors_of(nodes))


def read_groups(programs: Sequence[Parsed], labels: Labels) -> Iterator[Problem]:
    """Fill the labels, and yield the lines that misuse them."""
    for program in programs:
        for step in steps(program.nodes):
            reason = labels.read(program.number, step.op, step.line)
            if reason:
                yield at_line(program.number, step.op, reason)
    for number, op, reason in labels.unknown():
        yield at_line(number, op, reason)


def _one_program_each(programs: Sequence[Parsed]) -> Iterator[Problem]:
    home: dict[Actor, int] = {}
    for program in programs:
        for actor in program.actors:
            first = home.setdefault(actor, program.number)
            if first == program.number:
                continue
            op = next(s.op for s in steps(program.nodes) if s.line.actor == actor)
            hint = "; a second driver is k1: ..." if actor.kind == Kind.DRIVER else ""
            yield at_line(program.number, op, f"{actor} already runs program[{first}]{hint}")


def _sequences(programs: Sequence[Parsed]) -> Iterator[Problem]:
    numbers = [program.number for program in programs if program.is_sequence]
    for number in numbers[spec.SEQUENCES :]:
        text = f"more than {spec.SEQUENCES} programs with several actors"
        yield Problem(f"program[{number}]", text)


def _barriers(programs: Sequence[Parsed]) -> Iterator[Problem]:
    seen: dict[str, dict[Actor, tuple[Parsed, int]]] = {}
    for program in programs:
        for step in steps(program.nodes):
            if step.line.verb.name == "barrier" and step.line.actor is not None:
                places = seen.setdefault(str(step.line.values["name"]), {})
                places.setdefault(step.line.actor, (program, step.op))
    for count, (name, places) in enumerate(seen.items()):
        (program, op), *others = places.values()
        if count == spec.BARRIERS:
            yield at_line(program.number, op, f"more than {spec.BARRIERS} barriers")
        if not others:
            yield at_line(
                program.number, op, f"barrier '{name}' has one participant, {next(iter(places))}"
            )
        for number in {p.number for p, _ in places.values()}:
            inside = [op for p, op in places.values() if p.number == number]
            if len(inside) > 1:
                text = f"two actors of one sequence wait at barrier '{name}', but only one of them can run"
                yield at_line(number, inside[1], text)


def _forks(programs: Sequence[Parsed]) -> Iterator[Problem]:
    born: set[int] = set()
    for program in programs:
        for step in steps(program.nodes):
            if step.line.verb.name != "fork":
                continue
            child = step.line.number("child")
            if child == step.line.number("tenant"):
                yield at_line(program.number, step.op, f"t{child} cannot be its own child")
            elif child in born:
                yield at_line(program.number, step.op, f"t{child} is already forked")
            born.add(child)


def _after_exit(programs: Sequence[Parsed]) -> Iterator[Problem]:
    """An exited process runs no operations. Lines in blocks are checked in the order of the text."""
    for program in programs:
        gone: set[Actor] = set()
        for node in program.nodes:
            if isinstance(node, Block):
                continue
            actor, name = node.line.actor, node.line.verb.name
            if actor is None or actor.kind != Kind.TENANT:
                continue
            if name == "spawn":
                gone.discard(actor)
            elif actor in gone:
                text = f"{actor} has exited; `spawn {actor}` starts the next process"
                yield at_line(program.number, node.op, text)
            elif name == "exit":
                gone.add(actor)


def _fault_objects(programs: Sequence[Parsed]) -> Iterator[Problem]:
    every = [(program.number, step) for program in programs for step in steps(program.nodes)]
    made = {s.line.values["fault"] for _, s in every if s.line.verb.name == "fault-alloc"}
    for number, step in every:
        fault = step.line.values.get("fault")
        if fault is not None and fault not in made:
            yield at_line(number, step.op, f"no f{fault}: add `fault-alloc T f{fault}`")


def _bound(programs: Sequence[Parsed]) -> Iterator[Problem]:
    """Operations that wait for a bind would wait forever if the tenant never binds the device."""
    binds = bound_devices(programs)
    for program in programs:
        for step in steps(program.nodes):
            if step.line.verb.name not in ("wait-bound", "overflow"):
                continue
            device, tenant = step.line.number("device"), step.line.number("tenant")
            if device not in binds.get(tenant, ()):
                yield at_line(program.number, step.op, f"t{tenant} never binds d{device}")


def named(programs: Sequence[Parsed]) -> set[Actor]:
    """The devices and tenants named in lines, whether or not they run one."""
    found: set[Actor] = set()
    for program in programs:
        for step in steps(program.nodes):
            for word, kind in _SUBJECTS.items():
                index = step.line.maybe(word)
                if index is not None:
                    found.add(Actor(kind, index))
    return found


def bound_devices(programs: Sequence[Parsed]) -> dict[int, set[int]]:
    """The devices that each tenant binds at some time."""
    found: dict[int, set[int]] = {}
    for program in programs:
        for step in steps(program.nodes):
            if step.line.verb.name in ("bind", "rebind"):
                found.setdefault(step.line.number("tenant"), set()).add(step.line.number("device"))
    return found


_RULES: tuple[Callable[[Sequence[Parsed]], Iterator[Problem]], ...] = (
    _one_program_each,
    _sequences,
    _barriers,
    _forks,
    _after_exit,
    _fault_objects,
    _bound,
)


def problems(programs: Sequence[Parsed]) -> list[Problem]:
    """All problems between lines, except those of labels (`read_groups`)."""
    return [problem for rule in _RULES for problem in rule(programs)]
