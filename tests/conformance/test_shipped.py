# SPDX-License-Identifier: MIT
"""Shipped scenarios under every kernel generation: the same programs, the fates of the table."""

from __future__ import annotations

from typing import Any

import pytest
from iopf.emulator.check.fates import Fate, cell
from iopf.emulator.check.model.run import run_case
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.scenario.shipped import scenario_names
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.tools.supervisor.run import measure

from tests.support.running import shortened

CODE = {Fate.SUCCESS: [0], Fate.INVALID: [1], Fate.FAILURE: [15]}


def run(name: str, generation: str) -> dict[str, Any]:
    flags = {"kernel.generation": (generation, "test"), "system.seed": (7, "test")}
    result = measure(resolve(name, shortened(name), flags, environ={}))
    assert result["problems"] == []
    assert result["status"] == 0
    return result


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_passes_under_every_kernel(name: str, generation: str) -> None:
    result = run(name, generation)
    account = result["account"]
    assert account["in_flight"] == 0
    for event, times in result["fates"].items():
        if cell(event, generation).fate is Fate.ABSENT:
            assert times == 0, event
    if name == "overflow":
        # The hardware answers last requests that it loses; partials that wait then are discarded, whatever the kernel.
        assert account["auto_success"] > 0
        assert result["iommu"]["discards"] > 0


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_life_cycle_gives_the_fates_of_the_table(generation: str) -> None:
    answers = run("life-cycle", generation)["answers"]["dev-00"]
    assert answers["served"] == CODE[cell("last", generation).fate]
    assert answers["unmapped"] == CODE[cell("page-error", generation).fate]
    assert answers["overtaken"] == CODE[cell("page-error", generation).fate]
    refused = cell("refused", generation).fate
    assert answers["refused"] == ([0] if refused is Fate.ABSENT else CODE[refused])
    torn = cell("remove-partial", generation).fate
    assert answers["torn"] == CODE.get(torn, [])
    assert answers["again"] == [0]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_model_agrees_about_the_life_cycle(generation: str) -> None:
    ops = resolve("life-cycle", environ={}).scenario.program[0].ops
    expected = run_case(ops, generation).responses
    answers = run("life-cycle", generation)["answers"]["dev-00"]
    named = {label: codes for (_, label), codes in expected.items() if label in answers}
    assert {label: list(codes) for label, codes in named.items()} == answers
