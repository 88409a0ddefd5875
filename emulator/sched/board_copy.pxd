# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""A copy of the start of a mapping, and the pages that differ from it.

Every page written after the copy is marked (``cython_ext/pages.h``); ``put_back`` restores the marked pages. The marks are in memory
shared with processes forked later; each of them calls ``watch`` once. A page that was written once is restored every time, which is
cheap because schedules write the same few pages repeatedly. Of pages that are always written and mostly unused, only the given pieces
are restored.
"""

from libc.stdint cimport uint8_t, uint64_t

from iopf.cython_ext.memory cimport Memory

ctypedef void (*escape_route)() noexcept nogil

cdef void on_wild_access(escape_route escape) noexcept nogil
cdef uint64_t wild_address() noexcept nogil

cdef struct piece:
    uint64_t start
    uint64_t bytes

cdef class BoardCopy:
    cdef readonly Memory memory
    cdef char *base
    cdef char *copy
    cdef readonly uint64_t pages
    cdef Memory mark_memory
    cdef uint8_t *marks          # one per page
    cdef piece *piece
    cdef uint64_t count          # number of pieces

    cdef void put_back(self) noexcept nogil
