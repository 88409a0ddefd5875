# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The address translation cache of a function: direct mapped, private to the device process.

An entry holds a page, a PASID and the permissions granted. Invalidations arrive on the downlink and are carried out before their
completion is sent, so no translation outlives its invalidation.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef struct atc_entry:
    uint64_t key                 # page << 20 | PASID, + 1; 0: empty
    uint32_t rwx
    uint32_t pad

cdef inline atc_entry *atc_slot(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t page) noexcept nogil:
    return &atc[(page ^ (page >> 9) ^ pasid) & mask]

cdef inline uint64_t atc_key(uint32_t pasid, uint64_t page) noexcept nogil:
    return (page << 20 | pasid) + 1

cdef inline bint atc_lookup(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t address, uint32_t rwx) noexcept nogil:
    cdef atc_entry *e = atc_slot(atc, mask, pasid, address >> 12)
    return e.key == atc_key(pasid, address >> 12) and (e.rwx & rwx) == rwx

cdef inline void atc_fill(atc_entry *atc, uint32_t mask, uint32_t pasid, uint64_t address, uint32_t rwx) noexcept nogil:
    cdef atc_entry *e = atc_slot(atc, mask, pasid, address >> 12)
    cdef uint64_t key = atc_key(pasid, address >> 12)
    e.rwx = rwx | (e.rwx if e.key == key else 0)
    e.key = key

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
        e = &atc[i]
        if e.key == 0 or (e.key - 1) & 0xFFFFF != pasid:
            continue
        page = (e.key - 1) >> 20
        if pages == 0 or (first <= page and page - first < pages):
            e.key = 0
