# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The handle on the work ring: its steps one by one, and the loops of a producer and a consumer.

A loop rings for every item, or, if ``sparing``, as the emulator's producers and workers do: consumers announce their search, and producers
ring only without searchers.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from tests.probes.crew cimport ALL, SECOND_NS, SITE, Crew, Handle, words_of
from iopf.cython_ext.wait cimport *
from iopf.cython_ext.work_ring cimport *


cdef class WorkRing(Handle):
    def __init__(self, Crew crew not None, uint64_t offset, *, uint32_t count=0, uint32_t cls=0):
        """A ``count`` (a power of two) formats the ring; without one, an existing ring is used."""
        self.ring = <workring *>self._place(crew, offset, sizeof(workring))
        if count:
            if count & (count - 1):
                raise ValueError("the number of slots is a power of two")
            crew.memory.at(offset, sizeof(workring) + <uint64_t>count * sizeof(workslot))
            work_format(self.ring, count, cls)

    def state(self) -> dict:
        cdef workring *r = self.ring
        return {"tail": ld64_acq(&r.tail), "head": ld64_acq(&r.head), "floor": ld64_acq(&r.floor), "lost": ld64_acq(&r.lost),
                "flushers": ld32_acq(&r.flushers), "searching": ld32_acq(&r.searching), "count": r.count}

    def slot(self, uint64_t position) -> tuple:
        """(position, owner slot + 1, state) in the slot of ``position``."""
        cdef uint64_t word = ld64_acq(&work_slot(self.ring, position).word)
        return word >> 20, (word >> 4) & 0xFFFF, word & 15

    @property
    def waiting(self) -> bool:
        return work_waiting(self.self, self.ring, SITE)

    @property
    def backlog(self) -> int:
        return work_backlog(self.self, self.ring, SITE)

    def push(self, words) -> int:
        """0, or -16 when no slot is free."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef int n, ret
        memset(payload, 0, sizeof(payload))
        n = words_of(words, payload, WORK_PAYLOAD)
        with nogil:
            ret = work_push(self.self, self.ring, payload, n, SITE)
        return ret

    def pop(self):
        """(position, the seven words), or None."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t position = 0
        cdef int i, ret
        with nogil:
            ret = work_pop(self.self, self.ring, payload, &position, SITE)
        return (position, tuple([payload[i] for i in range(WORK_PAYLOAD)])) if ret else None

    def done(self, uint64_t position) -> None:
        with nogil:
            work_done(self.self, self.ring, position, SITE)

    def flush(self, uint64_t timeout_ns) -> int:
        cdef int ret
        with nogil:
            ret = work_flush(self.self, self.ring, timeout_ns, SITE)
        return ret

    def repair(self, uint32_t dead_slot) -> int:
        cdef uint32_t n
        with nogil:
            n = work_repair(self.self, self.ring, dead_slot, SITE)
        return n

    def settle(self) -> None:
        with nogil:
            work_settle(self.self, self.ring, SITE)

    def notify(self, uint32_t most=1) -> int:
        cdef uint32_t n
        with nogil:
            n = ec_notify(self.self, &self.ring.bell, most, SITE)
        return n

    def ring_bell(self) -> None:
        """Called after a push: wake one consumer, unless the searching ones will find the item anyway."""
        with nogil:
            work_ring_bell(self.self, self.ring, self.ring, SITE)

    def search_begin(self) -> None:
        with nogil:
            work_search_begin(self.self, self.ring, SITE)

    def search_end(self, bint found) -> None:
        with nogil:
            work_search_end(self.self, self.ring, found, SITE)

    def prepare(self) -> int:
        """Announce a sleeper on the bell; the key is for ``sleep``."""
        cdef uint32_t key
        with nogil:
            key = ec_prepare(self.self, &self.ring.bell, SITE)
        return key

    def sleep(self, uint32_t key, uint64_t timeout_ns) -> int:
        cdef int ret
        with nogil:
            ret = ec_sleep(self.self, &self.ring.bell, key, timeout_ns, SITE)
        return ret

    @property
    def sleepers(self) -> int:
        """Number of consumers announced on the bell and not woken yet."""
        return ld64_acq(&self.ring.bell.word) >> 32

    def sleep_until_work(self, uint64_t timeout_ns) -> int:
        """Sleep on the bell like a consumer: 0 with or without an item, -110 at the timeout, 1 if an item was there at once."""
        cdef uint32_t key
        cdef int ret = 1
        with nogil:
            key = ec_prepare(self.self, &self.ring.bell, SITE)
            if work_waiting(self.self, self.ring, SITE):
                ec_cancel(self.self, &self.ring.bell, key)
            else:
                ret = ec_sleep(self.self, &self.ring.bell, key, timeout_ns, SITE)
        return ret

    def produce(self, uint64_t first, uint64_t count, uint64_t timeout_ns, *, bint sparing=False) -> int:
        """Push the numbers first .. first + count, ringing for each, or as needed; return the number within the timeout."""
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t n = 0, until = clock_ns() + timeout_ns
        cdef int i
        with nogil:
            while n < count:
                for i in range(WORK_PAYLOAD):
                    payload[i] = first + n + i
                if work_push(self.self, self.ring, payload, WORK_PAYLOAD, SITE) == 0:
                    if sparing:
                        work_ring_bell(self.self, self.ring, self.ring, SITE)
                    else:
                        ec_notify(self.self, &self.ring.bell, 1, SITE)
                    n += 1
                elif clock_ns() > until:
                    break
                else:
                    sched_yield()
        return n

    def consume(self, uint64_t seen_offset, uint64_t total, uint64_t taken_offset, uint64_t timeout_ns,
                *, bint sparing=False) -> tuple:
        """Take numbers until ``total`` were taken by all consumers: count each in the u32 array at ``seen_offset``. Returns (taken here,
        incomplete payloads, order violations)."""
        cdef uint32_t *seen = <uint32_t *>self.crew.memory.at(seen_offset, total * 4)
        cdef uint64_t *taken = <uint64_t *>self.crew.memory.at(taken_offset, 8)
        cdef uint64_t payload[WORK_PAYLOAD]
        cdef uint64_t position = 0, last = 0, mine = 0, broken = 0, disorder = 0, until = clock_ns() + timeout_ns
        cdef uint64_t head, patience
        cdef uint32_t key
        cdef int i
        cdef bint searching = False
        with nogil:
            while ld64_acq(taken) < total and clock_ns() < until:
                if work_pop(self.self, self.ring, payload, &position, SITE):
                    if searching:
                        work_search_end(self.self, self.ring, True, SITE)
                        searching = False
                    for i in range(WORK_PAYLOAD):
                        broken += payload[i] != payload[0] + i
                    disorder += mine != 0 and position <= last
                    last = position
                    mine += 1
                    if payload[0] < total:
                        xadd32(&seen[payload[0]], 1)
                    work_done(self.self, self.ring, position, SITE)
                    if xadd64(taken, 1) + 1 == total:
                        ec_notify(self.self, &self.ring.bell, ALL, SITE)
                    continue
                if sparing and not searching:
                    work_search_begin(self.self, self.ring, SITE)
                    searching = True
                    continue
                key = ec_prepare(self.self, &self.ring.bell, SITE)
                if searching:
                    work_search_end(self.self, self.ring, False, SITE)
                    searching = False
                if work_waiting(self.self, self.ring, SITE) or ld64_acq(taken) >= total:
                    ec_cancel(self.self, &self.ring.bell, key)
                elif ec_sleep(self.self, &self.ring.bell, key, 250000000, SITE) == -110 and work_waiting(self.self, self.ring, SITE):
                    # Another consumer may be about to take it; an item that stays at the head for a second has lost its wake-up.
                    head = ld64_acq(&self.ring.head)
                    patience = clock_ns() + SECOND_NS
                    while ld64_acq(&self.ring.head) == head and work_waiting(self.self, self.ring, SITE):
                        nap_ns(1000000)
                        if clock_ns() > patience:
                            self.self.timeouts_with_work += 1
                            break
            if searching:
                work_search_end(self.self, self.ring, False, SITE)
        return mine, broken, disorder
