# SPDX-License-Identifier: MIT
"""Interprets programs: runs the lines in order, and between lines everything that is not held.

Programs of several actors are interleaved in one way only: a program continues until it has to wait, then the next one runs. That is
sufficient for the cases: a `barrier` to synchronise, and a `pause` that lets the others continue as far as possible.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from iopf.emulator.check.model import lifecycle, operations
from iopf.emulator.check.model.flows import FLOWS
from iopf.emulator.check.model.objects import Device, Mm, Tenant
from iopf.emulator.check.model.state import State, StopRun
from iopf.emulator.program.actors import default_names
from iopf.emulator.program.blocks import Block, Node, Step, steps
from iopf.emulator.program.checks import Parsed
from iopf.emulator.program.compile import parse_programs

NOT_RUN = 1  # the result of a line that was not reached or not finished


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of a program.

    `responses`: per (device, label) the codes received in order; a used label without a response has (). `results`: per line 0 or -errno,
    NOT_RUN for unfinished lines; lines of several programs follow each other. `lost`: requests by reason, as in `iopf run`. `counters`:
    groups built and freed, requests handled by workers. `findings`: verdicts. The state is read after the last line, before the implicit
    exit of tenants.
    """

    responses: dict[tuple[int, str], tuple[int, ...]]
    results: list[int]
    lost: dict[str, int]
    counters: dict[str, int]
    findings: tuple[str, ...]


def run_case(ops: Sequence[str], generation: str, records: int = 128) -> Observation:
    """Run one program of d0.. and t0.. in the model of a generation."""
    return run_programs([ops], generation, records)


def run_programs(
    programs: Sequence[Sequence[str]], generation: str, records: int = 128
) -> Observation:
    """Run programs in the model. `records`: size of the page request queue.

    Raises ProgramError for invalid programs, ValueError for nondeterministic ones (`choose`, `repeat forever`), KeyError for an unknown
    generation.
    """
    trees, _ = parse_programs(programs, default_names(8, 8))
    state = machine(trees, generation, records)
    results = _interleave(state, trees, [len(ops) for ops in programs])
    return Observation(
        {key: tuple(codes) for key, codes in state.responses.items()},
        results,
        dict(state.lost),
        dict(state.counters),
        tuple(state.findings),
    )


def machine(trees: Sequence[Parsed], generation: str, records: int = 128) -> State:
    """The machine before the first line of programs. Raises KeyError for an unknown generation."""
    every = [step.line for tree in trees for step in steps(tree.nodes)]
    devices = [Device(index) for index in range(8)]
    tenants = [Tenant(index, Mm()) for index in range(8)]
    state = State(FLOWS[generation], devices, tenants, records)
    for device in devices:
        if not state.flow.enabled_by_attach:
            lifecycle.queue_add(state, device)
    for line in every:
        if line.verb.name == "fork":
            tenants[line.number("child")].mm = None
            tenants[line.number("child")].born = False
    for line in every:
        if line.verb.name in ("send", "report") and line.label is not None:
            state.responses.setdefault((line.number("device"), line.label), [])
    return state


def _interleave(state: State, trees: Sequence[Parsed], lengths: Sequence[int]) -> list[int]:
    """Run all programs until they have finished or none can continue."""
    results = [[NOT_RUN] * length for length in lengths]
    meeting = operations.Meeting(trees)
    running = {
        tree.number: _program(state, tree.nodes, results[tree.number], meeting) for tree in trees
    }
    idle = 0
    try:
        while running and idle < 2:  # a pause sees one idle round and ends in the next
            reasons = []
            before = meeting.progress
            for number, program in list(running.items()):
                try:
                    reasons.append(next(program))
                except StopIteration:
                    del running[number]
                    meeting.progress += 1
            idle = idle + 1 if meeting.progress == before else 0
        if running:
            state.findings.append(f"stuck: {'; '.join(reasons)}")
    except StopRun:
        running.clear()  # a finding ends the run
    return [result for program in results for result in program]


def _program(
    state: State, nodes: Sequence[Node], results: list[int], meeting: operations.Meeting
) -> Generator[str, None, None]:
    """One program as a generator that yields the reason for each wait."""
    for step in _unrolled(nodes):
        results[step.op] = yield from operations.execute(state, step.line, meeting)
        meeting.progress += 1
        operations.settle(state)


def _unrolled(nodes: Sequence[Node]) -> Iterator[Step]:
    for node in nodes:
        if isinstance(node, Step):
            yield node
        elif isinstance(node, Block) and node.repeats and node.line.number("times"):
            for _ in range(node.line.number("times")):
                yield from _unrolled(node.branches[0].body)
        else:
            raise ValueError("the model runs deterministic programs only")
