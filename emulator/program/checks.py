"""Rules that span lines and programs. Each function is one rule and yields its problems."""

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
    """One program: its number, its tree, and who runs it."""

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
    """Fills the labels, and yields the lines that use them wrongly."""
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
            yield at_line(program.number, op, f"{actor} runs program[{first}] already{hint}")


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
                program.number, op, f"only {next(iter(places))} waits at barrier '{name}'"
            )
        for number in {p.number for p, _ in places.values()}:
            inside = [op for p, op in places.values() if p.number == number]
            if len(inside) > 1:
                text = f"two actors of this sequence wait at barrier '{name}', but only one has its turn"
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
                yield at_line(program.number, step.op, f"t{child} is forked already")
            born.add(child)


def _after_exit(programs: Sequence[Parsed]) -> Iterator[Problem]:
    """A process that has exited does nothing any more. Lines in blocks are judged as they come."""
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
            yield at_line(number, step.op, f"nothing makes f{fault}: `fault-alloc T f{fault}`")


def _bound(programs: Sequence[Parsed]) -> Iterator[Problem]:
    """What waits for a tenant to bind the device would wait for ever when it never does."""
    binds = bound_devices(programs)
    for program in programs:
        for step in steps(program.nodes):
            if step.line.verb.name not in ("wait-bound", "overflow"):
                continue
            device, tenant = step.line.number("device"), step.line.number("tenant")
            if device not in binds.get(tenant, ()):
                yield at_line(program.number, step.op, f"t{tenant} never binds d{device}")


def named(programs: Sequence[Parsed]) -> set[Actor]:
    """The devices and tenants that lines name, whether or not they run a line."""
    found: set[Actor] = set()
    for program in programs:
        for step in steps(program.nodes):
            for word, kind in _SUBJECTS.items():
                index = step.line.maybe(word)
                if index is not None:
                    found.add(Actor(kind, index))
    return found


def bound_devices(programs: Sequence[Parsed]) -> dict[int, set[int]]:
    """Which devices each tenant binds at some time."""
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
    """Everything that is wrong between lines, except the use of labels (`read_groups`)."""
    return [problem for rule in _RULES for problem in rule(programs)]
