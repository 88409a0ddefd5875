# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Address spaces: the model of mm_struct, VMAs, page table and faults, in the arena.

The interface is ``fault(mm, address, permission) -> SUCCESS | INVALID`` and map, unmap, protect, zap, move, fork, exit. An mm
has two counts, as in the kernel: ``users`` (the address space is alive; the tenant and each fault being handled) and ``count``
(the structure is; ``users`` as a whole holds one, an SVA domain another). ``mm_id`` never repeats.

    users, count   any holder of a reference, atomically
    VMAs           the mmap write lock; read under the read lock
    page table     pgtable.pxd
    pasid, domain  iommu_sva_lock; ``pasid`` is read by the fault path without it, published with release ordering
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct

cdef uint64_t mm_alloc(view *v, uint32_t ten) noexcept nogil
cdef bint mmget_not_zero(view *v, mm_struct *mm) noexcept nogil
cdef bint mmput_last(view *v, mm_struct *mm) noexcept nogil
cdef void mm_exit_tables(view *v, mm_struct *mm) noexcept nogil
cdef void mmgrab(view *v, mm_struct *mm) noexcept nogil
cdef bint mmdrop(view *v, mm_struct *mm) noexcept nogil
cdef uint32_t mm_index_of(view *v, mm_struct *mm) noexcept nogil
cdef uint32_t handle_mm_fault(view *v, mm_struct *mm, uint64_t address, uint32_t rwx) noexcept nogil
cdef int mm_map(view *v, mm_struct *mm, uint64_t start, uint64_t end, uint32_t prot, uint32_t flags) noexcept nogil
cdef int mm_unmap(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil
cdef int mm_protect(view *v, mm_struct *mm, uint64_t start, uint64_t end, uint32_t prot) noexcept nogil
cdef int mm_zap(view *v, mm_struct *mm, uint64_t start, uint64_t end) noexcept nogil
cdef int mm_move(view *v, mm_struct *mm, uint64_t old_start, uint64_t old_end, uint64_t start, uint64_t end) noexcept nogil
cdef int mm_fork(view *v, mm_struct *parent, mm_struct *child) noexcept nogil
