# SPDX-License-Identifier: MIT
"""`iopf bench`: select benchmarks by name, run them, print tables and write JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from iopf.tools.bench import report
from iopf.tools.bench.harness import PROGRESS, Outcome, Plan
from iopf.tools.cli.output import is_quiet, written

# Name -> module; each has `run(plan: Plan) -> Outcome`. Loaded on use.
BENCHMARKS = {
    "queue": "iopf.tools.bench.queues",
    "path": "iopf.tools.bench.path",
    "kernel": "iopf.tools.bench.kernel",
    "proposal": "iopf.tools.bench.proposal",
    "waiting": "iopf.tools.bench.waiting",
    "size": "iopf.tools.bench.size",
    "growth": "iopf.tools.bench.growth",
    "start": "iopf.tools.bench.start",
}
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(names: list[str], json_out: bool, repeat: int, quick: bool, output: Path | None) -> int:
    """Run the given benchmarks, or all. Returns the exit status.

    1: a contender of this emulator failed or lost records. 2: unknown name. Raises OutputError.
    """
    problems = [_unknown(name) for name in names if name not in BENCHMARKS]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return USAGE
    PROGRESS.quiet = is_quiet()
    document, failures, interrupted = _run(names or list(BENCHMARKS), Plan(repeat, quick), json_out)
    text = json.dumps(document, indent=1, allow_nan=False)
    if json_out:
        print(text)
    if output is not None:
        written(output, lambda: output.write_text(text + "\n"))
    for failure in failures:
        print(failure, file=sys.stderr)
    if interrupted:
        return INTERRUPTED
    return FAILED if failures else 0


def _unknown(name: str) -> str:
    near = get_close_matches(name, BENCHMARKS, 1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; expected one of {', '.join(BENCHMARKS)}"
    return f"no benchmark '{name}'{hint}"


def _run(names: list[str], plan: Plan, json_out: bool) -> tuple[dict[str, Any], list[str], bool]:
    from iopf.tools.bench import environment

    document: dict[str, Any] = {
        "schema": "iopf/1",
        "type": "bench",
        "machine": environment.describe(),
        "rounds": plan.rounds,
        "quick": plan.quick,
        "benchmarks": {},
    }
    failures: list[str] = []
    interrupted = False
    for name in names:
        began = time.monotonic()
        try:
            outcome: Outcome = importlib.import_module(BENCHMARKS[name]).run(plan)
        except KeyboardInterrupt:
            interrupted = True
            break
        finally:
            PROGRESS.clear()
        took_s = round(time.monotonic() - began, 3)
        document["benchmarks"][name] = {**outcome.document, "took_s": took_s}
        failures += [f"{name}: {failure}" for failure in outcome.failures]
        if not json_out:
            report.show(outcome.tables)
    document["failures"] = failures
    document["interrupted"] = interrupted
    return document, failures, interrupted
