# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The initial board of every schedule: copying and restoring it. See ``board_copy.pxd``."""

import mmap

from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from iopf.cython_ext.atomics cimport trailing_zeros64
from iopf.cython_ext.pages cimport *

cdef enum:
    PAGE = 1 << PAGES_SHIFT
    WRITTEN = 1
    APART = 2                # no behaviour depends on it: not restored


cdef void on_wild_access(escape_route escape) noexcept nogil:
    """Set where an actor continues after an invalid pointer dereference (``pages.h``); NULL: nowhere. Only this module knows the watch."""
    pages_escape(escape)


cdef uint64_t wild_address() noexcept nogil:
    """The address of the last one."""
    return pages_wild()


cdef class BoardCopy:
    """Copy the first ``length`` bytes of ``memory``, a whole number of pages.

    ``apart``: byte ranges (start, end) whose whole pages are not restored; ``pieces``: byte ranges that always are. Raises ValueError,
    MemoryError, OSError, and BlockingIOError while another mapping of this process is watched.
    """

    def __cinit__(self, Memory memory not None, uint64_t length, apart=(), pieces=()):
        cdef uint64_t at
        if length == 0 or length % PAGE or length > memory.size:
            raise ValueError(f"{length} bytes are not whole pages of a memory of {memory.size} bytes")
        self.memory, self.base, self.pages = memory, memory.base, length >> PAGES_SHIFT
        self.mark_memory = Memory(mmap.mmap(-1, self.pages))
        self.marks = <uint8_t *>self.mark_memory.base
        for start, end in apart:
            at = (<uint64_t>start + PAGE - 1) >> PAGES_SHIFT
            while (at + 1) << PAGES_SHIFT <= <uint64_t>end and at < self.pages:
                self.marks[at] = APART
                at += 1
        self.copy = <char *>malloc(length)
        self.piece = <piece *>malloc((len(pieces) + 1) * sizeof(piece))
        if self.copy == NULL or self.piece == NULL:
            raise MemoryError("no memory for the copy of the board")
        for start, end in pieces:
            if not 0 <= start <= end <= length:
                raise ValueError(f"a piece from {start} to {end} of a copy of {length} bytes")
            self.piece[self.count] = piece(start, end - start)
            self.count += 1
        memcpy(self.copy, self.base, length)
        self.watch()

    def __dealloc__(self):
        self.close()
        free(self.piece)

    def watch(self) -> None:
        """Mark the writes of this process from now on; called once in every actor process."""
        cdef uint64_t at = 0, first
        if pages_watch(self.base, self.pages << PAGES_SHIFT, self.marks) != 0:
            raise BlockingIOError(errno, "another system is under control in this process; close it first")
        while at < self.pages:
            first = at
            while at < self.pages and self.marks[at] == 0:
                at += 1
            if at > first and pages_protect(self.base + (first << PAGES_SHIFT), (at - first) << PAGES_SHIFT) != 0:
                raise OSError(errno, "cannot protect the board's pages")
            at += 1

    def close(self) -> None:
        """End the watch; the memory may be unmapped."""
        if self.copy != NULL:
            pages_unwatch(self.base)
            free(self.copy)
            self.copy = NULL

    @property
    def written(self) -> int:
        """Number of pages restored before every schedule."""
        cdef uint64_t i
        return sum([1 for i in range(self.pages) if self.marks[i] == WRITTEN])

    cdef void put_back(self) noexcept nogil:
        # Eight marks at a time: most pages are never written. The marks fill whole pages, so the last word is complete.
        cdef uint64_t at, word, i
        for i in range((self.pages + 7) // 8):
            word = (<uint64_t *>self.marks)[i] & <uint64_t>0x0101010101010101
            while word:
                at = i * 8 + <uint64_t>trailing_zeros64(word) // 8
                memcpy(self.base + (at << PAGES_SHIFT), self.copy + (at << PAGES_SHIFT), PAGE)
                word &= word - 1
        for i in range(self.count):
            memcpy(self.base + self.piece[i].start, self.copy + self.piece[i].start, self.piece[i].bytes)
