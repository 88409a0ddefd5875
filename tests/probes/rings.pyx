# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Handles on primitives that carry or count records: link, record ring, event ring, histogram.

Each has one writer. The ends of a link keep their indices in the handle, so a handle is created after the fork.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.event_ring cimport *
from iopf.cython_ext.histogram cimport *
from iopf.cython_ext.link cimport *
from tests.probes.crew cimport SITE, Crew, Handle, words_of
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *


cdef class Link(Handle):
    """One end of a link. Its indices are private to the process: create it after the fork."""

    def __init__(self, Crew crew not None, uint64_t offset, uint64_t capacity, *, bint producer):
        cdef char *base = self._place(crew, offset, link_bytes(capacity))
        if capacity == 0 or capacity & (capacity - 1):
            raise ValueError("the capacity is a power of two")
        self.producer = producer
        link_attach(&self.end, base, capacity, producer)

    @property
    def tail(self) -> int:
        return ld64_acq(&self.end.hdr.tail)

    @property
    def head(self) -> int:
        return ld64_acq(&self.end.hdr.head)

    @property
    def waiting(self) -> bool:
        return link_waiting(self.self, &self.end, 0)

    def fill(self, words) -> bool:
        """Fill the next slot, unpublished; false when the ring is full."""
        cdef uint64_t record[LINK_WORDS]
        cdef uint64_t *slot
        memset(record, 0, sizeof(record))
        words_of(words, record, LINK_WORDS)
        with nogil:
            slot = link_room(self.self, &self.end, SITE)
            if slot is not NULL:
                memcpy(slot, record, sizeof(record))
                link_filled(&self.end)
        return slot is not NULL

    def publish(self) -> int:
        cdef uint64_t n
        with nogil:
            n = link_publish(self.self, &self.end, SITE)
        return n

    def take(self):
        """The next record as eight words, not yet released; None when there is none."""
        cdef uint64_t record[LINK_WORDS]
        cdef uint64_t *slot
        cdef int i
        with nogil:
            slot = link_next(self.self, &self.end, SITE)
            if slot is not NULL:
                memcpy(record, slot, sizeof(record))
                link_taken(&self.end)
        return None if slot is NULL else tuple([record[i] for i in range(LINK_WORDS)])

    def consume(self) -> None:
        with nogil:
            link_consume(self.self, &self.end, SITE)

    def stream(self, uint64_t first, uint64_t count, uint32_t batch, uint64_t timeout_ns) -> int:
        """Send, or receive and check, the records first .. first + count; return the number of correct ones within the timeout."""
        cdef uint64_t n = 0, until = clock_ns() + timeout_ns
        cdef uint64_t *slot
        cdef waiter w
        cdef int i
        cdef bint right = True
        with nogil:
            waiter_reset(&w)
            while n < count and right:
                slot = link_room(self.self, &self.end, SITE) if self.producer else link_next(self.self, &self.end, SITE)
                if slot is NULL:
                    if self.producer:
                        link_publish(self.self, &self.end, SITE)
                    else:
                        link_consume(self.self, &self.end, SITE)
                    if not waiter_spin(self.self, &w):
                        sched_yield()
                        if clock_ns() > until:
                            break
                    continue
                waiter_reset(&w)
                for i in range(LINK_WORDS):
                    if self.producer:
                        slot[i] = (first + n) * LINK_WORDS + i
                    else:
                        right = right and slot[i] == (first + n) * LINK_WORDS + i
                if not right:
                    break
                n += 1
                if self.producer:
                    link_filled(&self.end)
                    if n % batch == 0:
                        link_publish(self.self, &self.end, SITE)
                else:
                    link_taken(&self.end)
                    if n % batch == 0:
                        link_consume(self.self, &self.end, SITE)
            if self.producer:
                link_publish(self.self, &self.end, SITE)
            else:
                link_consume(self.self, &self.end, SITE)
        return n


cdef class RecordRing(Handle):
    """A ring of ``count`` records of ``record_bytes`` after its two registers."""

    def __init__(self, Crew crew not None, uint64_t offset, uint64_t count, uint32_t record_bytes=32):
        cdef char *base = self._place(crew, offset, sizeof(ring_regs) + count * record_bytes)
        if count & (count - 1) or record_bytes & (record_bytes - 1) or not 8 <= record_bytes <= 64 or count == 0:
            raise ValueError("powers of two; records of 8 to 64 bytes")
        ring_attach(&self.end, <ring_regs *>base, base + sizeof(ring_regs), count, record_bytes)

    @property
    def head(self) -> int:
        return ld64_acq(&self.end.regs.head)

    @head.setter
    def head(self, uint64_t value):
        st64_rel(&self.end.regs.head, value)

    @property
    def tail(self) -> int:
        return ld64_acq(&self.end.regs.tail)

    @tail.setter
    def tail(self, uint64_t value):
        st64_rel(&self.end.regs.tail, value)

    def used(self) -> int:
        """Records between the registers, through the checked reads."""
        return ring_used(&self.end, ring_head(self.self, &self.end, SITE), ring_tail(self.self, &self.end, SITE))

    def put(self, words) -> bool:
        cdef uint64_t record[8]
        cdef uint64_t tail, head
        cdef bint room
        memset(record, 0, sizeof(record))
        words_of(words, record, self.end.record_bytes // 8)
        with nogil:
            head = ring_head(self.self, &self.end, SITE)
            tail = ld64_rlx(&self.end.regs.tail)
            room = ring_advance(&self.end, tail) != head
            if room:
                memcpy(ring_record(&self.end, tail), record, self.end.record_bytes)
                ring_publish(self.self, &self.end, ring_advance(&self.end, tail), SITE)
        return room

    def get(self):
        cdef uint64_t record[8]
        cdef uint64_t tail, head
        cdef uint32_t i
        with nogil:
            tail = ring_tail(self.self, &self.end, SITE)
            head = ld64_rlx(&self.end.regs.head)
            if head != tail:
                memcpy(record, ring_record(&self.end, head), self.end.record_bytes)
                ring_consume(self.self, &self.end, ring_advance(&self.end, head), SITE)
        return None if head == tail else tuple([record[i] for i in range(self.end.record_bytes // 8)])


cdef class EventRing(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t capacity=0):
        self.ring = <event_ring *>self._place(crew, offset, sizeof(event_ring))
        if capacity:
            if capacity & (capacity - 1):
                raise ValueError("the capacity is a power of two")
            crew.memory.at(offset, sizeof(event_ring) + <uint64_t>capacity * sizeof(event_record))
            memset(self.ring, 0, sizeof(event_ring))
            self.ring.capacity = capacity

    @property
    def written(self) -> int:
        return ld64_acq(&self.ring.written)

    @property
    def started(self) -> int:
        return ld64_acq(&self.ring.started)

    def write(self, uint64_t ticks, uint32_t event, uint64_t a, uint64_t b) -> None:
        with nogil:
            event_write(self.self, self.ring, ticks, event, a, b)

    def burst(self, uint64_t count) -> None:
        """Write records with redundant fields: ticks n, event n, a ~n, b n * n."""
        cdef uint64_t _i, n
        with nogil:
            for _i in range(count):
                n = self.ring.written
                event_write(self.self, self.ring, n, <uint32_t>n & 0xFFFF, ~n, n * n)

    def read(self, uint64_t start=0) -> tuple:
        """(next number, number of overwritten records since ``start``, records as (ticks, event, actor, a, b)); see event_ring.pxd."""
        cdef uint64_t capacity = self.ring.capacity, at, n, end = ld64_acq(&self.ring.written), begun
        cdef uint64_t *source
        cdef uint64_t copy[4]
        cdef int i
        at = max(start, end - capacity if end > capacity else 0)
        copies = []
        for n in range(at, end):
            source = <uint64_t *>event_slot(self.ring, n)
            for i in range(4):
                copy[i] = ld64_acq(&source[i])
            copies.append((copy[0], copy[1] & 0xFFFFFFFF, copy[1] >> 32, copy[2], copy[3]))
        begun = ld64_acq(&self.ring.started)
        first = max(at, min(end, begun - capacity if begun > capacity else 0))
        return end, first - start, copies[first - at:]


cdef class Histogram(Handle):
    def __init__(self, Crew crew not None, uint64_t offset):
        self.hist = <histogram *>self._place(crew, offset, sizeof(histogram))

    @staticmethod
    def bin_of(uint64_t value) -> int:
        return hist_bin(value)

    def add(self, uint64_t value) -> None:
        with nogil:
            hist_add(self.hist, value)

    def summary(self) -> dict:
        return {"count": self.hist.count, "total": self.hist.total, "max": self.hist.max, "min": self.hist.min}

    def bins(self) -> dict:
        """The non-empty bins."""
        cdef uint32_t i
        return {i: self.hist.bins[i] for i in range(HIST_BINS) if self.hist.bins[i]}
