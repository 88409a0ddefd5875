# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The address translation cache of a function: direct mapped, private to the device process.

An entry holds a page, a PASID, the permissions granted and the address space that granted them. Invalidations arrive on the downlink
and are carried out before their completion is sent, so no translation outlives its invalidation.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

cdef struct atc_entry:
    uint64_t key                 # page << 20 | PASID, + 1; 0: empty
    uint32_t rwx
    uint32_t mm_id               # low half, or PASSED_THROUGH

cdef inline atc_entry *atc_slot(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t page) noexcept nogil:
    return &atc[(page ^ (page >> 9) ^ pasid) & mask]

cdef inline uint64_t atc_key(uint32_t pasid, uint64_t page) noexcept nogil:
    return (page << 20 | pasid) + 1

cdef inline atc_entry *atc_lookup(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t address, uint32_t rwx) noexcept nogil:
    """The entry that grants all of ``rwx``, or NULL."""
    cdef atc_entry *e = atc_slot(atc, mask, pasid, address >> 12)
    return e if e.key == atc_key(pasid, address >> 12) and (e.rwx & rwx) == rwx else NULL

cdef inline void atc_fill(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t address, uint32_t rwx,
                          uint32_t mm_id) noexcept nogil:
    cdef atc_entry *e = atc_slot(atc, mask, pasid, address >> 12)
    cdef uint64_t key = atc_key(pasid, address >> 12)
    e.rwx = rwx | (e.rwx if e.key == key and e.mm_id == mm_id else 0)
    e.key = key
    e.mm_id = mm_id

cdef inline bint atc_matches(const atc_entry *e, uint32_t pasid, uint64_t first, uint64_t pages) noexcept nogil:
    """Whether an entry is one of ``pages`` pages from page ``first``; 0 pages: any of the PASID."""
    if e.key == 0 or (e.key - 1) & 0xFFFFF != pasid:
        return False
    return pages == 0 or (first <= (e.key - 1) >> 20 and ((e.key - 1) >> 20) - first < pages)

cdef inline void atc_drop(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil:
    """Forgets ``pages`` pages from ``start``; 0 pages: everything of the PASID."""
    cdef uint64_t page, first = start >> 12
    cdef uint32_t i
    cdef atc_entry *e
    if pages != 0 and pages <= mask:
        for page in range(first, first + pages):
            e = atc_slot(atc, mask, pasid, page)
            if e.key == atc_key(pasid, page):
                e.key = 0
        return
    for i in range(mask + 1):
        if atc_matches(&atc[i], pasid, first, pages):
            atc[i].key = 0

cdef inline void atc_drop_all(atc_entry *atc, uint32_t mask) noexcept nogil:
    memset(atc, 0, (<uint64_t>mask + 1) * sizeof(atc_entry))
