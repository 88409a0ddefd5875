# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The scheduler of a system under control. See ``scheduler.pyx``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.crew cimport iopf_crew
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.runqueue cimport runqueue
from iopf.emulator.sched.initial_state cimport InitialState
from iopf.emulator.sched.coverage cimport Coverage
from iopf.emulator.sched.judge cimport expectations
from iopf.emulator.board.board cimport view

cdef enum:
    TOKEN_NS = 5000000000    # maximum time of a schedule in processes

cdef void use_runqueue(runqueue *rq, iopf_crew *crew) noexcept nogil

cdef class Scheduler:
    cdef view v
    cdef runqueue *rq
    cdef readonly Memory memory
    cdef readonly list processes
    cdef InitialState initial         # the board when the programs were released
    cdef expectations expected
    cdef public bint by_processes    # actor processes run the schedule; else this process runs fibers
    cdef public bint tso             # delay plain stores, as x86 does; not before the initial state
    cdef public bint still           # virtual time advances only when no actor is runnable; else with every step
    cdef public Coverage coverage    # counts the hand-overs of every schedule, unless None
    cdef readonly uint64_t played
    cdef readonly uint64_t steps

    cdef char *_stack(self, uint32_t slot) noexcept
    cdef void _reset_schedule(self, uint64_t max_steps) noexcept nogil
    cdef int _check_slot(self, uint32_t slot) except -1
    cdef int _opened(self) except -1
    cdef void _start_over(self, uint64_t max_steps) noexcept nogil
    cdef void _set_memory(self) noexcept nogil
    cdef uint32_t _play(self) noexcept nogil
