# cython: language_level=3, cdivision=True
"""Hand-overs that schedules have made: a word touched at one point by an actor and at another point by the next one.

The pair of points and the word's region are what is counted; a table in this process, filled after every schedule that the scheduler
plays while it is set. What a search has not handed over in some order it has not tried (spec/testing.md 2.8).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.runqueue cimport runqueue

cdef enum:
    HANDOVERS = 65536
    WORDS = 8192

cdef struct handover:
    uint32_t before          # point ids; 0: a free entry
    uint32_t after
    uint32_t where           # of the first one, offset / 4
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
