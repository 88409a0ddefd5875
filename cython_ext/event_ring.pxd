# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The event ring: the last events of one actor, a flight recorder.

One writer (its actor), any number of concurrent readers. The writer never waits and overwrites the oldest record.

    started    the writer, before it changes a slot     (relaxed store, then a compiler-ordered body; x86 keeps stores in order)
    written    the writer, after the record (release)
    records    the writer
A reader copies, then reads ``started`` again: a record below ``started - capacity`` may have been overwritten during the copy; it is
dropped and counted. ``written - capacity`` records have been overwritten before.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *

cdef struct event_record:
    uint64_t ticks
    uint32_t event
    uint32_t actor
    uint64_t a
    uint64_t b

cdef struct event_ring:
    uint64_t started
    uint64_t written
    uint32_t capacity          # a power of two
    uint32_t pad0
    uint64_t pad1[5]
    # records follow

cdef inline event_record *event_slot(event_ring *r, uint64_t n) noexcept nogil:
    return <event_record *>(<char *>r + sizeof(event_ring)) + (n & (r.capacity - 1))

cdef inline void event_write(iopf_actor *self, event_ring *r, uint64_t ticks, uint32_t event, uint64_t a, uint64_t b) noexcept nogil:
    cdef uint64_t n = r.written
    cdef event_record *e = event_slot(r, n)
    point(self, event << 8 | OP_EVENT, r, ACC_LOCAL)
    st64_rel(&r.started, n + 1)
    e.ticks = ticks
    e.event = event
    e.actor = self.slot
    e.a = a
    e.b = b
    st64_rel(&r.written, n + 1)  # pairs with the acquire load of the reader
