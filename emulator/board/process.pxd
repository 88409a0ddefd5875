# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""A process of the system and its entry function with its arguments."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.memory cimport Memory
from iopf.emulator.board.board cimport view

from iopf.cython_ext.runqueue cimport actor_entry

cdef class Process:
    cdef view v
    cdef readonly Memory memory
    cdef readonly unsigned int slot
    cdef uint64_t started_cpu_ns
    cdef actor_entry main
    cdef void *arg
    cdef uint32_t index
    cdef uint32_t phase
    cdef _ready(self)
    cdef void set_entry(self, actor_entry main, void *arg, uint32_t index, uint32_t phase) noexcept
