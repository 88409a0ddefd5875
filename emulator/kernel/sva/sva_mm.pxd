# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""PASIDs, and the release of an address space that is still bound.

One PASID per mm, from one global bitmap (v5.13 and v5.18 ask the IOASID allocator: ``sva_lib.pxd``), freed with the last
holder of the structure (2667ed10d9f0), so no live domain can lose its number.

    mm.pasid       written under sva_lock, published with release ordering; the fault path reads it
    PASID bitmap   under pasid_lock, which nests nothing

mm release has three phases: bound; quiet abort when the last user goes (table entry marked, device TLBs invalidated,
no flush of any workqueue, since a worker may be the last user); unbound when the driver's file is released.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef uint32_t pasid_alloc(view *v, uint32_t limit) noexcept nogil
cdef void pasid_free(view *v, uint32_t pasid) noexcept nogil
cdef void sva_mmput(view *v, mm_struct *mm) noexcept nogil
cdef void sva_mmdrop(view *v, mm_struct *mm) noexcept nogil
cdef void mm_invalidate_secondary_tlbs(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil
