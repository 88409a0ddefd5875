# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Editing the sorted array of VMAs. All calls hold the mmap write lock (or own an mm that is not visible yet)."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memmove

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport mm_struct, vma
from iopf.emulator.spec.errno cimport ENOMEM


cdef int vma_open(view *v, mm_struct *mm, vma *a, uint32_t at) noexcept nogil:
    """Makes room for one VMA at index ``at``; -ENOMEM when the mm has as many as it may."""
    if mm.nvmas >= v.cfg.max_vmas:
        return ENOMEM
    memmove(a + at + 1, a + at, <uint64_t>(mm.nvmas - at) * sizeof(vma))
    mm.nvmas += 1
    return 0


cdef void vma_close(mm_struct *mm, vma *a, uint32_t at, uint32_t count) noexcept nogil:
    memmove(a + at, a + at + count, <uint64_t>(mm.nvmas - at - count) * sizeof(vma))
    mm.nvmas -= count


cdef int vma_split(view *v, mm_struct *mm, vma *a, uint64_t address) noexcept nogil:
    """Makes ``address`` a border; 0 or -ENOMEM."""
    cdef uint32_t i = vma_lower(a, mm.nvmas, address)
    if i == mm.nvmas or a[i].start >= address:
        return 0
    if vma_open(v, mm, a, i) != 0:
        return ENOMEM
    a[i] = a[i + 1]
    a[i].end = address
    a[i + 1].start = address
    return 0


cdef int vma_carve(view *v, mm_struct *mm, uint32_t mm_index, uint64_t start, uint64_t end) noexcept nogil:
    """Removes [start, end) from all VMAs; 0, or -ENOMEM with every VMA still covering what it did."""
    cdef vma *a = mm_vmas(v, mm_index)
    cdef uint32_t first, last
    if vma_split(v, mm, a, start) != 0 or vma_split(v, mm, a, end) != 0:
        return ENOMEM
    first = vma_lower(a, mm.nvmas, start)
    last = first
    while last < mm.nvmas and a[last].start < end:
        last += 1
    if last > first:
        vma_close(mm, a, first, last - first)
    return 0


cdef int vma_insert(view *v, mm_struct *mm, uint32_t mm_index, uint64_t start, uint64_t end, uint32_t prot, uint32_t flags) noexcept nogil:
    """Adds [start, end), which overlaps nothing, and merges it with equal neighbours as the kernel does; 0 or -ENOMEM."""
    cdef vma *a = mm_vmas(v, mm_index)
    cdef uint32_t i = vma_lower(a, mm.nvmas, start)
    if i > 0 and a[i - 1].end == start and a[i - 1].prot == prot and a[i - 1].flags == flags:
        a[i - 1].end = end
        if i < mm.nvmas and a[i].start == end and a[i].prot == prot and a[i].flags == flags:
            a[i - 1].end = a[i].end
            vma_close(mm, a, i, 1)
        return 0
    if i < mm.nvmas and a[i].start == end and a[i].prot == prot and a[i].flags == flags:
        a[i].start = start
        return 0
    if vma_open(v, mm, a, i) != 0:
        return ENOMEM
    a[i].start = start
    a[i].end = end
    a[i].prot = prot
    a[i].flags = flags
    return 0
