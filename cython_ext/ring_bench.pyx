# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The loops that `iopf bench queue` times without Python, and the tally of every measured consumer.

Each loop exists for the link (one producer, no doorbell), the channel (many producers, with doorbells) and the reference in C. One
process runs a ``produce`` function, another the ``consume`` function of the same kind on the same memory; ``plain_ring.h`` defines
records and checks. The tally is private to its process. The loops have no timeout: the caller that starts the processes limits their
time.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.channel cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.memory cimport Memory

cdef extern from "iopf/cython_ext/plain_ring.h" nogil:
    ctypedef struct bench_tally:
        uint64_t records
        uint64_t sum
        uint64_t wrong
    ctypedef struct plain_ring:
        uint64_t tail
        uint64_t head
    void bench_fill(uint64_t *record, uint64_t producer, uint64_t number)
    uint64_t bench_sum(const uint64_t *record)
    void bench_check(bench_tally *tally, const uint64_t *record, uint64_t name)
    void bench_pause(uint32_t *pauses)
    void plain_produce(plain_ring *ring, uint64_t capacity, uint64_t count, uint64_t batch)
    void plain_consume(plain_ring *ring, uint64_t capacity, uint64_t count, uint64_t batch, bench_tally *tally)
    void bounce(uint64_t *word, uint64_t rounds, int first)

cdef enum:
    BATCH_MAX = 64
    PRODUCER_SHIFT = 48
    SLEEP_NS = 100000000

cdef struct lone_crew:
    iopf_crew crew
    iopf_actor actor

# A link needs an actor. It is not watched here, so one in private memory is enough; zero is normal mode.
cdef lone_crew _lone
_lone.crew.actors = 1


cdef class Tally:
    """Counts records and adds up their words, independent of batch boundaries: the check of every consumer."""

    cdef readonly uint64_t records
    cdef readonly uint64_t sum

    def add(self, data):
        """``data`` is n * 64 bytes with the buffer protocol."""
        cdef Py_buffer view
        if PyBytes_CheckExact(data):
            self._add(PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
            return
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        self._add(<const char *>view.buf, view.len)
        PyBuffer_Release(&view)

    cdef int _add(self, const char *data, Py_ssize_t size) except -1:
        cdef const uint64_t *record = <const uint64_t *>data
        cdef const uint64_t *end = <const uint64_t *>(data + size)
        if size % CHANNEL_RECORD_BYTES:
            raise ValueError(f"{size} bytes are not a whole number of records")
        self.records += <uint64_t>size // CHANNEL_RECORD_BYTES
        while record < end:
            self.sum += bench_sum(record)
            record += 8
        return 0


def records_of(uint64_t producer, uint64_t first, uint64_t count) -> bytes:
    """``count`` records of a producer in one buffer, numbered from ``first``."""
    cdef bytearray data = bytearray(count * CHANNEL_RECORD_BYTES)
    cdef char *base = data
    cdef uint64_t i
    for i in range(count):
        bench_fill(<uint64_t *>(base + i * CHANNEL_RECORD_BYTES), producer, first + i)
    return bytes(data)


def sum_of(producer: int, count: int) -> int:
    """Sum of the words of a producer's records 0 .. count - 1, modulo 2**64."""
    return (count * (8 * (producer << PRODUCER_SHIFT) + 28) + 4 * count * (count - 1)) % 2**64


def ring_bytes(uint64_t capacity) -> int:
    """Size of a link or a plain ring with that many records."""
    return link_bytes(capacity)


cdef int check_numbers(uint64_t capacity, uint64_t batch) except -1:
    if capacity == 0 or capacity & (capacity - 1):
        raise ValueError(f"a capacity of {capacity} records; it must be a power of two")
    if not 1 <= batch <= BATCH_MAX:
        raise ValueError(f"a batch of {batch} records; it must be 1 to {BATCH_MAX}")
    return 0


cdef tuple outcome(bench_tally *tally):
    return tally.records, tally.sum, tally.wrong


# ---- the link

cdef void link_producing(link_end end, uint64_t count, uint64_t batch) noexcept nogil:
    cdef link_end *e = &end    # a copy on the stack, so that the compiler can keep indices in registers
    cdef uint64_t done = 0, filled, i
    cdef uint32_t pauses = 0
    while done < count:
        filled = link_room_many(&_lone.actor, e, batch if batch < count - done else count - done, 0)
        for i in range(filled):
            bench_fill(link_slot(e, i), 0, done + i)
        link_moved(e, filled)
        done += filled
        if filled:
            link_publish(&_lone.actor, e, 0)
            pauses = 0
        else:
            bench_pause(&pauses)


cdef bench_tally link_consuming(link_end end, uint64_t count, uint64_t batch) noexcept nogil:
    cdef link_end *e = &end
    cdef bench_tally tally
    cdef uint64_t done = 0, taken, i
    cdef uint32_t pauses = 0
    memset(&tally, 0, sizeof(tally))
    while done < count:
        taken = link_next_many(&_lone.actor, e, batch if batch < count - done else count - done, 0)
        for i in range(taken):
            bench_check(&tally, link_slot(e, i), done + i)
        link_moved(e, taken)
        done += taken
        if taken:
            link_consume(&_lone.actor, e, 0)
            pauses = 0
        else:
            bench_pause(&pauses)
    return tally


cdef bench_tally link_turns(link_end producer, link_end consumer, uint64_t count, uint64_t batch) noexcept nogil:
    cdef link_end *p = &producer
    cdef link_end *c = &consumer
    cdef bench_tally tally
    cdef uint64_t done = 0, n, i
    memset(&tally, 0, sizeof(tally))
    while done < count:
        n = link_room_many(&_lone.actor, p, batch if batch < count - done else count - done, 0)
        for i in range(n):
            bench_fill(link_slot(p, i), 0, done + i)
        link_moved(p, n)
        link_publish(&_lone.actor, p, 0)
        n = link_next_many(&_lone.actor, c, n, 0)
        for i in range(n):
            bench_check(&tally, link_slot(c, i), done + i)
        link_moved(c, n)
        link_consume(&_lone.actor, c, 0)
        done += n
    return tally


def turns_link(Memory memory not None, uint64_t offset, uint64_t capacity, uint64_t count, uint64_t batch) -> tuple:
    """Run both ends in this process, alternating: the cost of the code without waiting. Returns what ``consume_link`` returns."""
    cdef link_end producer, consumer
    cdef bench_tally tally
    check_numbers(capacity, batch)
    link_attach(&producer, memory.at(offset, link_bytes(capacity)), capacity, True)
    link_attach(&consumer, memory.at(offset, link_bytes(capacity)), capacity, False)
    with nogil:
        tally = link_turns(producer, consumer, count, batch)
    return outcome(&tally)


def last_point() -> int:
    """The last point of this module's links; always 0 in a build without points."""
    return _lone.actor.last_point


def produce_link(Memory memory not None, uint64_t offset, uint64_t capacity, uint64_t count, uint64_t batch) -> None:
    cdef link_end end
    check_numbers(capacity, batch)
    link_attach(&end, memory.at(offset, link_bytes(capacity)), capacity, True)
    with nogil:
        link_producing(end, count, batch)


def consume_link(Memory memory not None, uint64_t offset, uint64_t capacity, uint64_t count, uint64_t batch) -> tuple:
    """Return (records, sum of their words, wrong records)."""
    cdef link_end end
    cdef bench_tally tally
    check_numbers(capacity, batch)
    link_attach(&end, memory.at(offset, link_bytes(capacity)), capacity, False)
    with nogil:
        tally = link_consuming(end, count, batch)
    return outcome(&tally)


# ---- the reference

def produce_plain(Memory memory not None, uint64_t offset, uint64_t capacity, uint64_t count, uint64_t batch) -> None:
    cdef plain_ring *ring
    check_numbers(capacity, batch)
    ring = <plain_ring *>memory.at(offset, link_bytes(capacity))
    with nogil:
        plain_produce(ring, capacity, count, batch)


def consume_plain(Memory memory not None, uint64_t offset, uint64_t capacity, uint64_t count, uint64_t batch) -> tuple:
    """Return (records, sum of their words, wrong records)."""
    cdef plain_ring *ring
    cdef bench_tally tally
    check_numbers(capacity, batch)
    memset(&tally, 0, sizeof(tally))
    ring = <plain_ring *>memory.at(offset, link_bytes(capacity))
    with nogil:
        plain_consume(ring, capacity, count, batch, &tally)
    return outcome(&tally)


# ---- the channel

cdef void channel_producing(chan_out *out, uint64_t producer, uint64_t count, uint64_t batch) noexcept nogil:
    cdef uint64_t records[BATCH_MAX * 8]
    cdef uint64_t done = 0, size, put, i
    while done < count:
        size = min(batch, count - done)
        for i in range(size):
            bench_fill(records + i * 8, producer, done + i)
        put = 0
        while True:
            put += out_put(out, <const char *>(records + put * 8), size - put)
            out_publish(out)
            if put == size:
                break
            out_wait(out, SLEEP_NS)
        done += size


cdef void channel_consuming(chan_in *inn, uint64_t *numbers, uint64_t count, uint64_t batch, bench_tally *tally) noexcept nogil:
    cdef uint64_t records[BATCH_MAX * 8]
    cdef uint64_t done = 0, size, producer, i
    while done < count:
        size = in_take(inn, <char *>records, batch)
        if size == 0:
            in_wait(inn, SLEEP_NS)
            continue
        for i in range(size):
            producer = min(records[i * 8] >> PRODUCER_SHIFT, <uint64_t>CHANNEL_PRODUCERS_MAX - 1)
            bench_check(tally, records + i * 8, producer << PRODUCER_SHIFT | numbers[producer])
            numbers[producer] += 1
        done += size


def produce_channel(Producer producer not None, uint64_t count, uint64_t batch) -> None:
    check_numbers(1, batch)
    producer.verify()
    with nogil:
        channel_producing(&producer.out, producer.index, count, batch)


def consume_channel(Consumer consumer not None, uint64_t count, uint64_t batch) -> tuple:
    """``count``: of all producers. Returns (records, sum of their words, records wrong or out of order)."""
    cdef bench_tally tally
    cdef uint64_t *numbers
    check_numbers(1, batch)
    consumer.verify()
    numbers = <uint64_t *>calloc(CHANNEL_PRODUCERS_MAX, sizeof(uint64_t))
    if numbers is NULL:
        raise MemoryError
    memset(&tally, 0, sizeof(tally))
    with nogil:
        channel_consuming(&consumer.inn, numbers, count, batch, &tally)
    free(numbers)
    return outcome(&tally)


# ---- communication between two cores

def ping(Memory memory not None, uint64_t offset, uint64_t rounds) -> float:
    """Nanoseconds per round trip of one word between this process and one in ``pong``."""
    cdef uint64_t *word = <uint64_t *>memory.at(offset, 8)
    cdef uint64_t began, took
    with nogil:
        began = clock_ns()
        bounce(word, rounds, 1)
        took = clock_ns() - began
    return <double>took / <double>max(rounds, <uint64_t>1)


def pong(Memory memory not None, uint64_t offset, uint64_t rounds) -> None:
    cdef uint64_t *word = <uint64_t *>memory.at(offset, 8)
    with nogil:
        bounce(word, rounds, 0)
