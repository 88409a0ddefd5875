# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The handlers of fault-capable domains. Ownership of the group: see ``handlers.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.iommufd.eventq cimport iommufd_fault_iopf_handler
from iopf.emulator.kernel.core.handle_group cimport fault_rwx, iopf_handle_group
from iopf.emulator.kernel.core.queue cimport device_queue
from iopf.emulator.kernel.sva.sva_mm cimport sva_mmput
from iopf.emulator.kernel.core.workqueue cimport queue_work
from iopf.emulator.mm.mm cimport handle_mm_fault, mmget_not_zero
from iopf.emulator.board.board cimport note_event, view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_GROUP, POOL_MM
from iopf.emulator.board.config cimport OPTION_SYNC, QUEUES_DOMAIN
from iopf.emulator.board.ledger cimport EVENT_REFUSED, reach, uid_number
from iopf.emulator.board.objects cimport attach_handle, iommu_domain, iopf_group, mm_struct
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.queues cimport queue_at
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport EBUSY, EINVAL


cdef uint32_t ring_of(view *v, iopf_group *group, iommu_domain *domain) noexcept nogil:
    """The workqueue of a group: that of the device's iopf queue, or of the domain (QUEUES_DOMAIN)."""
    cdef uint32_t queue = read32(v.self, &v.devices[group.device].queue, SVA_IOPF_HANDLER)
    if v.cfg.queue_mode == QUEUES_DOMAIN and domain != NULL:
        return v.cfg.units + ref_index(pool_ref(v.pools[POOL_DOMAIN], &domain.hdr)) % (v.cfg.work_rings - v.cfg.units)
    if queue == 0 or queue > v.cfg.queues:
        queue = device_queue(v, group.device) + 1  # gunthorpe needs no queue to be added to
    return queue_at(v, queue - 1).ring % v.cfg.work_rings


cdef int queue_group(view *v, iopf_group *group, iommu_domain *domain) noexcept nogil:
    """queue_work for a group, or its handling here and now (OPTION_SYNC). 0, -EBUSY."""
    group.queued_ticks = crew_ticks(v.crew)
    note_event(v, group.queued_ticks, SVA_IOPF_HANDLER, uid_number(group.last.uid), <uint64_t>group.device << 32 | group.fault_count)
    if v.cfg.options & OPTION_SYNC:
        iopf_handle_group(v, pool_ref(v.pools[POOL_GROUP], &group.hdr), group.queued_ticks)
        return 0
    return queue_work(v, ring_of(v, group, domain), pool_ref(v.pools[POOL_GROUP], &group.hdr), group.queued_ticks)


cdef bint refused(view *v) noexcept nogil:
    """A program asked for so many groups to be refused by their handler."""
    cdef uint32_t n
    while True:
        n = ld32_rlx(&v.board.refuse)
        if iopf_likely(n == 0):
            return False
        if cas32(&v.board.refuse, n, n - 1):
            return True


cdef int domain_iopf_handler(view *v, iopf_group *group) noexcept nogil:
    """0, or a negative errno: the group is still the caller's."""
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], group.domain, SVA_IOPF_HANDLER)
    if domain == NULL:
        return EINVAL
    if refused(v):
        reach(v, EVENT_REFUSED)
        return EBUSY
    if domain.kind == DOMAIN_FAULT:
        return iommufd_fault_iopf_handler(v, group, domain)
    return queue_group(v, group, domain)


cdef void eager_fault(view *v, attach_handle *handle, iommu_fault *fault) noexcept nogil:
    """OPTION_EAGER: the page of a non-last request is faulted in by the IRQ thread. Its result is not kept: the worker asks again
    with the group, and finds the page present."""
    cdef mm_struct *mm = <mm_struct *>pool_try(v.self, v.pools[POOL_MM], handle.mm, SVA_IOPF_HANDLER)
    if mm == NULL or not mmget_not_zero(v, mm):
        return
    handle_mm_fault(v, mm, fault.addr, fault_rwx(fault))
    sva_mmput(v, mm)
