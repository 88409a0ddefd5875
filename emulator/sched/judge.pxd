# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The verdict on a finished schedule.

Cheap enough for many thousand schedules per second: it reads words of the board, counted by their writers. The order is by how much
a verdict explains: a detector that fired, blocked actors, failed operations, leaks.
"""

from libc.stdint cimport int64_t, uint32_t

from iopf.cython_ext.runqueue cimport runqueue
from iopf.emulator.board.board cimport view

cpdef enum Bug:
    BUG_NONE = 0
    BUG_VERDICT = 1
    BUG_DEADLOCK = 2         # a program has not finished
    BUG_LIVELOCK = 3         # step limit
    BUG_LEAK = 4             # live objects differ from the expectation
    BUG_DIVERGED = 5         # not a bug of the system: the path does not fit it
    BUG_LOST = 6             # not a bug of the system: a process was lost
    BUG_ANSWER = 7           # a device received a response that it did not wait for
    BUG_FAILED = 8           # an operation failed that must not fail

cdef enum:
    POOLS = 16
    PASIDS = 15              # index of the PASIDs in use in `live`

cdef struct expectations:
    uint32_t must            # slots whose program must finish
    int64_t live[16]         # live objects of a pool, or PASIDs in use, at the end; -1: any number

cdef uint32_t judge(view *v, runqueue *rq, expectations *expected) noexcept nogil
