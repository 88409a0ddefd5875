# SPDX-License-Identifier: MIT
"""Fault objects of iommufd: groups that user space reads and answers (since v6.11).

The faults of a group are read as records of 40 bytes (struct iommu_hwpt_pgfault), whole groups at a time, with one cookie per group. A
cookie is valid for one answer.
"""

from __future__ import annotations

from iopf.emulator.check.model.objects import (
    EBADF,
    EFAULT,
    EINVAL,
    ESPIPE,
    INVALID,
    SUCCESS,
    FaultObject,
    Group,
    Handle,
)
from iopf.emulator.check.model.state import State, Waiting
from iopf.emulator.check.model.teardown import answer_old_domain

RECORD_BYTES = 40


def read(state: State, number: int, size: int, *, mapped: bool = True) -> int:
    """read(fd): 0 unless it fails, whatever it returns; -ESPIPE for an invalid buffer size; -EFAULT, with nothing taken, if the copy
    fails."""
    sink = state.objects.get(number)
    if sink is None:
        return EBADF
    if size % RECORD_BYTES:
        return ESPIPE
    room = size // RECORD_BYTES
    while sink.deliver:
        state.use(sink.deliver[0], "read() of a fault object")
        if len(sink.deliver[0].requests) > room:
            break
        if not mapped:
            return EFAULT
        group = sink.deliver.pop(0)
        room -= len(group.requests)
        cookie = len(sink.read) + 1
        sink.response[cookie] = group
        sink.read.append(cookie)
    return 0


def write(state: State, number: int, nth: int, cookie: int | None, code: int) -> int:
    """write(fd): answers one group. -EINVAL for other codes and for cookies that are not outstanding."""
    sink = state.objects.get(number)
    if sink is None:
        return EBADF
    if cookie is None:
        if nth >= len(sink.read):
            return EINVAL
        cookie = sink.read[nth]
    if code not in (SUCCESS, INVALID) or cookie not in sink.response:
        return EINVAL
    _answer(state, sink.response.pop(cookie), code, "write() to a fault object")
    return 0


def _answer(state: State, group: Group, code: int, who: str) -> None:
    state.use(group, who)
    state.flow.respond(state, group, code)
    state.flow.release(state, group)


def serve(state: State, number: int, groups: int, code: int) -> Waiting:
    """A VMM's loop: read groups as they arrive, and answer each."""
    sink = state.objects.get(number)
    if sink is None:
        return EBADF
    for _ in range(groups):
        while not sink.deliver:
            yield "user space waits for a fault"
        _answer(state, sink.deliver.pop(0), code, "user space")
    return 0


def close(state: State, number: int) -> int:
    """release(fd): everything pending is answered INVALID."""
    sink = state.objects.pop(number, None)
    if sink is None:
        return EBADF
    for group in [*sink.deliver, *sink.response.values()]:
        _answer(state, group, INVALID, "release() of a fault object")
    return 0


def auto_response(state: State, sink: FaultObject, handle: Handle) -> None:
    """iommufd_auto_response_faults: the groups of a removed handle are answered INVALID."""
    for group in [g for g in sink.deliver if g.handle is handle]:
        sink.deliver.remove(group)
        _answer(state, group, INVALID, "the automatic response")
    for cookie, group in list(sink.response.items()):
        if group.handle is handle:
            del sink.response[cookie]
            _answer(state, group, INVALID, "the automatic response")


def auto_restart(state: State, sink: FaultObject, handle: Handle) -> None:
    """The proposal: the groups are answered SUCCESS and marked; user space frees them with its own answer."""
    every = [*sink.deliver, *sink.response.values()]
    answer_old_domain(state, [group for group in every if group.handle is handle])
