# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Page tables: four levels of 512 entries, as x86-64 has them, in pages of the arena.

An entry is 0 or: bit 0 present, bit 1 writable, bit 2 executable; above the leaf also bits 12..35 index + 1 of the next table.

    entry above the leaf   installed once by compare-and-swap (two faults may race; the loser frees its table), cleared at exit
    leaf                   set by compare-and-swap under the mmap read lock, changed and cleared under the write lock
    readers                faults, the IOMMU and the devices' translation requests: acquire loads, no lock
Every index is checked before it is followed, since a walker may run while its mm goes away.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.pool cimport OBJ_LIVE, objhdr, pool, pool_slot, pool_try
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_MM, POOL_TABLE
from iopf.emulator.board.objects cimport mm_struct, table_page
from iopf.emulator.board.pasid_table cimport PTE_PASS, PTE_PRESENT, PTE_QUIET, pasid_table
from iopf.emulator.spec.sites cimport PAGE_WALK

cdef enum:
    PT_PRESENT = 1
    PT_WRITE = 2
    PT_EXEC = 4
    PT_LEVELS = 4
    PASSED_THROUGH = 0xFFFFFFFF  # walker.mm_id of an entry that passes every address through
    ADDRESS_LIMIT_BITS = 47      # mmap() gives nothing above without being asked, on five levels too (DEFAULT_MAP_WINDOW)

cdef inline uint64_t table_entry(uint32_t index) noexcept nogil:
    return PT_PRESENT | <uint64_t>(index + 1) << 12

cdef inline uint32_t level_index(uint64_t address, uint32_t level) noexcept nogil:
    """Level 3 is the root, level 0 holds the leaves."""
    return <uint32_t>(address >> (12 + 9 * level)) & 511

cdef inline table_page *table_of(view *v, uint64_t entry) noexcept nogil:
    cdef pool *p = v.pools[POOL_TABLE]
    cdef uint32_t index1 = <uint32_t>(entry >> 12) & 0xFFFFFF
    cdef table_page *page
    if not entry & PT_PRESENT or index1 == 0 or index1 > p.capacity:
        return NULL
    page = <table_page *>pool_slot(p, index1 - 1)
    return page if read64(v.self, <uint64_t *>page, PAGE_WALK) >> 32 == OBJ_LIVE else NULL

cdef inline uint64_t *leaf_of(view *v, uint64_t pgd, uint64_t address) noexcept nogil:
    """The leaf entry of an address, or NULL where no table reaches: also above ADDRESS_LIMIT_BITS, where nothing is ever mapped."""
    cdef table_page *page
    cdef uint32_t level = PT_LEVELS - 1
    if address >> ADDRESS_LIMIT_BITS:
        return NULL
    page = <table_page *>pool_try(v.self, v.pools[POOL_TABLE], pgd, PAGE_WALK)
    while page != NULL and level > 0:
        page = table_of(v, read64(v.self, &page.entries[level_index(address, level)], PAGE_WALK))
        level -= 1
    if page == NULL:
        return NULL
    return &page.entries[level_index(address, 0)]

cdef struct walker:
    # One translation client's walk: the address space, and the last table of leaves with the region that it covers.
    mm_struct *mm                # NULL: the entry passes every address through
    table_page *leaves
    uint64_t region              # address >> 21 of ``leaves``
    uint32_t mm_id               # low half, as the entry has it

cdef inline bint walk_begin(view *v, walker *w, uint32_t dev, uint32_t pasid) noexcept nogil:
    """The IOMMU's way from (function, PASID) to an address space. False when there is no entry, or one in quiet abort."""
    cdef uint64_t entry
    cdef uint32_t index1
    w.leaves = NULL
    if pasid >= v.cfg.max_pasids:
        return False
    entry = read64(v.self, &pasid_table(v, dev)[pasid], PAGE_WALK)
    index1 = <uint32_t>(entry >> 8) & 0xFFFFFF
    w.mm = NULL
    w.mm_id = PASSED_THROUGH
    if entry & (PTE_PRESENT | PTE_QUIET | PTE_PASS) == PTE_PRESENT | PTE_PASS:
        return True
    if entry & (PTE_PRESENT | PTE_QUIET) != PTE_PRESENT or index1 == 0 or index1 > v.pools[POOL_MM].capacity:
        return False
    w.mm = <mm_struct *>pool_slot(v.pools[POOL_MM], index1 - 1)
    if read64(v.self, <uint64_t *>w.mm, PAGE_WALK) >> 32 != OBJ_LIVE:
        return False
    w.mm_id = <uint32_t>(entry >> 32)
    return <uint32_t>read64(v.self, &w.mm.mm_id, PAGE_WALK) == w.mm_id

cdef inline bint walk_grants(view *v, walker *w, uint64_t address, uint32_t rwx) noexcept nogil:
    """Whether all of read 1, write 2, execute 4 are granted now. Neighbouring pages share the walk to their table."""
    cdef uint64_t *at
    cdef uint64_t leaf
    if w.mm == NULL:
        return True
    if w.leaves == NULL or w.region != address >> 21:
        at = leaf_of(v, read64(v.self, &w.mm.pgd, PAGE_WALK), address)
        if at == NULL:
            return False
        w.leaves = <table_page *>(<char *>(at - level_index(address, 0)) - sizeof(objhdr))
        w.region = address >> 21
    leaf = read64(v.self, &w.leaves.entries[level_index(address, 0)], PAGE_WALK)
    return (leaf & PT_PRESENT) != 0 and not (rwx & 2 and not leaf & PT_WRITE) and not (rwx & 4 and not leaf & PT_EXEC)
