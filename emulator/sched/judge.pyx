# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reading the board when a schedule has ended. See ``judge.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.crew cimport crew_actor
from iopf.cython_ext.runqueue cimport *
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.spec.classes cimport POOL_CLASSES
from iopf.emulator.board.flow cimport note_of, program
from iopf.emulator.board.layout cimport OFF_PASID_BITMAP
from iopf.emulator.spec.program cimport FLAG_TRY


cdef int64_t live(view *v, uint32_t cls) noexcept nogil:
    cdef int64_t n = 0
    cdef uint32_t i
    for i in range(v.crew.actors):
        n += <int64_t>(crew_actor(v.crew, i).magazine[cls].allocs - crew_actor(v.crew, i).magazine[cls].frees)
    return n


cdef int64_t pasids(view *v) noexcept nogil:
    """PASIDs in use; PASID 0 is never allocated."""
    cdef uint64_t *words = <uint64_t *>view_region(v, OFF_PASID_BITMAP)
    cdef int64_t n = -1
    cdef uint64_t word
    cdef uint32_t i
    for i in range(1 if v.cfg.max_pasids < 64 else v.cfg.max_pasids // 64):
        word = words[i]
        while word:
            word &= word - 1
            n += 1
    return n


cdef uint32_t of_end(uint32_t ended) noexcept nogil:
    if ended == END_VERDICT:
        return BUG_VERDICT
    if ended == END_STEPS:
        return BUG_LIVELOCK
    if ended == END_DIVERGED:
        return BUG_DIVERGED
    return BUG_LOST if ended == END_LOST else BUG_NONE


cdef bint left_over(view *v, expectations *expected) noexcept nogil:
    cdef uint32_t i
    if expected.live[PASIDS] >= 0 and pasids(v) != expected.live[PASIDS]:
        return True
    for i in range(POOL_CLASSES):
        if expected.live[i] >= 0 and live(v, i) != expected.live[i]:
            return True
    return False


cdef uint32_t judge(view *v, runqueue *rq, expectations *expected) noexcept nogil:
    cdef uint32_t i, bug = of_end(rq.ended)
    if bug != BUG_NONE or rq.ended == END_CUT:
        return bug
    for i in range(1, rq.actors):
        if expected.must >> i & 1 and not crew_actor(v.crew, i).program_over:
            return BUG_DEADLOCK
    for i in range(v.cfg.programs):
        if note_of(v, i).errors != 0 and not program(v, i).flags & FLAG_TRY:
            return BUG_FAILED
    for i in range(v.cfg.devices):
        if v.devices[i].dev.unexpected != 0:
            return BUG_ANSWER
    return BUG_LEAK if left_over(v, expected) else BUG_NONE
