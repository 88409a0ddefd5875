# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The work of a group. Locks and ownership: see ``handle_group.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.histogram cimport hist_add
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.sva.sva_lib cimport iommu_sva_find
from iopf.emulator.kernel.sva.sva_mm cimport sva_mmput
from iopf.emulator.mm.mm cimport handle_mm_fault, mmget_not_zero
from iopf.emulator.board.board cimport note_event, view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_FAULT, POOL_GROUP, POOL_HANDLE, POOL_MM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.latency cimport STAGE_MM, STAGE_REPORT, STAGE_RESPOND, STAGE_WORK, stage_hist
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport *
from iopf.emulator.board.pasid_table cimport pasid_array
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.sites cimport *

cdef enum:
    WORK_GROUPS = 0          # actor.work: groups, faults, groups answered INVALID, groups without an mm
    WORK_FAULTS = 1
    WORK_INVALID = 2
    WORK_NO_MM = 3


cdef void check_generation(view *v, mm_struct *mm, iopf_group *group) noexcept nogil:
    """The address space that handles a fault is the one that the PASID had when the hardware took the request (I14)."""
    cdef uint32_t asked = stamp_generation(group.last.stamp)
    if iopf_likely(asked == 0 or asked == <uint32_t>(mm.mm_id & 0xFFFFFF)):
        return
    xadd64_rlx(&v.devices[group.device].kern.stale_pasid, 1)
    if not flow_of(v).acknowledges:  # whose device may ask again for the next owner
        verdict_raise(v.self, VERDICT_STALE_PASID, POOL_MM, pool_ref(v.pools[POOL_MM], &mm.hdr), uid_number(group.last.uid), 0,
                      group.device, WORKER_HANDLE)


cdef mm_struct *mm_get(view *v, uint64_t ref, uint32_t *event) noexcept nogil:
    """The address space with a user taken, or NULL: it is dying."""
    cdef mm_struct *mm = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], ref, WORKER_HANDLE)
    event[0] = EVENT_MM_DEAD
    if defect(v, DEFECT_MM_WITHOUT_GET):
        return mm
    return mm if mm != NULL and mmget_not_zero(v, mm) else NULL


cdef mm_struct *mm_of_pasid(view *v, iopf_group *group, uint32_t *event) noexcept nogil:
    """v5.13 to v6.1: asks for the PASID's address space now."""
    cdef mm_struct *mm
    cdef int err = 0
    event[0] = EVENT_NO_DOMAIN
    if not fault_pasid_valid(&group.last):
        return NULL
    mm = iommu_sva_find(v, group.last.pasid, &err)
    if err == 0:
        event[0] = EVENT_MM_DEAD
    return mm


cdef mm_struct *mm_of_handle_ref(view *v, uint64_t ref, uint32_t *event) noexcept nogil:
    cdef attach_handle *handle = <attach_handle *>pool_deref(v.self, v.pools[POOL_HANDLE], ref, WORKER_HANDLE)
    event[0] = EVENT_MM_DEAD
    return mm_get(v, handle.mm, event) if handle != NULL else NULL


cdef mm_struct *mm_of_array(view *v, iopf_group *group, uint32_t *event) noexcept nogil:
    """v6.2 to v6.8: loads the domain of the PASID now, without the group mutex."""
    cdef uint64_t ref = 0
    cdef uint32_t pasid = group.last.pasid
    event[0] = EVENT_NO_DOMAIN
    if fault_pasid_valid(&group.last) and pasid < v.cfg.max_pasids:
        if defect(v, DEFECT_GROUP_MUTEX_VS_FLUSH):
            mutex_lock(v.self, &v.devices[group.device].group_lock, WORKER_HANDLE)
            mutex_unlock(v.self, &v.devices[group.device].group_lock, WORKER_HANDLE)
        ref = ld64_acq(&pasid_array(v, group.device)[pasid])
    return mm_of_handle_ref(v, ref, event) if ref != 0 else NULL


cdef mm_struct *mm_of_domain(view *v, iopf_group *group, uint32_t *event) noexcept nogil:
    """v6.9, gunthorpe: the group has kept the domain."""
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], group.domain, WORKER_HANDLE)
    event[0] = EVENT_MM_DEAD
    return mm_get(v, domain.mm, event) if domain != NULL else NULL


cdef mm_struct *mm_of_handle(view *v, iopf_group *group, uint32_t *event) noexcept nogil:
    """v6.11 and later: the handle names it."""
    return mm_of_handle_ref(v, group.handle, event)


cdef uint32_t handle_fault(view *v, mm_struct *mm, const iommu_fault *fault) noexcept nogil:
    """A request without PASID belongs to no address space, whatever group it is in."""
    if iopf_unlikely(not fault_pasid_valid(fault)):
        return IOMMU_PAGE_RESP_INVALID
    return handle_mm_fault(v, mm, fault.addr, fault_rwx(fault))


cdef uint32_t handle_faults(view *v, mm_struct *mm, iopf_group *group) noexcept nogil:
    """Every request in order of arrival until one fails: after that none is handled and the group is INVALID."""
    cdef uint32_t at = group.faults.first, seen = 0, code = IOMMU_PAGE_RESP_SUCCESS
    cdef objhdr *node
    while seen <= v.pools[POOL_FAULT].capacity:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, at, WORKER_HANDLE)
        if node == NULL:
            break
        v.self.work[WORK_FAULTS] += 1
        code = handle_fault(v, mm, &(<iopf_fault *>node).fault)
        if code != IOMMU_PAGE_RESP_SUCCESS:
            return code
        at = node.next
        seen += 1
    v.self.work[WORK_FAULTS] += 1
    return handle_fault(v, mm, &group.last)


cdef uint32_t iommu_sva_handle_mm(view *v, iopf_group *group) noexcept nogil:
    """The response code of a group: INVALID when the handle, the domain or the address space is gone."""
    cdef uint32_t code, event = 0
    cdef mm_struct *mm = flow_of(v).find_mm(v, group, &event)
    if mm == NULL:
        v.self.work[WORK_NO_MM] += 1
        if event == EVENT_NO_DOMAIN:
            reach_no_domain(v, group.fault_count - 1)
        else:
            reach(v, event)
        return IOMMU_PAGE_RESP_INVALID
    check_generation(v, mm, group)
    code = handle_faults(v, mm, group)
    if code != IOMMU_PAGE_RESP_SUCCESS:
        reach(v, EVENT_PAGE_ERROR)
    sva_mmput(v, mm)
    return code


cdef void iopf_handle_group(view *v, uint64_t group_ref, uint64_t taken_ticks) noexcept nogil:
    cdef iopf_group *group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], group_ref, WORKER_HANDLE)
    cdef uint64_t done
    cdef uint32_t code
    if group == NULL:
        return
    hist_add(stage_hist(v, v.self.slot, STAGE_REPORT), crew_ticks_ns(v.crew, stamp_age(group.last.stamp, group.queued_ticks)))
    if taken_ticks > group.queued_ticks:
        hist_add(stage_hist(v, v.self.slot, STAGE_WORK), crew_ticks_ns(v.crew, taken_ticks - group.queued_ticks))
    code = iommu_sva_handle_mm(v, group)
    done = crew_ticks(v.crew)
    hist_add(stage_hist(v, v.self.slot, STAGE_MM), crew_ticks_ns(v.crew, done - taken_ticks))
    v.self.work[WORK_GROUPS] += 1
    note_event(v, done, IOPF_GROUP_RESPONSE, uid_number(group.last.uid), <uint64_t>group.device << 32 | code)
    if code != IOMMU_PAGE_RESP_SUCCESS:
        v.self.work[WORK_INVALID] += 1
    flow_of(v).respond(v, group, code)
    hist_add(stage_hist(v, v.self.slot, STAGE_RESPOND), crew_ticks_ns(v.crew, crew_ticks(v.crew) - done))
    iopf_free_group(v, group, WORKER_HANDLE)
