# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The PASID of an address space in the age of the IOASID allocator (v5.11 to v6.1: drivers/iommu/iommu-sva-lib.c).

One PASID per mm in the set ``IOASID_SET_SVA``, with the mm as private data. v5.13 counts it by its binders; v5.18 takes it once and keeps
it with the mm. From v6.2 on a bitmap gives the numbers (``pasid.pxd``); a board uses one of the two.

    pasid_lock > the IOASID lock
    mm.pasid   written under pasid_lock, as one store; read by the fault path without it

    operation    may run against
    alloc, free  everything
    find         everything; it never waits and takes no lock

Contract: the caller of ``iommu_sva_free_pasid`` holds the structure of the mm (mm_count) until it has returned. A lookup that met the id
may be trying the mm until then: the last free waits for a grace period.

A death with pasid_lock held leaves an id without its mm or an mm without its id; the next holder frees the first, clears the second.
A binder that dies stays counted: the exit path of its tenant releases its binds.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef uint32_t iommu_sva_alloc_pasid(view *v, mm_struct *mm, uint32_t min, uint32_t max, int *err) noexcept nogil
cdef void iommu_sva_free_pasid(view *v, mm_struct *mm) noexcept nogil
cdef mm_struct *iommu_sva_find(view *v, uint32_t pasid, int *err) noexcept nogil
