# SPDX-License-Identifier: MIT
"""Removing a device from its queue, discarding partials, flushing and draining: by generation."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.check.model.objects import ENODEV, INVALID, SUCCESS, Device, FaultParam, Group
from iopf.emulator.check.model.state import State, Waiting


def discard_partial(state: State, reason: str) -> None:
    """iopf_queue_discard_partial: the partials of all devices are freed without an answer.

    The hardware has answered the last requests lost by the overflow, so an answer to a partial would be the second one of its group. The
    proposed flow is equal.
    """
    for device in state.devices:
        if device.param is not None:
            _forget(state, device.param, reason)


def _forget(state: State, param: FaultParam, reason: str) -> None:
    if param.partial:
        state.lost[reason] += len(param.partial)
        param.partial.clear()


def remove_leaving(state: State, device: Device) -> None:
    """v5.13, v6.2: partials are freed; groups stay with their workers and get no answer here (4.14)."""
    if device.param is not None:
        _forget(state, device.param, "device removed")
        device.param = None


def remove_answering(state: State, device: Device) -> None:
    """v6.9, v6.11 (0095bf83554f): pending groups are answered INVALID and unlinked; the owner frees them."""
    _remove(state, device, lambda group: None)


def remove_freeing(state: State, device: Device) -> None:
    """Since v6.14 (9759ae2cee7c): pending groups are freed as well, even if another owner holds them (4.21, 4.22)."""
    _remove(state, device, lambda group: state.free(group, "iopf_queue_remove_device"))


def _remove(state: State, device: Device, then: Callable[[Group], None]) -> None:
    param = device.param
    if param is None:
        return
    _forget(state, param, "device removed")
    for group in reversed(param.faults[:]):
        state.flow.respond(state, group, INVALID)
        then(group)
    device.param = None


def remove_acknowledging(state: State, device: Device) -> None:
    """The proposal: partial and pending groups are answered SUCCESS, so that the device restarts.

    This marks a group; a late answer of its owner has no effect, and the owner frees it.
    """
    param = device.param
    if param is None:
        return
    seen: set[int] = set()
    for request in param.partial:
        if request.prgi not in seen:
            seen.add(request.prgi)
            state.answer(request, SUCCESS)
    param.partial.clear()
    for group in reversed(param.faults[:]):
        state.flow.respond(state, group, SUCCESS)
    device.param = None


def answer_old_domain(state: State, groups: list[Group]) -> None:
    """The proposal, at a change of translation: groups of the old domain are answered SUCCESS and marked."""
    for group in groups:
        state.flow.respond(state, group, SUCCESS)


def flush_queue(state: State, device: Device) -> Waiting:
    """iopf_queue_flush_dev: waits for the groups of all devices of the queue; 0, -ENODEV."""
    if device.param is None:
        return ENODEV
    while state.work:
        yield "a flush waits for the workers"
    return 0


def flush_domains(state: State, device: Device) -> Waiting:
    """The proposal has no flush of the queue: a domain is freed when its count of groups is 0.

    Here the count is taken from the work queue. Groups of user space were answered and marked before.
    """
    if device.param is None:
        return ENODEV
    while any(group.device is device for group in state.work):
        yield "the groups of a domain wait for the workers"
    return 0


def drain(state: State, device: Device, slot: int) -> Waiting:
    """intel_iommu_drain_pasid_prq: wait until the queue has nothing of (device, PASID), then flush."""
    if device.param is None:
        return 0
    while any(r is not None and r.device is device and r.slot == slot for r in state.ring):
        yield "a drain waits for the interrupt thread"
    yield from state.flow.flush(state, device)
    return 0
