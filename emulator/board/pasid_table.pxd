# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What a device finds under a PASID: the table that the IOMMU walks, and the kernel's array of attach handles."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_PASID_ARRAYS, OFF_PASID_TABLES

# A PASID table entry: bit 0 present, bit 1 quiet abort, bit 2 pass through (an identity domain: every address is granted),
# bits 8..31 mm index + 1, bits 32..63 low half of the mm's id.
cdef enum:
    PTE_PRESENT = 1
    PTE_QUIET = 2
    PTE_PASS = 4

cdef inline uint64_t pasid_entry(uint32_t mm_index, uint64_t mm_id) noexcept nogil:
    return PTE_PRESENT | <uint64_t>((mm_index + 1) & 0xFFFFFF) << 8 | (mm_id & <uint64_t>0xFFFFFFFF) << 32

cdef inline uint64_t *pasid_table(view *v, uint32_t dev) noexcept nogil:
    """The PASID table that the IOMMU walks: kernel writes, hardware and devices read."""
    return <uint64_t *>view_region(v, OFF_PASID_TABLES) + <uint64_t>dev * v.cfg.max_pasids

cdef inline uint64_t *pasid_array(view *v, uint32_t dev) noexcept nogil:
    """The group's attach handles by PASID: written under group_lock, read under RCU."""
    return <uint64_t *>view_region(v, OFF_PASID_ARRAYS) + <uint64_t>dev * v.cfg.max_pasids
