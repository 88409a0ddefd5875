# SPDX-License-Identifier: MIT
"""The devices and tenants of a run, one by one: `count = N` unrolled and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iopf.emulator.scenario.schema import Device, Scenario, Tenant


@dataclass(frozen=True, slots=True)
class DeviceInstance:
    """One device: its name, the index of its [[device]] entry, and that entry."""

    name: str
    entry: int
    spec: Device


@dataclass(frozen=True, slots=True)
class TenantInstance:
    """One tenant: its name, the index of its [[tenant]] entry, and that entry."""

    name: str
    entry: int
    spec: Tenant


def _names(specs: Sequence[Device | Tenant], prefix: str) -> list[tuple[str, int]]:
    """Entries without a name are numbered through the whole run: dev-00, dev-01, …"""
    names: list[tuple[str, int]] = []
    for entry, spec in enumerate(specs):
        for number in range(spec.count):
            if spec.name is None:
                names.append((f"{prefix}-{len(names):02}", entry))
            elif spec.count == 1:
                names.append((spec.name, entry))
            else:
                names.append((f"{spec.name}-{number}", entry))
    return names


def devices(scenario: Scenario) -> list[DeviceInstance]:
    """Every device of the run, in the order of the scenario."""
    specs = scenario.device
    return [DeviceInstance(name, entry, specs[entry]) for name, entry in _names(specs, "dev")]


def tenants(scenario: Scenario) -> list[TenantInstance]:
    """Every tenant of the run, in the order of the scenario."""
    specs = scenario.tenant
    return [TenantInstance(name, entry, specs[entry]) for name, entry in _names(specs, "tenant")]


def answers_to(instance: DeviceInstance | TenantInstance, name: str) -> bool:
    """Whether a name in the scenario refers to this instance: its own name, or that of its entry."""
    return name in (instance.name, instance.spec.name)


def binds(tenant: TenantInstance, device: DeviceInstance) -> bool:
    """Whether the tenant binds the device."""
    wanted = tenant.spec.bind
    return wanted == "all" or any(answers_to(device, name) for name in wanted)
