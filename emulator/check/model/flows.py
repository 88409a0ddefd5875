# SPDX-License-Identifier: MIT
"""The functions of each generation. Generations share functions that are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from iopf.emulator.check.model import memory, report, teardown, userspace
from iopf.emulator.check.model.objects import Device, FaultObject, Group, Handle, Mm, Request
from iopf.emulator.check.model.state import State, Waiting


@dataclass(frozen=True, slots=True)
class Flow:
    """One generation.

    `driver_answers`: the driver answers a last request after a failed report. `user_space`: faults
    can go to user space. `user_owns`: user space takes a group off the pending list.
    `enabled_by_attach`: a device is on the queue while a domain with a handler is attached.
    `registers`: drivers register a fault handler. `refuses_rid`: the driver of the IOMMU refuses
    requests without PASID. `pasid_by_bond`: the last unbind of an mm frees its PASID.
    """

    name: str
    report: Callable[[State, Request], int]
    find_mm: Callable[[State, Group], Mm | None]
    respond: Callable[[State, Group, int], None]
    release: Callable[[State, Group], None]
    remove: Callable[[State, Device], None]
    flush: Callable[[State, Device], Waiting]
    end_handle: Callable[[State, FaultObject, Handle], None]
    driver_answers: bool = False
    user_space: bool = False
    user_owns: bool = False
    enabled_by_attach: bool = False
    registers: bool = False
    refuses_rid: bool = False
    pasid_by_bond: bool = False


_V5_13 = Flow(
    name="v5.13",
    report=report.report_by_copy,
    find_mm=memory.mm_of_pasid,
    respond=report.respond_by_copy,
    release=report.release,
    remove=teardown.remove_leaving,
    flush=teardown.flush_queue,
    end_handle=userspace.auto_response,
    driver_answers=True,
    registers=True,
    refuses_rid=True,
    pasid_by_bond=True,
)
_V5_18 = replace(_V5_13, name="v5.18", pasid_by_bond=False)
_V6_2 = replace(_V5_18, name="v6.2", find_mm=memory.mm_of_array)
_V6_9 = replace(
    _V6_2,
    name="v6.9",
    report=report.report_to_domain,
    find_mm=memory.mm_of_domain,
    respond=report.respond_if_pending,
    remove=teardown.remove_answering,
    driver_answers=False,
    registers=False,
)
_V6_11 = replace(_V6_9, name="v6.11", report=report.report_to_handle, user_space=True)
_V6_13 = replace(_V6_11, name="v6.13", refuses_rid=False)
_V6_14 = replace(_V6_13, name="v6.14", remove=teardown.remove_freeing)
_V6_16 = replace(_V6_14, name="v6.16", enabled_by_attach=True)
_V7_2 = replace(_V6_16, name="v7.2", respond=report.respond_always, user_owns=True)
_GUNTHORPE = replace(
    _V6_13,
    name="gunthorpe",
    report=report.report_or_restart,
    respond=report.respond_unless_marked,
    remove=teardown.remove_acknowledging,
    flush=teardown.flush_domains,
    end_handle=userspace.auto_restart,
)

FLOWS: dict[str, Flow] = {
    flow.name: flow
    for flow in (
        _V5_13,
        _V5_18,
        _V6_2,
        _V6_9,
        _V6_11,
        _V6_13,
        _V6_14,
        _V6_16,
        _V7_2,
        _GUNTHORPE,
    )
}
