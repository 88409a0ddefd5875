# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Counting hand-overs. See ``coverage.pxd``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from iopf.cython_ext.crew cimport ACC_FENCE, ACC_LOCAL, ACC_NAP
from iopf.cython_ext.runqueue cimport *


cdef class Coverage:
    """``found``: number of distinct hand-overs; ``full``: the table overflowed."""

    def __cinit__(self):
        self.table = <handover *>calloc(HANDOVERS, sizeof(handover))
        self.words = <last_touch *>calloc(WORDS, sizeof(last_touch))
        if self.table == NULL or self.words == NULL:
            raise MemoryError("no memory for the coverage")

    def __dealloc__(self):
        free(self.table)
        free(self.words)

    cdef void add(self, uint32_t before, uint32_t after, uint32_t where) noexcept nogil:
        cdef uint32_t at = (before * <uint32_t>0x9E3779B1 ^ after * <uint32_t>0x85EBCA77) >> 16, tries = 0
        cdef handover *h
        while tries < 64:
            h = &self.table[(at + tries) & (HANDOVERS - 1)]
            if h.before == before and h.after == after:
                h.count += 1
                return
            if h.before == 0:
                h.before, h.after, h.where, h.count = before, after, where, 1
                self.found += 1
                return
            tries += 1
        self.full = True

    cdef void note(self, runqueue *rq) noexcept nogil:
        """Count a finished schedule. Two words may hash to the same entry of the last accesses; then the older access is dropped."""
        cdef uint64_t i, n = rq.steps if rq.steps < rq.room else rq.room
        cdef rq_step *s
        cdef last_touch *last
        # A delayed store counts as its actor's, also when it is drained.
        cdef uint32_t slot, own = RQ_DRAIN - 1 if rq.memory == RQ_TSO else <uint32_t>0xffffffff
        self.schedules += 1
        for i in range(n):
            s = &rq.step[i]
            if s.kind == ACC_LOCAL or s.kind == ACC_NAP or s.kind == ACC_FENCE or s.id == 0:
                continue
            slot = s.slot & own
            last = &self.words[(s.where * <uint32_t>0x9E3779B1) >> 19]
            if last.schedule == self.schedules and last.where == s.where and last.slot != slot:
                self.add(last.point, s.id, s.where)
            last.schedule, last.where, last.point, last.slot = self.schedules, s.where, s.id, slot

    def handovers(self) -> list:
        """(point before, point after, offset of the word, count), most frequent first."""
        cdef uint32_t i
        made = [
            (self.table[i].before, self.table[i].after, <uint64_t>self.table[i].where * 4, self.table[i].count)
            for i in range(HANDOVERS)
            if self.table[i].before
        ]
        made.sort(key=lambda one: -one[3])
        return made
