# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Comparison of cached translations with the tables. What may run against what: see ``stale.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport pool_slot
from iopf.device_procs.atc cimport atc_entry
from iopf.device_procs.pri cimport function
from iopf.emulator.board.board cimport view
from iopf.emulator.board.changes cimport change_under_way
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.pasid_table cimport PTE_PASS, pasid_table
from iopf.emulator.mm.pgtable cimport walk_begin, walk_grants, walker
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.spec.sites cimport *


cdef bint granted(function *f, uint32_t pasid, uint64_t address, uint32_t rwx, uint32_t mm_id) noexcept nogil:
    """Whether the tables grant now what address space ``mm_id`` has granted."""
    cdef walker w
    return walk_begin(f.v, &w, f.dev, pasid) and w.mm_id == mm_id and walk_grants(f.v, &w, address, rwx)


cdef uint64_t *changes_of_mm(function *f, uint32_t pasid) noexcept nogil:
    """The word of the address space that a PASID table entry names, also of one in quiet abort; NULL when it names none."""
    cdef view *v = f.v
    cdef uint64_t entry = read64(v.self, &pasid_table(v, f.dev)[pasid], PAGE_WALK)
    cdef uint32_t index1 = <uint32_t>(entry >> 8) & 0xFFFFFF
    if entry & PTE_PASS or index1 == 0 or index1 > v.pools[POOL_MM].capacity:
        return NULL
    return &(<mm_struct *>pool_slot(v.pools[POOL_MM], index1 - 1)).changes


cdef bint taken_away(function *f, uint32_t pasid, uint64_t address, uint32_t rwx, uint32_t mm_id) noexcept nogil:
    """Whether the tables refuse the use although no change was under way from before the look until after it."""
    cdef view *v = f.v
    cdef uint64_t before, mm_before = 0
    cdef uint64_t *of_mm
    before = read64(v.self, &f.d.changes, PAGE_WALK)
    if change_under_way(before):
        return False
    of_mm = changes_of_mm(f, pasid)
    if of_mm != NULL:
        mm_before = read64(v.self, of_mm, PAGE_WALK)
    if change_under_way(mm_before) or granted(f, pasid, address, rwx, mm_id):
        return False
    if of_mm != NULL and read64(v.self, of_mm, PAGE_WALK) != mm_before:
        return False
    return read64(v.self, &f.d.changes, PAGE_WALK) == before


cdef bint translates(function *f) noexcept nogil:
    """The function is there, and has emptied its cache since it was reset."""
    return read32(f.v.self, &f.d.link_up, PAGE_WALK) != 0 and read32(f.v.self, &f.d.resets, PAGE_WALK) == f.resets


cdef void check_use(function *f, uint32_t pasid, uint64_t address, uint32_t rwx, uint32_t mm_id) noexcept nogil:
    if pasid >= f.v.cfg.max_pasids or granted(f, pasid, address, rwx, mm_id) or not taken_away(f, pasid, address, rwx, mm_id):
        return
    if translates(f):
        verdict_raise(f.v.self, VERDICT_STALE_TRANSLATION, f.dev, address, pasid, 0, rwx, PAGE_WALK)


cdef void check_cache(function *f) noexcept nogil:
    cdef uint32_t i
    cdef atc_entry *e
    for i in range(f.atc_mask + 1):
        e = &f.atc[i]
        if e.key != 0:
            check_use(f, <uint32_t>(e.key - 1) & 0xFFFFF, (e.key - 1) >> 20 << 12, e.rwx, e.mm_id)
