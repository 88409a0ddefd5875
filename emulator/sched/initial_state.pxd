# cython: language_level=3, cdivision=True
"""Where every schedule of a system begins: the board as it was when the programs were let go, and where every actor stood.

What an actor keeps between two steps lies on its stack and in its private memory, which are on the board. Of both only what is in
use is put back: a stack above its pointer, private memory up to what has been given out. What lies beyond is written before it is
read, so nobody can tell.

Whoever has the token puts back; nobody else runs then.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.runqueue cimport runqueue, rq_slot
from iopf.emulator.sched.board_copy cimport BoardCopy

cdef class InitialState:
    cdef BoardCopy copy
    cdef runqueue *rq
    cdef rq_slot slots[32]
    cdef uint32_t ready
    cdef uint32_t locking
    cdef uint32_t timed
    cdef readonly uint64_t now   # virtual time

    cdef void put_back(self) noexcept nogil
