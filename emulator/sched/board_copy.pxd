# cython: language_level=3, cdivision=True
"""A copy of the first part of a mapping, and the pages that differ from it.

From the copy on every page that is written is marked (``cython_ext/pages.h``); ``put_back`` restores the marked ones. Marks lie in
memory shared with the processes that are forked afterwards; each of them calls ``watch`` once. A page once written is put back
every time, which is what makes this cheap: schedules write the same few pages again and again. Of pages that are known to be written,
and of which little is worth keeping, pieces are put back instead.
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
    cdef object mark_memory
    cdef uint8_t *marks          # by page
    cdef piece *piece
    cdef uint64_t count          # of pieces

    cdef void put_back(self) noexcept nogil
