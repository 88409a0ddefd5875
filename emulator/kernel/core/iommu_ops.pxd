# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""``iommu_ops``: what the core asks of the driver of an IOMMU. A profile of the hardware has one (VT-d: ``kernel/vtd/ops.pyx``).

    page_response          answers a request; posted: the caller does not wait for the hardware
    set_dev_pasid          one store changes what a (device, PASID) translates to; entry 0 blocks it. Caller holds group_lock
    flush_dev_iotlb        the device drops its translations of a PASID; returns when it has
    flush_dev_iotlb_range  the same for ``pages`` pages from ``start`` (pages 0: all), posted; ``sync`` of its unit waits for it
    sync                   returns when IOMMU ``unit`` has executed every command submitted before
    drain                  returns when no request of (device, PASID) is left between the function and the end of its handling.
                           Contract: the translation is gone or points elsewhere. Never called in a worker: it waits for workers
    fence                  returns when every request that the device has sent is reported
    settle                 returns when every request of the device that is in the hardware queue now is reported
    enable_faults          the IOMMU takes page requests of the device, the device may send them
    block_faults           the IOMMU takes no more page requests of the device; those in the queue stay
    disable_faults         the device may not send page requests
    idle                   no command and no page request waits in the queues of an IOMMU; ``held``: page requests may wait
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.fault cimport iommu_fault

cdef struct iommu_ops:
    void (*page_response)(view *v, const iommu_fault *fault, uint32_t code) noexcept nogil
    void (*set_dev_pasid)(view *v, uint32_t dev, uint32_t pasid, uint64_t entry, uint32_t site) noexcept nogil
    void (*flush_dev_iotlb)(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
    void (*flush_dev_iotlb_range)(view *v, uint32_t dev, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil
    void (*sync)(view *v, uint32_t unit, uint32_t site) noexcept nogil
    void (*drain)(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
    void (*fence)(view *v, uint32_t dev) noexcept nogil
    void (*settle)(view *v, uint32_t dev) noexcept nogil
    void (*enable_faults)(view *v, uint32_t dev, uint32_t site) noexcept nogil
    void (*block_faults)(view *v, uint32_t dev, uint32_t site) noexcept nogil
    void (*disable_faults)(view *v, uint32_t dev, uint32_t site) noexcept nogil
    bint (*idle)(view *v, uint32_t unit, bint held) noexcept nogil

cdef inline const iommu_ops *ops_of(view *v) noexcept nogil:
    return <const iommu_ops *>v.ops
