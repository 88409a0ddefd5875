# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""``iommu_report_device_fault``: what the core does with one page request, one flow per generation (drivers/iommu/io-pgfault.c).

    v5.13 to v6.8  under dev->iommu->lock: keep a copy of a last request as pending, then hand the event to the registered handler, which is
                   ``iommu_queue_iopf``. An error goes back to the driver, and the driver answers a last request itself.
    v6.9           a counted fault_param; the group is built here and is itself the pending entry; the domain is chosen here; whatever
                   goes wrong with a group the core answers FAILURE. Without a fault_param there is no answer.
    v6.11 to v7.2  the attach handle first; whatever is missing is answered INVALID, also for a request that is not the last.
    gunthorpe      eight steps; no domain means that the device is told to ask again.

All run in the IRQ thread (or in a driver that injects an event) under the driver's iopf_lock, so reports of one IOMMU
are one after the other.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.fault cimport iommu_fault

cdef int iommu_report_device_fault(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
cdef int report_by_copy(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
cdef int report_to_domain(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
cdef int report_to_handle(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
cdef int report_or_restart(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
