# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The VMAs of one address space: a sorted array, searched by halving. Changed under the mmap write lock, read under the read lock."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_VMAS
from iopf.emulator.board.objects cimport mm_struct, vma

cdef enum:
    VMA_SHARED = 1
    VMA_ANONYMOUS = 2
    PROT_READ = 1
    PROT_WRITE = 2
    PROT_EXEC = 4

cdef inline vma *mm_vmas(view *v, uint32_t mm_index) noexcept nogil:
    return <vma *>view_region(v, OFF_VMAS) + <uint64_t>mm_index * v.cfg.max_vmas

cdef inline uint32_t vma_lower(const vma *a, uint32_t n, uint64_t address) noexcept nogil:
    """Index of the first VMA that ends above the address; n when there is none."""
    cdef uint32_t low = 0, high = n, mid
    while low < high:
        mid = (low + high) >> 1
        if a[mid].end <= address:
            low = mid + 1
        else:
            high = mid
    return low

cdef inline vma *vma_lookup(view *v, mm_struct *mm, uint32_t mm_index, uint64_t address) noexcept nogil:
    """The VMA that contains the address, or NULL."""
    cdef vma *a = mm_vmas(v, mm_index)
    cdef uint32_t n = mm.nvmas, i
    if n > v.cfg.max_vmas:
        return NULL
    i = vma_lower(a, n, address)
    if i == n or a[i].start > address:
        return NULL
    return a + i

cdef int vma_carve(view *v, mm_struct *mm, uint32_t mm_index, uint64_t start, uint64_t end) noexcept nogil
cdef int vma_insert(view *v, mm_struct *mm, uint32_t mm_index, uint64_t start, uint64_t end, uint32_t prot, uint32_t flags) noexcept nogil
