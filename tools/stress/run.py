# SPDX-License-Identifier: MIT
"""`iopf stress`: a scenario of random programs on a random configuration, run and checked."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Flags, Resolved, resolve
from iopf.emulator.scenario.schema import TENANTS_MAX
from iopf.emulator.spec.kernels import since
from iopf.tools.configuration import Configuration, draw_configuration
from iopf.tools.stress.mix import Mix
from iopf.tools.stress.programs import PAGES, Shape, stress_programs

FIRST_WITH_FAULT_OBJECTS = "v6.11"
RECORDS_PER_DEVICE = 16  # fewer than the possible outstanding requests, so that the queue overflows
DEVICES_PER_TENANT = 8
DEVICES_PER_VMM = 16
VMMS_MAX = 4
HANDLERS = 8


def shape_of(devices: int, generation: str) -> Shape:
    """Number of tenants and VMMs for a number of devices. Generations without fault objects have no VMMs."""
    delivers = generation in since(FIRST_WITH_FAULT_OBJECTS)
    vmms = min(VMMS_MAX, 1 + devices // DEVICES_PER_VMM) if delivers else 0
    tenants = max(2, min(TENANTS_MAX - 2 * VMMS_MAX, devices // DEVICES_PER_TENANT))
    return Shape(devices, tenants, vmms)


def configuration_of(devices: int, generation: str, seed: int) -> Configuration:
    """The configuration that a seed draws. Queue and credits follow from the number of devices."""
    return draw_configuration(Random(seed), devices=devices, generation=generation)


def document(
    devices: int,
    generation: str,
    seed: int,
    mix: Mix,
    *,
    strict: bool = False,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """The scenario as plain tables, below the values of the command line. Without `configuration` everything but the sizes is as in a
    default scenario."""
    shape = shape_of(devices, generation)
    records = max(128, 1 << (devices * RECORDS_PER_DEVICE - 1).bit_length())
    drawn = {} if configuration is None else configuration.tables()
    device = drawn.get("device", {})
    return {
        "schema": 1,
        "system": {"name": "stress", "seed": seed, "watchdog_s": 30.0},
        "iommu": {**drawn.get("iommu", {}), "prq_records": min(records, 16384)},
        "kernel": {"handlers": HANDLERS, **drawn.get("kernel", {}), "generation": generation},
        "faults": {
            "minor_ns": 2000,
            "major_ns": 200_000,
            "major_ratio": 0.05,
            "jitter": "exponential",
        },
        "checks": dict.fromkeys(("known", "warnings"), "fail" if strict else "count"),
        "device": [{**device, "count": devices, "credits": 32}],
        "tenant": [{"count": shape.all_tenants, "pages": PAGES, "vmas": 1}],
        "program": [{"ops": ops} for ops in stress_programs(shape, seed, mix)],
    }


def resolve_stress(
    devices: int,
    generation: str,
    seed: int,
    mix: Mix,
    *,
    strict: bool = False,
    configuration: Configuration | None = None,
    sets: Sequence[str] = (),
    flags: Flags | None = None,
) -> Resolved:
    """The checked scenario. Raises ScenarioError."""
    tables = document(devices, generation, seed, mix, strict=strict, configuration=configuration)
    made = Layer("iopf stress", tables)
    return resolve(None, sets, flags, made=made)
