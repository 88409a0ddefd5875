# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The initial state of every schedule: the board when the programs were released, and the position of every actor.

The state of an actor between two steps is its stack and its private memory, both on the board. Only the used part is restored: the
stack above its pointer, and private memory up to the allocation mark. The rest is written before it is read, so its content does not
matter.

The holder of the token restores; no other actor runs then.
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
