# SPDX-License-Identifier: MIT
"""A schedule as a table for terminals and mails: a row per run of steps, a column per actor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from iopf.emulator.races.schedule import Run, Step, runs
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.report.where import Where

WIDTH = 98
_NARROW = 14
_OUT_OF_TIME = ", out of time"
_LONG, _HEAD, _TAIL = 200, 60, 12  # of a long schedule, head and tail are shown


def rows(
    steps: Sequence[Step], names: Sequence[str], where: Where, width: int = WIDTH
) -> Iterator[str]:
    """Heading and rows. Columns widen with `width` until every name fits. A cell has the number of steps and the functions that they
    were in. `!` marks a preemption: the previous actor was still runnable. `out of time`: a sleep timed out although other actors were
    runnable."""
    if not steps:
        yield "    no steps"
        return
    path = bytes(step[0] for step in steps)
    slots = sorted(set(path), key=path.index)
    used = [names[slot] for slot in slots]
    column = _column(used, width)
    for head in heads(used, column):
        yield "    " + head
    found = runs(path)
    for number, run in enumerate(found):
        if len(found) > _LONG and _HEAD <= number < len(found) - _TAIL:
            if number == _HEAD:
                yield f"    ... {len(found) - _HEAD - _TAIL} more runs"
            continue
        preempted = number > 0 and _could_go_on(steps, run, found[number - 1])
        left = slots.index(run.slot) * column
        for line, text in enumerate(_cell(steps, run, max(_NARROW, width - 4 - left))):
            mark = "!" if preempted and line == 0 else " "
            count = f"{run.length:>3}" if line == 0 else "   "
            yield f"{count}{mark}" + " " * left + text
    last = steps[-1]
    region = where.region(last[3])
    yield f"    last step: {names[last[0]]} at {point_name(last[1])}" + (
        f", {region}" if region else ""
    )


def _column(names: Sequence[str], width: int) -> int:
    least, most = ((each - 4) // len(names) for each in (WIDTH, width))
    return max(_NARROW, least, min(most, max(map(len, names)) + 1))


def heads(names: Sequence[str], column: int) -> list[str]:
    """The heading lines, with every name in full."""
    wrapped = (_wrapped(name, column - 1) for name in names)
    return [
        "".join(f"{part:<{column}}" for part in line).rstrip()
        for line in zip_longest(*wrapped, fillvalue="")
    ]


def _wrapped(text: str, width: int) -> list[str]:
    """Break the text into lines, after a separator where possible."""
    lines = [""]
    for part in re.findall(r".+?(?:[:_ ]|$)", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _could_go_on(steps: Sequence[Step], run: Run, before: Run) -> bool:
    return bool(steps[run.first][4] >> before.slot & 1)


def slept_out(step: Step) -> bool:
    """Whether the step is a sleep that timed out while other actors were runnable."""
    return bool(step[4]) and not step[4] >> step[0] & 1


def _cell(steps: Sequence[Step], run: Run, width: int) -> list[str]:
    """The functions of a run in order, each once; long runs are elided in the middle. A row belongs to one actor, so a name may extend
    into the next column. Continuation lines are indented."""
    sites: list[str] = []
    for step in steps[run.first : run.last]:
        site = point_name(step[1]).split("/")[0] if step[1] else "begin"
        if slept_out(step):
            site += _OUT_OF_TIME
        if site not in sites[-1:]:
            sites.append(site)
    if len(sites) > 5:
        slept = [site for site in sites[2:-2] if site.endswith(_OUT_OF_TIME)]
        sites = [*sites[:2], "...", *slept, *sites[-2:]]
    wrapped = (_wrapped(site, width - 1) for site in sites)
    return [f"{' ' * (number > 0)}{line}" for lines in wrapped for number, line in enumerate(lines)]
