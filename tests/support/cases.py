# SPDX-License-Identifier: MIT
"""Cases of the fate table run by the real processes, with observations in the form of the expectations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iopf.emulator.check.case import Case, Expected, document, observed
from iopf.tools.supervisor.run import run_document

_REASONS = (
    "overflow",
    "overflow, partial discarded",
    "device removed",
    "no memory",
    "refused by the tables",
)


def run_real(
    case: Case, generation: str, options: Sequence[str] = ()
) -> tuple[Expected, dict[str, Any]]:
    """The observation, and the whole result for a message; ``options``: of the kernel."""
    scenario = document(case, generation)
    scenario["kernel"]["options"] = list(options)
    scenario["checks"] = {**scenario.get("checks", {}), "warnings": "count"}
    result = run_document(scenario)
    names = [device["name"] for device in result["per_device"]]
    responses = {
        (names.index(device), label): codes
        for device, labels in result["answers"].items()
        for label, codes in labels.items()
    }
    found = findings(result)
    # The supervisor stops a run some time after a finding: how far lines with `try` get is random.
    errors = case.expected[generation].errors
    results = [
        errors.get(i, 0) if found and line["may_fail"] else min(line["result"] or 0, 0)
        for i, line in enumerate(result["programs"])
    ]
    account = result["account"]["lost"]
    lost = {reason: account.get(reason, 0) for reason in _REASONS}
    pool = result["pools"]["group"]
    groups = (pool["allocs"], pool["frees"])
    return observed(responses, results, lost, groups, found), result


def findings(result: dict[str, Any]) -> tuple[str, ...]:
    """The verdicts of a run in the words of the cases."""
    found = []
    for problem in result["problems"]:
        if problem.startswith("use after free: group"):
            user = (
                "read() of a fault object"
                if "in fault_read" in problem
                else "the automatic response"
                if "in auto_response" in problem
                else "the worker"
                if "in worker_handle" in problem
                else problem
            )
            found.append(
                f"use after free of a group: freed by iopf_queue_remove_device, used by {user}"
            )
        else:
            found.append(problem)
    return tuple(found)
