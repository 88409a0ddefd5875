# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The Python interface of the channel. See ``channel_core.pxd`` for the writers of each word and the memory ordering.

A call that finds a record (or room for one) takes no lock, makes no system call and keeps the GIL. Only waiting releases the GIL: some
pauses, some yields, then a futex. Every sleep is limited to 100 ms, so that signals and ``close`` are noticed even when the producer
was killed between publishing and ringing.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from iopf.cython_ext.channel_claim cimport *
from iopf.cython_ext.memory cimport Memory

cdef enum:
    BOUND_NS = 100000000

cdef uint64_t FOREVER = <uint64_t>-1

RECORD_BYTES = CHANNEL_RECORD_BYTES


class ChannelError(ValueError):
    """The memory holds no usable channel, or this end of it belongs to another process."""


class ChannelClosed(Exception):  # noqa: N818 - like EOFError
    """The channel was closed; for a consumer: and all published records were read."""


cdef uint64_t deadline_of(object timeout_s) except? 0:
    if timeout_s is None:
        return FOREVER
    return clock_ns() + <uint64_t>(max(0.0, min(<double>timeout_s, 1e9)) * 1e9)


cdef uint64_t bound_to(uint64_t deadline_ns) noexcept:
    """Maximum time of the next sleep; 0 after the deadline."""
    cdef uint64_t now = clock_ns()
    if deadline_ns <= now:
        return 0
    return min(deadline_ns - now, <uint64_t>BOUND_NS)


cdef uint64_t need_bytes(uint64_t producers, uint64_t capacity) except 0:
    if not 1 <= producers <= CHANNEL_PRODUCERS_MAX:
        raise ValueError(f"{producers} producers; a channel has 1 to {CHANNEL_PRODUCERS_MAX}")
    if not 1 <= capacity <= CHANNEL_CAPACITY_MAX or capacity & (capacity - 1):
        raise ValueError(f"a capacity of {capacity} records; it must be a power of two up to {CHANNEL_CAPACITY_MAX}")
    return chan_bytes(producers, capacity)


cdef class Channel:
    """A formatted channel in shared memory: ``Channel.format`` once, ``Channel`` in every process that uses it.

    It pins the mapping: an ``mmap`` below it cannot be closed while the channel or one of its ends exists.
    """

    @staticmethod
    def bytes_needed(uint64_t producers, uint64_t capacity) -> int:
        """Bytes of memory for a channel with ``capacity`` records of room per producer."""
        return need_bytes(producers, capacity)

    @staticmethod
    def format(Memory memory not None, uint64_t offset, uint64_t producers, uint64_t capacity,
               *, uint32_t spins=50, uint32_t yields=64):
        """Create an empty channel at ``offset``, a multiple of 64. No process may be using that memory.

        ``spins`` pauses and ``yields`` yields come before a sleep; with a core per process 1,000 pauses are better.
        """
        cdef uint64_t total = need_bytes(producers, capacity)
        cdef chan_header *header = <chan_header *>memory.at(offset, total)
        if not memory.writable:
            raise PermissionError("the memory is mapped read-only")
        if <uint64_t>header % 64:
            raise ValueError(f"offset {offset} does not start a cache line of 64 bytes")
        chan_format(header, <uint32_t>producers, capacity, spins, yields)

    def __cinit__(self, Memory memory not None, uint64_t offset=0):
        cdef chan_header *header = <chan_header *>memory.at(offset, sizeof(chan_header))
        if not memory.writable:
            raise PermissionError("the memory is mapped read-only")
        if <uint64_t>header % 64:
            raise ValueError(f"offset {offset} does not start a cache line of 64 bytes")
        if ld64_acq(&header.magic) != CHANNEL_MAGIC:
            raise ChannelError(f"no channel at offset {offset}")
        if header.layout != chan_layout():
            raise ChannelError("the channel was created by another version of the emulator")
        try:
            fits = need_bytes(header.producers, header.capacity) == header.bytes
        except ValueError as error:
            raise ChannelError(f"the header of the channel is damaged: {error}") from None
        if not fits:
            raise ChannelError("the header of the channel is damaged: its size does not match its fields")
        if header.bytes > memory.size - offset:
            raise ChannelError(f"the channel has {header.bytes} bytes, but {memory.size - offset} are mapped: truncated")
        PyObject_GetBuffer(memory._owner, &self.view, PyBUF_WRITABLE)
        self.held = True
        self.header = header

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    @property
    def producers(self) -> int:
        return self.header.producers

    @property
    def capacity(self) -> int:
        """Records of room that each producer has."""
        return self.header.capacity

    @property
    def closed(self) -> bool:
        return chan_closed(self.header)

    def producer(self, uint32_t index) -> Producer:
        """Become producer ``index``; its previous owner must have released it or be dead."""
        return Producer(self, index)

    def consumer(self) -> Consumer:
        """Become the consumer; its previous owner must have released it or be dead."""
        return Consumer(self)

    def close(self):
        """Close the channel and wake all waiters. Published records can still be read."""
        chan_close(self.header)

    def stats(self) -> dict:
        """Wait counters of every end: ``producer 0`` ..., ``consumer``.

        ``timeouts_with_work`` counts sleeps that timed out with work present: a lost wake-up, unless a process died.
        """
        cdef iopf_crew *crew = chan_crew(self.header)
        cdef iopf_actor *actor
        cdef uint32_t slot
        counters = {}
        for slot in range(self.header.producers + 1):
            actor = crew_actor(crew, slot)
            name = f"producer {slot}" if slot < self.header.producers else "consumer"
            counters[name] = {
                "sleeps": actor.sleeps, "wakes": actor.wakes, "yields": actor.yields,
                "wait_timeouts": actor.wait_timeouts, "timeouts_with_work": actor.timeouts_with_work,
            }
        return counters

    cdef uint64_t claim(self, uint32_t slot, uint64_t before) except 0:
        """Make this process the owner of an end. ``before``: the claim of the parent to inherit, or 0."""
        cdef int owner = 0
        cdef uint64_t mine = claim_take(&crew_actor(chan_crew(self.header), slot).work[0], before, &owner)
        if mine == 0:
            end = f"producer {slot}" if slot < self.header.producers else "the consumer"
            raise ChannelError(f"{end} is process {owner}, which is running")
        return mine

    cdef void unclaim(self, uint32_t slot, uint64_t word) noexcept:
        claim_drop(&crew_actor(chan_crew(self.header), slot).work[0], word)

    cdef int check(self) except -1:
        """Check the rare reasons to stop waiting."""
        PyErr_CheckSignals()
        if ld32_acq(&chan_crew(self.header).verdict_count):
            raise ChannelError("an index of the channel is out of range: a process overwrote it")
        return 0


cdef class Producer:
    """A producer end. It belongs to one thread at a time; a forked child continues at its parent's position."""

    def __cinit__(self, Channel channel not None, uint32_t index):
        if index >= channel.header.producers:
            raise IndexError(f"no producer {index}; the number of producers is {channel.header.producers}")
        self.channel = channel
        self.index = index
        self.attach()

    def __dealloc__(self):
        if self.word:
            self.channel.unclaim(self.index, self.word)

    cdef int attach(self) except -1:
        cdef chan_header *header = self.channel.header
        self.word = self.channel.claim(self.index, self.word)
        self.forks = fork_count
        self.out.header = header
        self.out.actor = crew_actor(chan_crew(header), self.index)
        self.out.reader = crew_actor(chan_crew(header), header.producers)
        link_attach(&self.out.end, chan_link(header, self.index), header.capacity, True)
        return 0

    cdef int verify(self) except -1:
        """Before every use: check that this end is still owned and the channel open."""
        if iopf_unlikely(self.forks != fork_count):
            self.attach()
        if iopf_unlikely(ld64_rlx(&self.out.actor.work[0]) != self.word):
            raise ChannelError(f"producer {self.index} belongs to another process now")
        if iopf_unlikely(self.waiting):
            raise ChannelError(f"producer {self.index} is waiting in another thread")
        if iopf_unlikely(chan_closed(self.out.header)):
            raise ChannelClosed("put to a closed channel")
        return 0

    cdef bint await_room(self, uint64_t deadline_ns) except -1:
        """Wait for room; false at the deadline."""
        cdef uint64_t bound_ns
        cdef bint there = False
        while not there:
            bound_ns = bound_to(deadline_ns)
            if bound_ns == 0:
                return False
            self.waiting = True
            with nogil:
                there = out_wait(&self.out, bound_ns)
            self.waiting = False
            self.channel.check()
        if chan_closed(self.out.header):
            raise ChannelClosed("put to a closed channel")
        return True

    cdef uint64_t put_all(self, const char *records, uint64_t count, object timeout_s) except? 0:
        """Write records; return their number, less than ``count`` only at the deadline."""
        cdef uint64_t done = 0, put, deadline_ns = 0
        while True:
            put = out_put(&self.out, records + done * CHANNEL_RECORD_BYTES, count - done)
            out_publish(&self.out)
            done += put
            if done == count:
                return done
            if put:
                continue  # the cached room is used up; there may be more by now
            if deadline_ns == 0:
                deadline_ns = deadline_of(timeout_s)
            if not self.await_room(deadline_ns):
                return done

    def put(self, record, timeout_s=None):
        """Write one record of 64 bytes. Raises TimeoutError without room within the timeout; waits without limit if there is none."""
        cdef Py_buffer view
        cdef uint64_t done
        self.verify()
        if PyBytes_CheckExact(record) and PyBytes_GET_SIZE(record) == CHANNEL_RECORD_BYTES:
            done = self.put_all(PyBytes_AS_STRING(record), 1, timeout_s)
        else:
            PyObject_GetBuffer(record, &view, PyBUF_SIMPLE)
            try:
                if view.len != CHANNEL_RECORD_BYTES:
                    raise ValueError(f"a record has {CHANNEL_RECORD_BYTES} bytes, not {view.len}")
                done = self.put_all(<const char *>view.buf, 1, timeout_s)
            finally:
                PyBuffer_Release(&view)
        if done == 0:
            raise TimeoutError(f"no room in the channel within {timeout_s} s")

    def put_many(self, records, timeout_s=None) -> int:
        """Write n records of 64 bytes in order, with one doorbell per contiguous room. Returns the number written.

        That is n, unless ``timeout_s`` expired in between; TimeoutError if none was written.
        """
        cdef Py_buffer view
        cdef uint64_t done
        self.verify()
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE)
        try:
            if view.len % CHANNEL_RECORD_BYTES:
                raise ValueError(f"{view.len} bytes are not a multiple of records of {CHANNEL_RECORD_BYTES} bytes")
            done = self.put_all(<const char *>view.buf, view.len // CHANNEL_RECORD_BYTES, timeout_s)
            if done == 0 and view.len:
                raise TimeoutError(f"no room in the channel within {timeout_s} s")
        finally:
            PyBuffer_Release(&view)
        return done


cdef class Consumer:
    """The consumer end. It belongs to one thread at a time; a forked child continues at its parent's position."""

    def __cinit__(self, Channel channel not None):
        self.channel = channel
        self.inn.count = channel.header.producers
        self.inn.sources = <chan_source *>calloc(self.inn.count, sizeof(chan_source))
        if self.inn.sources is NULL:
            raise MemoryError
        self.attach()

    def __dealloc__(self):
        if self.word:
            self.channel.unclaim(self.inn.count, self.word)
        free(self.inn.sources)

    cdef int attach(self) except -1:
        cdef chan_header *header = self.channel.header
        cdef chan_source *source
        cdef uint32_t index
        self.word = self.channel.claim(header.producers, self.word)
        self.forks = fork_count
        self.inn.header = header
        self.inn.actor = crew_actor(chan_crew(header), header.producers)
        self.inn.at = self.inn.sources
        for index in range(header.producers):
            source = self.inn.sources + index
            link_attach(&source.end, chan_link(header, index), header.capacity, False)
            source.writer = crew_actor(chan_crew(header), index)
            # The previous owner may have died between taking and checking, so check immediately.
            source.looked = source.end.mine - source.end.mask
        return 0

    cdef int verify(self) except -1:
        if iopf_unlikely(self.forks != fork_count):
            self.attach()
        if iopf_unlikely(ld64_rlx(&self.inn.actor.work[0]) != self.word):
            raise ChannelError("the consumer belongs to another process now")
        if iopf_unlikely(self.waiting):
            raise ChannelError("the consumer is waiting in another thread")
        return 0

    cdef int await_record(self, object timeout_s) except -1:
        cdef uint64_t deadline_ns = deadline_of(timeout_s), bound_ns
        while not in_find(&self.inn):
            if chan_closed(self.inn.header) and not in_find(&self.inn):
                raise ChannelClosed("the channel is closed and empty")
            bound_ns = bound_to(deadline_ns)
            if bound_ns == 0:
                raise TimeoutError(f"no record in the channel within {timeout_s} s")
            self.waiting = True
            with nogil:
                in_wait(&self.inn, bound_ns)
            self.waiting = False
            self.channel.check()
        return 0

    def get(self, timeout_s=None) -> bytes:
        """Return the next record. Raises TimeoutError at the timeout, ChannelClosed at the end of the stream."""
        cdef bytes record
        self.verify()
        if not in_find(&self.inn):
            self.await_record(timeout_s)
        record = PyBytes_FromStringAndSize(in_record(&self.inn), CHANNEL_RECORD_BYTES)
        in_took(&self.inn, 1)
        return record

    def get_into(self, buffer, timeout_s=None) -> None:
        """Like ``get``, into a writable buffer of 64 bytes."""
        cdef Py_buffer view
        self.verify()
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if view.len != CHANNEL_RECORD_BYTES:
                raise ValueError(f"a record has {CHANNEL_RECORD_BYTES} bytes, not {view.len}")
            if not in_find(&self.inn):
                self.await_record(timeout_s)
            in_take(&self.inn, <char *>view.buf, 1)
        finally:
            PyBuffer_Release(&view)

    def get_many(self, uint64_t most, timeout_s=None) -> bytes:
        """Wait for a record, then return all available records, 1 to ``most``, in one buffer."""
        cdef bytes records
        cdef uint64_t count
        if most == 0:
            raise ValueError("expected at least one record")
        self.verify()
        if not in_find(&self.inn):
            self.await_record(timeout_s)
        most = min(most, <uint64_t>self.inn.count * (self.inn.at.end.mask + 1))
        records = PyBytes_FromStringAndSize(NULL, most * CHANNEL_RECORD_BYTES)
        count = in_take(&self.inn, PyBytes_AS_STRING(records), most)
        return records if count == most else records[:count * CHANNEL_RECORD_BYTES]

    def get_many_into(self, buffer, timeout_s=None) -> int:
        """Like ``get_many``, into a writable buffer whose size is a multiple of the record size; return the number read."""
        cdef Py_buffer view
        self.verify()
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        try:
            if view.len == 0 or view.len % CHANNEL_RECORD_BYTES:
                raise ValueError(f"{view.len} bytes are not a multiple of records of {CHANNEL_RECORD_BYTES} bytes")
            if not in_find(&self.inn):
                self.await_record(timeout_s)
            return in_take(&self.inn, <char *>view.buf, view.len // CHANNEL_RECORD_BYTES)
        finally:
            PyBuffer_Release(&view)
