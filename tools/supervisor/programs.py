"""What programs did: the result of every line, what came for every named group, and lines that failed."""

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
    """((kind, index), first record, packed program) of every actor that runs one."""
    assert plan.compiled is not None
    for index in plan.compiled.tenants:
        yield (int(Kind.TENANT), index), plan.tenants[index].first, plan.tenants[index].program
    for index in plan.compiled.devices:
        device = plan.devices[index]
        yield (int(Kind.DEVICE), index), device.params["program"], device.program
    for driver in plan.drivers:
        yield (int(Kind.DRIVER), driver.index), driver.first, driver.program


def line_results(plan: SystemPlan, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Every line in the order of the text: program, line, text, may_fail, result (0 or more, a negative errno, None: never run),
    runs and errors (how often it was run, and ended with an error).

    A line of several records has the first result that is an error."""
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
    """Those of `line_results` that ended with an error although they were not only tried."""
    return [
        each
        for each in lines
        if each["result"] is not None and each["result"] < 0 and not each["may_fail"]
    ]


def failure_text(line: dict[str, Any]) -> str:
    """One of `failed_lines`, in words."""
    return (
        f"program[{line['program']}].ops[{line['line']}] '{line['text']}' failed: "
        f"{os.strerror(-line['result'])}"
    )


def group_answers(plan: SystemPlan, snapshot: Snapshot) -> dict[str, dict[str, list[int]]]:
    """Per device the codes that came for each label of its programs, and under 'others' what came for no group."""
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
