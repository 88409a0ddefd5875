# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Attach handles: what a (device, PASID) is attached to, and changing it under fire.

Slot 0 of a device's arrays is the RID: requests without PASID. A handle holds one user of its domain.

    pasid array (handles)   written under group_lock; read without it by the fault path
    PASID table (entries)   written under group_lock; read by hardware and devices; ``mm release`` marks an entry quiet by compare-and-swap

Attach reserves the slot, switches the hardware, then stores the handle. Replace is atomic for DMA: the entry changes
in one store, so there is no moment at which the device is blocked, and faults of the old and the new domain are mixed
in the queue. The old handle is freed after the drain (or, for user space, the auto-response). No reference is taken
by a fault: that is what the drain is for.

The IOPF count. v6.16 (17fce9d2336d): a device is put on its queue with the first fault-capable attachment and taken
off with the last, after the drain. Before, it is on the queue from probe to release.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport attach_handle, iommu_domain
from iopf.emulator.spec.fault cimport iommu_fault

cdef attach_handle *iommu_attach_handle_get(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
cdef attach_handle *find_fault_handler(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
cdef int attach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, iommu_domain *domain) noexcept nogil
cdef void detach_locked(view *v, uint32_t dev, uint32_t pasid, attach_handle *handle, bint stop) noexcept nogil
cdef void stop_pasid(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
cdef void iopf_put(view *v, uint32_t dev) noexcept nogil
cdef void end_by_drain(view *v, uint32_t dev, uint32_t pasid, iommu_domain *domain) noexcept nogil
cdef void end_by_acknowledging(view *v, uint32_t dev, uint32_t pasid, iommu_domain *domain) noexcept nogil
cdef void auto_respond(view *v, attach_handle *old, iommu_domain *domain) noexcept nogil
cdef void leave_to_user(view *v, attach_handle *old, iommu_domain *domain) noexcept nogil
