# SPDX-License-Identifier: MIT
"""VT-d: the decision table, the page request queue, and the interrupt thread that reads it.

Rules in their order of precedence (VT-d specification, revision 5.10, 7.4 and 7.7):

    no PASID entry, or one of a dead address space   last: Invalid by the hardware; else dropped
    PRO is set, or the queue is full (PRO := 1)      last: Success by the hardware; else dropped
    otherwise                                        queued; an interrupt
A queue of N records holds N - 1. PRO is cleared when the queue is empty and the partials are gone.
"""

from __future__ import annotations

from iopf.emulator.check.model.objects import INVALID, RID, SUCCESS, Request
from iopf.emulator.check.model.state import State
from iopf.emulator.check.model.teardown import discard_partial
from iopf.emulator.spec import program as spec


def submit(state: State, request: Request) -> None:
    """One request arrives from a device."""
    device = request.device
    present = request.slot == RID or request.slot in device.slots
    if not present or request.slot in device.quiet:
        _not_queued(state, request, INVALID, "refused by the tables")
        return
    if state.overflow or len(state.ring) >= state.records - 1:
        state.overflow = True
        _not_queued(state, request, SUCCESS, "overflow")
        return
    state.ring.append(request)
    interrupt(state)


def marker(state: State) -> None:
    """A stop marker takes one record of the queue; the driver drops it."""
    if not state.overflow and len(state.ring) < state.records - 1:
        state.ring.append(None)
        interrupt(state)


def _not_queued(state: State, request: Request, code: int, reason: str) -> None:
    if request.last:
        state.answer(request, code)
    else:
        state.lost[reason] += 1


def interrupt(state: State) -> None:
    """A pass of the interrupt thread, unless it is held: report everything, then handle overflow."""
    if state.held & spec.HOLD_IRQ:
        return
    while state.ring:
        batch, state.ring = state.ring, []
        for request in batch:
            if request is not None:
                _handle(state, request)
    if state.overflow:
        discard_partial(state, "overflow, partial discarded")
        state.overflow = False


def _handle(state: State, request: Request) -> None:
    """Handle one record. To v6.8 the driver answers a last request that the core refused; to v6.12 it refuses requests
    without PASID."""
    if state.flow.refuses_rid and request.slot == RID:
        if request.last:
            state.answer(request, INVALID)
        return
    ret = state.flow.report(state, request) if request.device.registered else -1
    driver_answers = state.flow.driver_answers or not request.device.registered
    if ret and driver_answers and request.last:
        state.answer(request, INVALID)
