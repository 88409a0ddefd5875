# SPDX-License-Identifier: MIT
"""`iopf kernels`: the fate of a fault, by kernel generation."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import KernelVersion, json_option
from iopf.tools.status import Status

if TYPE_CHECKING:
    from iopf.emulator.check.fates import Cell

_WIDTH = 98
_FATE = 24


@click.command(
    "kernels",
    cls=Command,
    examples=(
        ("iopf kernels", "the fate of a fault in every generation"),
        ("iopf kernels v6.9", "one generation and its known violations"),
        ("iopf kernels v5.13 v6.9", "the changes between two, and the reasons"),
    ),
)
@click.argument("generations", nargs=-1, type=KernelVersion(), metavar="[VERSION [VERSION]]")
@json_option
@click.pass_context
def command(ctx: click.Context, generations: tuple[str, ...], json_out: bool) -> int:
    """Show the fate of a fault by event and kernel generation, or compare two generations."""
    if len(generations) > 2:
        ctx.fail("expected at most two kernels")
    if json_out:
        click.echo(json.dumps(_document(generations), indent=2))
        return Status.OK
    for line in _table(generations):
        click.echo(line)
    return Status.OK


def _table(generations: tuple[str, ...]) -> Iterator[str]:
    if len(generations) == 2:
        return _two(*generations)
    return _one(generations[0]) if generations else _all()


def _wrapped(head: str, text: str) -> Iterator[str]:
    """A column followed by wrapped text."""
    yield from textwrap.wrap(
        f"{head}{text}".rstrip(),
        _WIDTH,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _cell_text(cell: Cell) -> str:
    known = f"known: {cell.known}" if cell.known else ""
    return "; ".join(part for part in (cell.note, known) if part)


def _all() -> Iterator[str]:
    """The table of all events; generations with equal cells share a line."""
    from iopf.emulator.check.fates import EVENTS
    from iopf.emulator.check.history import AGES

    for name, age in AGES.items():
        yield from _wrapped(f"{name:<10}  {age.kernels:<34}  ", age.character)
    for event, title in EVENTS.items():
        yield ""
        yield click.style(title, bold=True)
        for names, cell in _runs(event):
            yield from _wrapped(f"  {names:<18}  {cell.fate.value:<{_FATE}}", _cell_text(cell))


def _runs(event: str) -> Iterator[tuple[str, Cell]]:
    """Adjacent generations with the same fate and note, as `first..last`, with their cell."""
    from iopf.emulator.check.fates import CELLS

    row = [cell for cell in CELLS if cell.event == event]
    start = 0
    for at in range(1, len(row) + 1):
        first = row[start]
        if at < len(row) and (row[at].fate, row[at].note) == (first.fate, first.note):
            continue
        last = row[at - 1].generation
        names = first.generation if at - 1 == start else f"{first.generation}..{last}"
        yield names, first
        start = at


def _one(name: str) -> Iterator[str]:
    """The column of one generation, its changes, and its known violations."""
    from iopf.emulator.check.fates import EVENTS, cell
    from iopf.emulator.check.history import AGES
    from iopf.emulator.check.violations import known_in

    yield from _wrapped(f"{name}: ", f"{AGES[name].kernels}; {AGES[name].character}")
    for event, title in EVENTS.items():
        found = cell(event, name)
        yield ""
        yield click.style(title, bold=True)
        yield from _wrapped(f"  {found.fate.value:<{_FATE}}", _cell_text(found))
    yield from _changes((name,))
    yield ""
    yield click.style("Known violations (by catalogue number)", bold=True)
    for slug, known in known_in(name).items():
        yield from _wrapped(f"  {known.number:<6}{slug:<32}", known.what)


def _changes(names: tuple[str, ...]) -> Iterator[str]:
    from iopf.emulator.check.history import AGES

    yield ""
    yield click.style("Changes and reasons", bold=True)
    for name in names:
        for change in AGES[name].changes:
            yield from _wrapped(f"  {name:<10}  ", change)


def _differing(older: str, newer: str) -> list[tuple[str, Cell, Cell]]:
    """The events for which two generations have different cells."""
    from iopf.emulator.check.fates import EVENTS, cell

    pairs = [(event, cell(event, older), cell(event, newer)) for event in EVENTS]
    return [(e, a, b) for e, a, b in pairs if (a.fate, a.note) != (b.fate, b.note)]


def _two(older: str, newer: str) -> Iterator[str]:
    """The cells that differ, one generation per line, and the changes in between."""
    from iopf.emulator.check.fates import EVENTS
    from iopf.emulator.check.history import steps

    found = _differing(older, newer)
    yield f"{older} to {newer}: {len(found)} of {len(EVENTS)} events differ"
    for event, *cells in found:
        yield ""
        yield click.style(EVENTS[event], bold=True)
        for each in cells:
            yield from _wrapped(
                f"  {each.generation:<10}  {each.fate.value:<{_FATE}}", _cell_text(each)
            )
    if steps(older, newer):
        yield from _changes(steps(older, newer))


def _document(generations: tuple[str, ...]) -> dict[str, Any]:
    """All cells of the given generations, or of all; for two, also the events that differ."""
    from iopf.emulator.check.fates import CELLS, EVENTS
    from iopf.emulator.check.history import AGES, steps
    from iopf.emulator.check.violations import KNOWN

    names = generations or tuple(AGES)
    document: dict[str, Any] = {
        "schema": "iopf/1",
        "type": "kernels",
        "generations": {
            name: {
                "kernels": AGES[name].kernels,
                "character": AGES[name].character,
                "changes": list(AGES[name].changes),
            }
            for name in names
        },
        "events": EVENTS,
        "cells": [
            {
                "event": cell.event,
                "generation": cell.generation,
                "fate": cell.fate.name.lower().replace("_", "-"),
                "text": cell.fate.value,
                "note": cell.note,
                "known": cell.known,
            }
            for cell in CELLS
            if cell.generation in names
        ],
        "known": {
            slug: {"number": known.number, "what": known.what, "generations": known.generations}
            for slug, known in KNOWN.items()
            if set(known.generations) & set(names)
        },
    }
    if len(generations) == 2:
        document["differ"] = [event for event, _, _ in _differing(*generations)]
        document["steps"] = list(steps(*generations))
    return document
