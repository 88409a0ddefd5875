# SPDX-License-Identifier: MIT
"""Systems whose configurations cover every pair of values: a workload with processes, and schedules of random programs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from allpairspy import AllPairs
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.tools.configuration import PARAMETERS, Configuration, needs
from iopf.tools.lab.play.system import LabError, build_lab
from iopf.tools.lab.search.draw import draw
from iopf.tools.lab.search.fuzz import its_own_fault, known_failures, signature
from iopf.tools.lab.search.search import search
from iopf.tools.status import Status
from iopf.tools.stress.mix import default_mix
from iopf.tools.stress.run import configuration_of, resolve_stress
from iopf.tools.supervisor.run import measure

NAMES = list(PARAMETERS)
COVERING = [
    Configuration(**dict(zip(NAMES, values, strict=True)))
    for values in AllPairs(list(PARAMETERS.values()))
]
EACH = pytest.mark.parametrize("configuration", COVERING, ids=range(len(COVERING)))
GROUPS = 40
SCHEDULES = 100
PROGRAMS = 3


def test_every_pair_of_values_occurs() -> None:
    for one, other in combinations(NAMES, 2):
        pairs = {(getattr(each, one), getattr(each, other)) for each in COVERING}
        assert pairs == set(product(PARAMETERS[one], PARAMETERS[other])), (one, other)


def _workload(configuration: Configuration) -> dict[str, Any]:
    tables = configuration.tables()
    device = tables["device"]
    work = {**device["workload"], "groups": GROUPS, "pages": 512, "write_ratio": 0.3}
    return {
        "schema": 1,
        "system": {"name": "configuration", "seed": 1, "watchdog_s": 30.0},
        "iommu": tables["iommu"],
        "kernel": tables["kernel"],
        "faults": {"invalid_ratio": 0.05},
        "device": [{**device, "count": configuration.devices, "workload": work}],
        "tenant": [{"count": 2, "pages": 512, "vmas": 4}],
    }


@EACH
def test_a_workload_is_accounted_for(configuration: Configuration) -> None:
    """Every device finishes its groups: none is behind an IOMMU, in a queue or short of credits that nothing serves."""
    result = measure(resolve(None, (), made=Layer("test", _workload(configuration))))
    assert (result["status"], result["problems"]) == (Status.OK, []), result["configuration"]
    for device in result["per_device"]:
        assert device["device"]["groups_done"] >= GROUPS, device["name"]
        assert device["device"]["open_requests"] == 0


@pytest.mark.parametrize("generation", GENERATIONS)
def test_schedules_of_random_programs_fail_in_no_new_way(generation: str) -> None:
    """Each configuration of the generation, in fibers; a failure must be one of the catalogue."""
    known = known_failures(generation)
    played = 0
    for number, configuration in enumerate(
        each for each in COVERING if each.generation == generation
    ):
        random, programs = Random(number), 0
        while programs < PROGRAMS:
            drawn = draw(random, generation)
            if its_own_fault(drawn):
                continue
            tables = configuration.tables(needs(generation))
            device = {**tables["device"], "credits": 32, "count": drawn.numbers["devices"]}
            system = {**tables, "device": [device], "tenant": drawn.tables["tenant"]}
            try:
                with build_lab(*drawn.programs, **system) as lab:
                    found = search(lab, number, seconds=60, most=SCHEDULES)
            except (ScenarioError, LabError):
                continue  # a draw may be invalid, such as a line after `exit`
            programs += 1
            played += found.schedules
            assert found.what is None or signature(found.what) in known, (drawn, found.what)
    assert played > SCHEDULES * PROGRAMS


def test_a_seed_is_a_configuration() -> None:
    drawn = [configuration_of(8, "v7.2", seed) for seed in range(40)]
    assert drawn == [configuration_of(8, "v7.2", seed) for seed in range(40)]
    for name in ("units", "queues", "option", "handlers", "stop", "private_ratio"):
        assert set(Counter(getattr(each, name) for each in drawn)) == set(PARAMETERS[name]), name
    plain = resolve_stress(
        8, "v7.2", 3, default_mix(), flags={"system.duration_s": (1.0, "test")}
    ).scenario
    assert (plain.iommu.units, plain.kernel.queues, plain.kernel.options) == (1, "iommu", [])
