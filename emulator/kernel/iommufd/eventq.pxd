# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Faults to user space: the fault object of iommufd (drivers/iommu/iommufd/eventq.c), since v6.11.

Who has a group: the handler puts it on ``deliver`` (IRQ thread), a read moves it to ``response`` under a cookie, a
write of the cookie answers and frees it. Detach, replace and close answer INVALID to the rest in both.

    deliver, head, count    under ``common``, which the IRQ thread takes; innermost, no wait for user space inside (4.67)
    response, next_cookie   under ``mutex``, held across reads, writes and auto-responses; takes common and fault_param.lock
    the eventfd             readable if and only if deliver is not empty: written and cleared under ``common``
    users                   1 while the descriptor is open, 1 per domain that delivers here; under sva_lock

v7.2: the handler takes the group off the pending list before user space can read it, so it has one owner. Before, it
stays pending as well, and removing the device answers it there.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport iommu_domain, iopf_group

cdef enum:
    PGFAULT_BYTES = 40           # struct iommu_hwpt_pgfault
    PGFAULT_PASID_VALID = 1
    PGFAULT_LAST_PAGE = 2

cdef int fault_object_alloc(view *v, uint32_t index) noexcept nogil
cdef int fault_object_close(view *v, uint32_t index) noexcept nogil
cdef void fault_object_get(view *v, uint32_t index) noexcept nogil
cdef void fault_object_put(view *v, uint32_t index) noexcept nogil
cdef int iommufd_fault_iopf_handler(view *v, iopf_group *group, iommu_domain *domain) noexcept nogil
cdef int64_t iommufd_fault_read(view *v, uint32_t index, char *buffer, uint64_t size, uint32_t *count) noexcept nogil
cdef int64_t iommufd_fault_write(view *v, uint32_t index, uint32_t cookie, uint32_t code) noexcept nogil
cdef void iommufd_auto_response_faults(view *v, uint32_t index, uint64_t handle_ref) noexcept nogil
