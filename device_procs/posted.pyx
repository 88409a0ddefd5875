# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Keeping and landing posted writes. See ``posted.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.device_procs.atc cimport atc_entry, atc_matches
from iopf.device_procs.pri cimport POSTED_MAX, function
from iopf.device_procs.stale cimport check_use

cdef enum:
    WRITE = 2


cdef void post_writes(function *f, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil:
    cdef uint32_t i
    cdef atc_entry *e
    land_posted(f)
    for i in range(f.atc_mask + 1):
        e = &f.atc[i]
        if e.rwx & WRITE and f.posted_count < POSTED_MAX and atc_matches(e, pasid, start >> 12, pages):
            f.posted[f.posted_count].address = (e.key - 1) >> 20 << 12
            f.posted[f.posted_count].pasid = pasid
            f.posted[f.posted_count].mm_id = e.mm_id
            f.posted_count += 1


cdef bint land_posted(function *f) noexcept nogil:
    cdef uint32_t i, n = f.posted_count
    for i in range(n):
        check_use(f, f.posted[i].pasid, f.posted[i].address, WRITE, f.posted[i].mm_id)
    f.posted_count = 0
    return n != 0
