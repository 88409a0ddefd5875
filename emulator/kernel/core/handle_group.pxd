# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Handling one group: fault its pages in, answer it, free it.

Runs in a worker, or in the IRQ thread (OPTION_SYNC). The running process owns the group: the IRQ thread published it
through the work ring. It takes the mmap lock for reading, once per page, and fault_param.lock to answer; nothing that
a flusher may hold. It may be the last user of an address space, which then ends here. After the first request that
fails no further one of the group is handled, and the answer is INVALID.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport iopf_group, mm_struct
from iopf.emulator.spec.fault cimport *

cdef void iopf_handle_group(view *v, uint64_t group_ref, uint64_t taken_ticks) noexcept nogil
cdef mm_struct *mm_of_pasid(view *v, iopf_group *group, uint32_t *event) noexcept nogil
cdef mm_struct *mm_of_array(view *v, iopf_group *group, uint32_t *event) noexcept nogil
cdef mm_struct *mm_of_domain(view *v, iopf_group *group, uint32_t *event) noexcept nogil
cdef mm_struct *mm_of_handle(view *v, iopf_group *group, uint32_t *event) noexcept nogil

cdef inline uint32_t fault_rwx(const iommu_fault *fault) noexcept nogil:
    """Read, write and execute as ``handle_mm_fault`` takes them."""
    return fault.perm & (IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE | IOMMU_FAULT_PERM_EXEC)
