# SPDX-License-Identifier: MIT
"""Results of programs: of every line, of every named group, and the failed lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from iopf.emulator.board.snapshot import Snapshot
from iopf.emulator.program.actors import Kind
from iopf.emulator.spec import program as spec
from iopf.emulator.trace.program import RECORD, RECORD_BYTES
from iopf.tools.supervisor.plan import SystemPlan


def _records(plan: SystemPlan) -> Iterator[tuple[tuple[int, int], int, bytes]]:
    """((kind, index), first record, packed program) of every actor with a program."""
    assert plan.compiled is not None
    for index in plan.compiled.tenants:
        yield (int(Kind.TENANT), index), plan.tenants[index].first, plan.tenants[index].program
    for index in plan.compiled.devices:
        device = plan.devices[index]
        yield (int(Kind.DEVICE), index), device.params["program"], device.program
    for driver in plan.drivers:
        yield (int(Kind.DRIVER), driver.index), driver.first, driver.program


def lines_by_record(plan: SystemPlan) -> dict[int, str]:
    """The text of the line of each record of the programs, by its number on the board."""
    if plan.compiled is None:
        return {}
    return {
        first + number: source[2]
        for actor, first, _packed in _records(plan)
        for number, source in enumerate(plan.compiled.lines[actor])
        if source is not None
    }


def line_results(plan: SystemPlan, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every line in the order of the text: program, line, text, may_fail, result (0 or more, a negative errno, None: never run), runs
    and errors (number of runs, and of those that failed).

    The result of a line with several records is the first error."""
    if plan.compiled is None:
        return []
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for actor, first, packed in _records(plan):
        for number, source in enumerate(plan.compiled.lines[actor]):
            if source is None:
                continue
            program, line, text = source
            result = snapshot.result_of(first + number)
            flags = RECORD.unpack_from(packed, number * RECORD_BYTES)[1]
            entry = found.setdefault(
                (program, line),
                {
                    "program": program,
                    "line": line,
                    "text": text,
                    "may_fail": bool(flags & spec.FLAG_TRY),
                    "result": result,
                    "runs": 0,
                    "errors": 0,
                },
            )
            runs, errors = snapshot.runs_of(first + number)
            entry["runs"] = max(entry["runs"], runs)
            entry["errors"] += errors
            if result is None or (result < 0 and (entry["result"] or 0) >= 0):
                entry["result"] = result
    return [found[key] for key in sorted(found)]


def failed_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries of `line_results` that failed without `try`."""
    return [
        each
        for each in lines
        if each["result"] is not None and each["result"] < 0 and not each["may_fail"]
    ]


def failure_text(line: dict[str, Any]) -> str:
    """One of `failed_lines` as text."""
    return (
        f"program[{line['program']}].ops[{line['line']}] '{line['text']}' failed: "
        f"{os.strerror(-line['result'])}"
    )


def group_answers(plan: SystemPlan, snapshot: Snapshot) -> dict[str, dict[str, list[int]]]:
    """Per device the codes received for each label of its programs, and under 'others' those for no label."""
    if plan.compiled is None:
        return {}
    answers: dict[str, dict[str, list[int]]] = {}
    for index, device in enumerate(plan.devices):
        if index not in plan.compiled.devices:
            continue
        noted = snapshot.labels(index)
        names = plan.compiled.labels.get(index, [])
        mine = {name: list(noted.get(number, ())) for number, name in enumerate(names)}
        if spec.LABEL_OTHER in noted:
            mine["others"] = list(noted[spec.LABEL_OTHER])
        answers[device.name] = mine
    return answers
