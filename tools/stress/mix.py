# SPDX-License-Identifier: MIT
"""The operations of a stress run, with one weight per operation."""

from __future__ import annotations

from collections.abc import Mapping

import click
from iopf.emulator.scenario.errors import did_you_mean

WEIGHT_MAX = 1_000_000

# Tenants, VMMs, devices and drivers choose among their own operations, so weights are relative within each.
TENANT = {
    "rest": 60,
    "bind": 12,
    "unbind": 2,
    "rebind": 1,
    "map": 4,
    "unmap": 2,
    "protect": 2,
    "zap": 2,
    "touch": 2,
    "exec": 1,
    "spawn": 1,
}
VMM = {
    "serve": 8,
    "read": 1,
    "write": 1,
    "close": 1,
    "attach": 2,
    "replace": 1,
    "detach": 8,
}
DEVICE = {
    "send": 20,
    "open": 5,
    "hole": 1,
    "stray": 1,
    "user": 40,
    "access": 8,
    "marker": 1,
    "await": 6,
    "idle": 12,
}
DRIVER = {
    "quiet": 12,
    "remove": 2,
    "unqueue": 2,
    "flush": 2,
    "report": 1,
    "fail": 2,
    "refuse": 1,
    "overflow": 2,
    "backlog": 1,
    "ioasid": 1,
}
MEANING = {
    "rest": "tenants: pause some milliseconds",
    "bind": "tenants: bind one of their devices, often again",
    "unbind": "tenants: unbind with the full drain",
    "rebind": "tenants: unbind and bind at once",
    "map": "tenants: map memory",
    "unmap": "tenants: unmap memory, often during a fault",
    "protect": "tenants: make memory read-only",
    "zap": "tenants: drop pages and keep the mapping",
    "touch": "tenants: the CPU's own accesses",
    "exec": "tenants: replace the address space while devices are bound",
    "spawn": "tenants: exit and start again, so that the PASID is reused",
    "serve": "VMMs: read some groups of a fault object and answer them",
    "read": "VMMs: read groups and keep them",
    "write": "VMMs: answer with an invalid cookie",
    "close": "VMMs: close the fault object and open another one",
    "attach": "VMMs: attach a domain to a PASID",
    "replace": "VMMs: replace it under load",
    "detach": "VMMs: detach it",
    "send": "devices: a page request group to a bound PASID",
    "open": "devices: a group whose last request comes later",
    "hole": "devices: a request where nothing is mapped",
    "stray": "devices: a group to an unused PASID",
    "user": "devices: a group to a PASID of a VMM",
    "access": "devices: accesses through the translation cache",
    "marker": "devices: a stop marker",
    "await": "devices: wait for all answers",
    "idle": "devices: pause",
    "quiet": "drivers: pause some milliseconds",
    "remove": "drivers: hot unplug, then plug again",
    "unqueue": "drivers: iopf_queue_remove_device without a drain, then add again",
    "flush": "drivers: iopf_queue_flush_dev",
    "report": "drivers: inject fault reports, some of them not page requests",
    "fail": "drivers: the n-th allocation of a pool fails",
    "refuse": "drivers: handlers refuse the next groups",
    "overflow": "drivers: stop the interrupt thread until the queue overflows",
    "backlog": "drivers: stop the handlers",
    "ioasid": "drivers: allocate an IOASID, look it up and free it",
}

Mix = Mapping[str, int]


def default_mix() -> dict[str, int]:
    """All operations with their default weights."""
    return {**TENANT, **VMM, **DEVICE, **DRIVER}


def parse_mix(text: str | None) -> dict[str, int]:
    """Parse `bind=20,exec=0` on top of the defaults. Raises click.UsageError for an invalid entry."""
    mix = default_mix()
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, equals, number = (word.strip() for word in part.partition("="))
        if name not in mix:
            raise click.UsageError(
                f"--mix: no operation '{name}'{did_you_mean(name, list(mix))}; see iopf help stress"
            )
        if not equals or not number.isascii() or not number.isdigit() or int(number) > WEIGHT_MAX:
            raise click.UsageError(
                f"--mix: expected {name}=WEIGHT with a weight from 0 to {WEIGHT_MAX}, got '{part.strip()}'"
            )
        mix[name] = int(number)
    for part_name, operations in (("tenants", TENANT), ("devices", DEVICE), ("drivers", DRIVER)):
        if not any(mix[name] for name in operations):
            raise click.UsageError(f"--mix: all operations of {part_name} have weight 0")
    return mix


def help_lines() -> list[str]:
    """Every operation with its weight and meaning, for the help page."""
    mix = default_mix()
    return [f"  {name:<10}{mix[name]:>4}  {text}" for name, text in MEANING.items()]
