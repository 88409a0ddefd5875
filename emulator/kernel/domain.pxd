# cython: language_level=3, cdivision=True
"""Domains and attach handles: what a (device, PASID) is attached to, and changing it under fire (spec/kernel.md 2.4, 2.5).

Slot 0 of a device's arrays is the RID: requests without PASID. A handle holds one user of its domain. Kinds of domain: blocking (no
table entry, so the hardware refuses), identity (nothing ever faults, hardware refuses requests), paging (a table, no fault
handler), fault (a table, faults go to a fault object of user space), SVA.

    pasid array (handles)   written under group_lock; read without it by the fault path
    PASID table (entries)   written under group_lock; read by hardware and devices; ``mm release`` marks an entry quiet by compare-and-swap
    domain.users            under sva_lock

Attach reserves the slot, switches the hardware, then stores the handle. Replace is atomic for DMA: the entry changes
in one store, so there is no moment at which the device is blocked, and faults of the old and the new domain are mixed
in the queue. The old handle is freed after the drain (or, for user space, the auto-response). No reference is taken
by a fault: that is what the drain is for.

The IOPF count. v7.2 (17fce9d2336d): a device is put on its queue with the first fault-capable attachment and taken
off with the last, after the drain. Before, it is on the queue from probe to release.
"""

from libc.stdint cimport uint32_t, uint64_t

from emulator.spec.board cimport *
from emulator.spec.program cimport DOMAIN_FAULT, DOMAIN_SVA

cdef attach_handle *find_fault_handler(view *v, uint32_t dev, fault_event *evt) noexcept nogil
cdef attach_handle *iommu_attach_handle_get(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
cdef iommu_domain *domain_alloc(view *v, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef void reap_locked(view *v) noexcept nogil
cdef void domain_reap(view *v) noexcept nogil
cdef void domain_free(view *v, iommu_domain *domain) noexcept nogil
cdef void domain_put(view *v, iommu_domain *domain) noexcept nogil
cdef int attach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, iommu_domain *domain) noexcept nogil
cdef void detach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, bint stop) noexcept nogil
cdef int iommu_attach_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef int iommu_replace_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef int iommu_detach_handle(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
cdef void stop_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil

cdef inline bint domain_takes_faults(iommu_domain *domain) noexcept nogil:
    return domain.kind == DOMAIN_SVA or domain.kind == DOMAIN_FAULT
