# SPDX-License-Identifier: MIT
"""Reporting a fault, assembling its group, handing it over, answering it: by generation.

    v5.13, v6.2   report keeps a copy of the last request and calls the handler of the IOPF queue
    v6.9          one object per device; the domain is chosen here; returns nothing
    v6.11 ...     the attach handle is looked up first; a fault without one is answered at once
    gunthorpe     set a non-last aside first; no domain: restart; count groups per domain
Every report returns 0 or -errno as the driver's interrupt thread sees it.
"""

from __future__ import annotations

from iopf.emulator.check.model.objects import (
    EINVAL,
    ENODEV,
    ENOMEM,
    EOPNOTSUPP,
    FAILURE,
    INVALID,
    SUCCESS,
    DomainKind,
    FaultParam,
    Group,
    Handle,
    Request,
)
from iopf.emulator.check.model.state import State
from iopf.emulator.spec import classes

PAGE_REQ = 1


def _keep_partial(state: State, param: FaultParam, request: Request) -> int:
    """Keep a copy of a non-last request for its group: 0 or -ENOMEM."""
    if not state.alloc(classes.POOL_FAULT):
        state.lost["no memory"] += 1
        return ENOMEM
    param.partial.append(request)
    return 0


def _collect(param: FaultParam, last: Request) -> list[Request]:
    """The requests of a group. Partials are matched by group index alone, not by PASID (4.8)."""
    found = [request for request in param.partial if request.prgi == last.prgi]
    param.partial[:] = [request for request in param.partial if request.prgi != last.prgi]
    return [*found, last]


def report_by_copy(state: State, request: Request) -> int:
    """v5.13 to v6.8: iommu_report_device_fault around iommu_queue_iopf."""
    device = request.device
    if not device.handler:
        return EINVAL
    if request.kind != PAGE_REQ:
        return EOPNOTSUPP
    param = device.param
    if param is None:
        return ENODEV
    if not request.last:
        return _keep_partial(state, param, request)
    if not state.alloc(classes.POOL_GROUP):
        partials = len(_collect(param, request)) - 1
        if partials:
            state.lost["no memory"] += partials
        return ENOMEM
    group = Group(_collect(param, request), param)
    group.pending = True
    device.copies.append(group)
    state.counters["groups"] += 1
    state.work.append(group)
    return 0


def respond_by_copy(state: State, group: Group, code: int) -> None:
    """v5.13 to v6.8: iommu_page_response finds the copy by PRGI, answers, and frees it.

    Nothing pending: "no pending PRQ, drop response", and the device gets nothing.
    """
    match = next((g for g in group.device.copies if g.last.prgi == group.last.prgi), None)
    if match is None:
        return
    group.device.copies.remove(match)
    match.pending = False
    state.answer(group.last, code)


def _assemble(state: State, param: FaultParam, last: Request) -> Group | None:
    """iopf_group_alloc. Without memory a group on the stack takes the partials, is answered FAILURE, and freed."""
    requests = _collect(param, last)
    if not state.alloc(classes.POOL_GROUP):
        state.answer(last, FAILURE)
        return None
    group = Group(requests, param, pending=True)
    param.faults.append(group)
    state.counters["groups"] += 1
    return group


def _hand_over(state: State, group: Group, handle: Handle | None) -> None:
    """Call the domain's handler; without one, or if it refuses, abort the group with FAILURE."""
    refused = state.refuse > 0
    state.refuse -= refused
    if handle is None or not handle.domain.handles_faults or refused:
        state.flow.respond(state, group, FAILURE)
        state.free(group, "the abort path")
        return
    group.handle, group.domain = handle, handle.domain
    if handle.domain.kind == DomainKind.SVA:
        state.work.append(group)
        return
    if state.flow.user_owns:
        dequeue(group)
    assert handle.domain.sink is not None
    handle.domain.sink.deliver.append(group)


def dequeue(group: Group) -> None:
    """v7.2: iopf_group_dequeue. The caller becomes the only owner of the group (738e6f32e61d)."""
    assert group.param is not None
    group.param.faults.remove(group)
    group.pending = False


def report_to_domain(state: State, request: Request) -> int:
    """v6.9: returns nothing, so the driver always sees 0. Without a fault_param there is no answer (4.18)."""
    param = request.device.param
    if param is None:
        return 0
    if not request.last:
        _keep_partial(state, param, request)
        return 0
    group = _assemble(state, param, request)
    if group is not None:
        _hand_over(state, group, request.device.slots.get(request.slot))
    return 0


def report_to_handle(state: State, request: Request) -> int:
    """Since v6.11: no handle with a handler, or no fault_param: answered INVALID, last or not (4.19)."""
    handle = request.device.slots.get(request.slot)
    param = request.device.param
    if handle is None or not handle.domain.handles_faults or param is None:
        if request.kind == PAGE_REQ:
            state.answer(request, INVALID)
        return EINVAL
    if not request.last:
        return _keep_partial(state, param, request)
    group = _assemble(state, param, request)
    if group is not None:
        _hand_over(state, group, handle)
    return 0


def report_or_restart(state: State, request: Request) -> int:
    """The proposal: a non-last request is set aside first, and a fault without a fault domain restarts."""
    param = request.device.param
    if param is None:  # step 2: the first fault allocates it
        param = request.device.param = FaultParam()
    if not request.last:
        return _keep_partial(state, param, request)
    handle = request.device.slots.get(request.slot)
    if handle is None or not handle.domain.handles_faults:
        _collect(param, request)
        state.answer(request, SUCCESS)
        return 0
    group = _assemble(state, param, request)
    if group is not None:
        _hand_over(state, group, handle)
    return 0


def _unlink(group: Group) -> None:
    if group.pending and group.param is not None:
        group.param.faults.remove(group)
    group.pending = False


def respond_if_pending(state: State, group: Group, code: int) -> None:
    """v6.9 to v7.1: iopf_group_response has an effect only for a group on the pending list."""
    state.use(group, "iopf_group_response")
    if group.pending:
        _unlink(group)
        state.answer(group.last, code)


def respond_always(state: State, group: Group, code: int) -> None:
    """v7.2: answers whether or not the group is on the list; the owner calls it once."""
    state.use(group, "iopf_group_response")
    _unlink(group)
    state.answer(group.last, code)


def respond_unless_marked(state: State, group: Group, code: int) -> None:
    """The proposal: a group answered by teardown is marked, and a late answer has no effect."""
    state.use(group, "iopf_group_response")
    _unlink(group)
    if not group.answered:
        group.answered = True
        state.answer(group.last, code)


def release(state: State, group: Group) -> None:
    """Called when the owner, a worker or user space, has finished with the group."""
    state.free(group, "its owner")
