# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Python handles on the primitives, for tests and for tools that print the state of a board.

A ``Crew`` is one process's slot in the crew; every other handle is a crew and the address of one primitive in the same memory. Handles
have no state of their own, except the ends of a link, whose indices are private to a process by design.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.crew cimport iopf_actor, iopf_crew
from iopf.cython_ext.memory cimport Memory

cdef enum:
    SITE = 0xFE          # site of all handles
    ALL = 0x7FFFFFFF
    SECOND_NS = 1000000000

cdef int words_of(object values, uint64_t *into, int most) except -1

cdef class Crew:
    cdef readonly Memory memory
    cdef readonly uint64_t offset
    cdef readonly uint32_t slot
    cdef iopf_crew *crew
    cdef iopf_actor *self
    cdef iopf_actor *_actor(self, uint32_t slot) except NULL

cdef class Handle:
    cdef readonly Crew crew
    cdef readonly uint64_t offset
    cdef iopf_actor *self
    cdef char *_place(self, Crew crew, uint64_t offset, uint64_t length) except NULL
