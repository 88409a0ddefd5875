# SPDX-License-Identifier: MIT
"""Address spaces, and the worker that faults the pages of a group in."""

from __future__ import annotations

from iopf.emulator.check.model.objects import (
    EFAULT,
    ENOMEM,
    INVALID,
    SUCCESS,
    DomainKind,
    Group,
    Mm,
)
from iopf.emulator.check.model.state import State
from iopf.emulator.spec import program as spec


def handle_mm_fault(mm: Mm, page: int, perm: int) -> int:
    """SUCCESS if a mapping allows the access, else INVALID. A request without permissions counts as a read."""
    allowed = mm.pages.get(page, 0)
    wanted = perm & 7 or 1
    return SUCCESS if wanted & ~allowed == 0 else INVALID


def handle_group(state: State, mm: Mm | None, group: Group) -> int:
    """Handle the requests in order of arrival until one fails: the code is sticky. A dead mm gives INVALID, and so does a request without
    PASID (iommu_sva_handle_mm)."""
    if mm is None or not mm.alive:
        return INVALID
    for request in group.requests:
        state.counters["faults"] += 1
        if request.pasid is None or handle_mm_fault(mm, request.page, request.perm) != SUCCESS:
            return INVALID
        state.handled.append((_tenant_of(state, mm), request.page))
    return SUCCESS


def mm_of_pasid(state: State, group: Group) -> Mm | None:
    """v5.13: iommu_sva_find. The PASID is looked up in one space for all devices."""
    return state.pasids.get(group.last.slot)


def mm_of_array(state: State, group: Group) -> Mm | None:
    """v6.2: the domain is looked up when the worker runs."""
    handle = group.device.slots.get(group.last.slot)
    return handle.domain.mm if handle and handle.domain.kind == DomainKind.SVA else None


def mm_of_domain(state: State, group: Group) -> Mm | None:
    """Since v6.9: the domain that the report found."""
    return group.domain.mm if group.domain else None


def run_work(state: State) -> None:
    """Workers handle queued groups in order, unless they are held."""
    while state.work and not state.held & spec.HOLD_WORKERS:
        group = state.work.pop(0)
        state.use(group, "the worker")
        code = handle_group(state, state.flow.find_mm(state, group), group)
        state.flow.respond(state, group, code)
        state.flow.release(state, group)


def protect(mm: Mm, pages: range, prot: int) -> int:
    """mprotect: -ENOMEM if the range has a hole."""
    if any(page not in mm.pages for page in pages):
        return ENOMEM
    mm.pages.update(dict.fromkeys(pages, prot))
    return 0


def touch(mm: Mm, pages: range, prot: int) -> int:
    """CPU accesses: -EFAULT where no mapping allows one."""
    wrong = any(handle_mm_fault(mm, page, prot) != SUCCESS for page in pages)
    return EFAULT if wrong else 0


def _tenant_of(state: State, mm: Mm) -> int:
    """The first tenant whose address space it is, or -1."""
    return next((tenant.index for tenant in state.tenants if tenant.mm is mm), -1)
