# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Hand-over coverage: a word accessed at one point by an actor and then at another point by a different actor.

Counted are the pair of points and the region of the word, in a table of this process, filled after every schedule that the scheduler
runs with it. Orders of accesses that are missing in the table have not been tried by the search.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.runqueue cimport runqueue

cdef enum:
    HANDOVERS = 65536
    WORDS = 8192

cdef struct handover:
    uint32_t before          # point ids; 0: free entry
    uint32_t after
    uint32_t where           # of the first occurrence, offset / 4
    uint32_t count

cdef struct last_touch:
    uint64_t schedule
    uint32_t where
    uint32_t point
    uint32_t slot

cdef class Coverage:
    cdef handover *table
    cdef last_touch *words
    cdef uint64_t schedules
    cdef readonly uint32_t found
    cdef readonly bint full
    cdef void note(self, runqueue *rq) noexcept nogil
    cdef void add(self, uint32_t before, uint32_t after, uint32_t where) noexcept nogil
