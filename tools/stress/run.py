# SPDX-License-Identifier: MIT
"""`iopf stress`: a scenario of random programs, run and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Flags, Resolved, resolve
from iopf.emulator.scenario.schema import TENANTS_MAX
from iopf.emulator.spec.kernels import since
from iopf.tools.stress.mix import Mix
from iopf.tools.stress.programs import PAGES, Shape, stress_programs

FIRST_WITH_FAULT_OBJECTS = "v6.11"
RECORDS_PER_DEVICE = 16  # fewer than the possible outstanding requests, so that the queue overflows
DEVICES_PER_TENANT = 8
DEVICES_PER_VMM = 16
VMMS_MAX = 4


def shape_of(devices: int, generation: str) -> Shape:
    """Number of tenants and VMMs for a number of devices. Generations without fault objects have no VMMs."""
    delivers = generation in since(FIRST_WITH_FAULT_OBJECTS)
    vmms = min(VMMS_MAX, 1 + devices // DEVICES_PER_VMM) if delivers else 0
    tenants = max(2, min(TENANTS_MAX - 2 * VMMS_MAX, devices // DEVICES_PER_TENANT))
    return Shape(devices, tenants, vmms)


def document(
    devices: int, generation: str, seed: int, mix: Mix, *, strict: bool = False
) -> dict[str, Any]:
    """The scenario as plain tables, below the values of the command line."""
    shape = shape_of(devices, generation)
    records = max(128, 1 << (devices * RECORDS_PER_DEVICE - 1).bit_length())
    return {
        "schema": 1,
        "system": {"name": "stress", "seed": seed, "watchdog_s": 30.0},
        "iommu": {"prq_records": min(records, 16384)},
        "kernel": {"generation": generation},
        "faults": {
            "minor_ns": 2000,
            "major_ns": 200_000,
            "major_ratio": 0.05,
            "jitter": "exponential",
        },
        "checks": dict.fromkeys(("known", "warnings"), "fail" if strict else "count"),
        "device": [{"count": devices, "credits": 32}],
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
    sets: Sequence[str] = (),
    flags: Flags | None = None,
) -> Resolved:
    """The checked scenario. Raises ScenarioError."""
    made = Layer("iopf stress", document(devices, generation, seed, mix, strict=strict))
    return resolve(None, sets, flags, made=made)
