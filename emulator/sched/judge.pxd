# cython: language_level=3, cdivision=True
"""What became of a schedule that is over.

Cheap enough for every one of many thousand schedules a second: words of the board, counted by those who made them. The order is the
order of what says most: a detector that has spoken, then who is stuck, then what failed, then what is left.
"""

from libc.stdint cimport int64_t, uint32_t

from iopf.cython_ext.runqueue cimport runqueue
from iopf.emulator.board.board cimport view

cpdef enum Bug:
    BUG_NONE = 0
    BUG_VERDICT = 1
    BUG_DEADLOCK = 2         # somebody's program is not over
    BUG_LIVELOCK = 3         # the bound on steps
    BUG_LEAK = 4             # objects are left
    BUG_DIVERGED = 5         # not a bug of the system: the path does not fit
    BUG_LOST = 6             # not a bug of the system: a process is gone
    BUG_ANSWER = 7           # a device has got an answer that it did not wait for
    BUG_FAILED = 8           # an operation has failed that may not

cdef enum:
    POOLS = 16
    PASIDS = 15              # place of the PASIDs in use among the pools' expectations

cdef struct expectations:
    uint32_t must            # slots whose program has to come to its end
    int64_t live[16]         # live objects of a pool, or PASIDs in use, at the end; -1: any number

cdef uint32_t judge(view *v, runqueue *rq, expectations *expected) noexcept nogil
