# cython: language_level=3, cdivision=True
"""A copy of the first part of a mapping, and the pages that differ from it.

From the copy on every page that is written is marked (``cython_ext/pages.h``); ``put_back`` restores the marked ones. Marks lie in
memory shared with the processes that are forked afterwards; each of them calls ``watch`` once. A page once written is put back
every time, which is what makes this cheap: schedules write the same few pages again and again.
"""

from libc.stdint cimport uint8_t, uint64_t

from cython_ext.memory cimport Memory

ctypedef void (*escape_route)() noexcept nogil

cdef void on_wild_access(escape_route escape) noexcept nogil
cdef uint64_t wild_address() noexcept nogil

cdef class BoardCopy:
    cdef readonly Memory memory
    cdef char *base
    cdef char *copy
    cdef readonly uint64_t pages
    cdef object mark_memory
    cdef uint8_t *marks          # by page

    cdef void put_back(self) noexcept nogil
