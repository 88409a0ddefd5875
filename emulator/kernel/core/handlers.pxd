# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What happens to a group that is complete: queued for a worker, handled at once, or handed to user space.

``domain_iopf_handler`` is the ``iopf_handler`` of the group's domain; it runs in the IRQ thread with no core lock
held. After it has returned 0 the group has another owner and the caller does not read it again.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.fault cimport iommu_fault
from iopf.emulator.board.objects cimport attach_handle, iommu_domain, iopf_group

cdef int domain_iopf_handler(view *v, iopf_group *group) noexcept nogil
cdef int queue_group(view *v, iopf_group *group, iommu_domain *domain) noexcept nogil
cdef void eager_fault(view *v, attach_handle *handle, iommu_fault *fault) noexcept nogil
