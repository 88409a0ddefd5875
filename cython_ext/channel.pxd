# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Python objects of a channel and its two kinds of ends.

An end belongs to one process and one thread at a time. It holds its claim (``channel_claim.pxd``) and its private indices
(``channel_core.pxd``).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.channel_core cimport *

cdef class Channel:
    cdef Py_buffer view
    cdef bint held
    cdef chan_header *header
    cdef uint64_t claim(self, uint32_t slot, uint64_t before) except 0
    cdef void unclaim(self, uint32_t slot, uint64_t word) noexcept
    cdef int check(self) except -1

cdef class Producer:
    cdef readonly Channel channel
    cdef readonly uint32_t index
    cdef chan_out out
    cdef uint64_t word         # the claim as this object made it
    cdef uint32_t forks        # the fork count of the process at that time
    cdef bint waiting          # a thread waits on it with the GIL released
    cdef int attach(self) except -1
    cdef int verify(self) except -1
    cdef bint await_room(self, uint64_t deadline_ns) except -1
    cdef uint64_t put_all(self, const char *records, uint64_t count, object timeout_s) except? 0

cdef class Consumer:
    cdef readonly Channel channel
    cdef chan_in inn
    cdef uint64_t word
    cdef uint32_t forks
    cdef bint waiting
    cdef int attach(self) except -1
    cdef int verify(self) except -1
    cdef int await_record(self, object timeout_s) except -1
