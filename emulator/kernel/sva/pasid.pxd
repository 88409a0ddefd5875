# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The PASID of an address space, by generation: where it comes from, and how long it stays.

    v5.13    the IOASID allocator; every bond holds the number, the last one frees it, and the next process may get it at once
    v5.18    the IOASID allocator; the number stays with the mm until its structure is freed (701fac40384f, 2667ed10d9f0)
    v6.2     one global bitmap; the same lifetime

``pasid_get`` and ``pasid_put`` are called under sva_lock. ``pasid_end`` is called when the last holder frees the structure: with no lock,
or under sva_lock when that holder is a bond; with defect 4.54 already when the last user goes.
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef int pasid_get_by_bond(view *v, uint32_t dev, mm_struct *mm) noexcept nogil
cdef int pasid_get_once(view *v, uint32_t dev, mm_struct *mm) noexcept nogil
cdef int pasid_get_from_bitmap(view *v, uint32_t dev, mm_struct *mm) noexcept nogil
cdef void pasid_put_by_bond(view *v, mm_struct *mm) noexcept nogil
cdef void pasid_keep(view *v, mm_struct *mm) noexcept nogil
cdef void pasid_end_by_bond(view *v, mm_struct *mm) noexcept nogil
cdef void pasid_end_once(view *v, mm_struct *mm) noexcept nogil
cdef void pasid_end_in_bitmap(view *v, mm_struct *mm) noexcept nogil
