# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Attach, replace and detach as iommufd does them for user space: each attachment has its own domain.

All run under sva_lock, and group_lock of the device inside it, so they are one after the other with bind, unbind and the release of a
device; the fault path runs against all of them.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef int iommu_attach_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef int iommu_replace_handle(view *v, uint32_t dev, uint32_t pasid, uint32_t kind, mm_struct *mm, uint32_t fault_object) noexcept nogil
cdef int iommu_detach_handle(view *v, uint32_t dev, uint32_t pasid) noexcept nogil
