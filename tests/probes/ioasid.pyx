# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The IOASID framework of a board, driven from Python: all calls, injections, the state of the board, and loops at full speed.

The loops run against each other in separate processes. They keep one word per id in shared memory, ``owners``: slot + 1 of the holder, so
that an id allocated twice is detected by its second holder.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport LOCK_OWNER
from iopf.cython_ext.rcu cimport rcu_read_lock, rcu_read_unlock, synchronize_rcu
from iopf.emulator.kernel.flows cimport kernel_attach
from iopf.emulator.kernel.ioasid.ioasid cimport *
from iopf.emulator.kernel.ioasid.allocator cimport *
from iopf.emulator.kernel.ioasid.space cimport *
from iopf.emulator.spec.classes cimport POOL_CLASSES
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_data
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.sites cimport *

cdef enum:
    HOLD_MOST = 64


cdef class Ioasid:
    """The framework as seen by the actor of ``process``. Errors are negative errno, as in the kernel."""

    def __cinit__(self, Process process not None):
        self.process = process
        self.v = &process.v
        self.st = ioasid_of(self.v)
        if kernel_attach(self.v) != 0:
            raise ValueError("the board names an unknown kernel")

    def register(self, uint32_t ident, uint32_t alloc_fn, uint32_t free_fn, uint64_t pdata) -> int:
        cdef ioasid_ops ops = allocator_ops(ident, alloc_fn, free_fn, pdata)
        cdef int ret
        with nogil:
            ret = ioasid_register_allocator(self.v, &ops)
        return ret

    def unregister(self, uint32_t ident) -> None:
        cdef ioasid_ops ops = allocator_ops(ident, 0, 0, 0)
        with nogil:
            ioasid_unregister_allocator(self.v, &ops)

    def alloc(self, uint32_t set, uint32_t min, uint32_t max, uint64_t private) -> int:
        cdef uint32_t id
        with nogil:
            id = ioasid_alloc(self.v, set, min, max, private)
        return id

    def free(self, uint32_t id) -> None:
        with nogil:
            ioasid_free(self.v, id)

    def get(self, uint32_t id) -> None:
        with nogil:
            ioasid_get(self.v, id)

    def put(self, uint32_t id) -> bool:
        cdef bint last
        with nogil:
            last = ioasid_put(self.v, id)
        return last

    def find(self, uint32_t set, uint32_t id, uint32_t getter) -> tuple:
        """(error, private)."""
        cdef int err
        cdef uint64_t private
        with nogil:
            private = ioasid_find(self.v, set, id, getter, &err)
        return err, private

    def set_data(self, uint32_t id, uint64_t private) -> int:
        cdef int ret
        with nogil:
            ret = ioasid_set_data(self.v, id, private)
        return ret

    # Injections and the other guests of a host; no actor may run.

    def fail_host(self, uint32_t backend, uint32_t nth) -> None:
        """Make the host refuse the n-th allocation from now."""
        self.st.backends[backend % VCMD_BACKENDS].fail_nth = nth

    def repeat_host(self, uint32_t backend, uint32_t nth) -> None:
        """Make the host return its last number again in the n-th allocation from now."""
        self.st.backends[backend % VCMD_BACKENDS].repeat_nth = nth

    def fail_record(self, uint32_t nth) -> None:
        """Make the n-th record of an id from now fail for lack of memory."""
        self.st.record_fail_nth = nth

    def fail_memory(self, uint32_t cls, uint32_t nth) -> None:
        """Make the n-th allocation from the pool ``cls`` fail."""
        self.v.pools[cls % POOL_CLASSES].fail_nth = nth

    def host_take(self, uint32_t backend, uint32_t id) -> None:
        """Give this number to another guest of the host."""
        self.st.backends[backend % VCMD_BACKENDS].bits[(id % IOASID_IDS) >> 6] |= <uint64_t>1 << (id & 63)

    def host_release(self, uint32_t backend, numbers) -> None:
        """Take these numbers back from their holders."""
        for number in numbers:
            self.st.backends[backend % VCMD_BACKENDS].bits[(<uint32_t>number % IOASID_IDS) >> 6] &= ~(<uint64_t>1 << (number & 63))

    # The state of the board; no actor may run.

    def host(self, uint32_t backend) -> dict:
        cdef vcmd *b = &self.st.backends[backend % VCMD_BACKENDS]
        return {"out": {i for i in range(IOASID_IDS) if b.bits[i >> 6] >> (i & 63) & 1}, "allocs": b.allocs, "frees": b.frees,
                "refused": b.refused, "bad_frees": b.bad_frees, "alloc_pdata": b.alloc_pdata, "free_pdata": b.free_pdata}

    def ids(self) -> dict:
        """The ids of the active space: id -> (set, private). In a read section, so other actors may run."""
        cdef ioasid_allocator *a
        cdef ioasid_data *data
        cdef uint32_t space, i
        found = {}
        rcu_read_lock(self.v.self, IOASID_FIND)
        space = space_active(self.v, &a, IOASID_FIND)
        for i in range(IOASID_IDS):
            data = space_lookup(self.v, space, i, IOASID_FIND)
            if data != NULL:
                found[i] = (data.set, data.private)
        rcu_read_unlock(self.v.self, IOASID_FIND)
        return found

    def state(self) -> dict:
        """No actor may run. ``active``: the first ops of the active space, 0 for the default; ``list``: the registered spaces in order,
        each with its ops in order."""
        cdef ioasid_allocator *a
        cdef uint32_t space = space_active(self.v, &a, IOASID_FIND), i, k
        active = 0 if a == NULL else sharer_first(a).ident
        spaces = []
        for i in range(IOASID_ALLOCATORS):
            a = allocator_at(self.v, i)
            if a != NULL:
                spaces.append((a.seq, [ident for _, ident in sorted([(a.sharers[k].seq, a.sharers[k].ident)
                                                                    for k in range(IOASID_SHARERS) if a.sharers[k].ident])]))
        return {"active": active, "ids": self.ids(), "outstanding": self.st.outstanding[space], "list": [s for _, s in sorted(spaces)],
                "warnings": self.st.warnings, "ids_lost": self.st.ids_lost, "unknown": self.st.unknown, "repairs": self.st.repairs,
                "op": self.st.op, "locked": self.st.lock.word != 0}

    def lock_owner(self) -> int:
        """The slot that holds the lock, or -1."""
        return <int>(ld32_acq(&self.st.lock.word) & LOCK_OWNER) - 1

    def settle(self) -> None:
        """Wait for a grace period and free the objects that have outlived their readers."""
        with nogil:
            synchronize_rcu(self.v.self, IOASID_REAP)
            ioasid_lock(self.v, IOASID_REAP)
            ioasid_reap(self.v)
            ioasid_unlock(self.v, IOASID_REAP)

    # Loops.

    cdef uint64_t *_words(self, uint64_t offset, uint64_t count) except NULL:
        return <uint64_t *>self.process.memory.at(offset, 8 * count)

    def churn(self, uint64_t owners_at, uint64_t rounds, uint32_t hold, uint32_t min, uint32_t max) -> dict:
        """Allocate and free alternately, at most ``hold`` ids at a time (64); the private word of an id identifies its holder. Counts
        errors: ids out of range, ids of another holder (``twice``), own ids that a lookup misses or finds changed (``wrong``)."""
        cdef uint64_t *owners = self._words(owners_at, IOASID_IDS)
        cdef uint32_t[HOLD_MOST] held
        cdef uint64_t i, mine = self.v.self.slot + 1, out_of_range = 0, twice = 0, wrong = 0, got = 0
        cdef uint32_t at, id, n = hold if hold < HOLD_MOST else HOLD_MOST
        cdef int err
        with nogil:
            for at in range(n):
                held[at] = INVALID_IOASID
            for i in range(rounds + n):
                at = <uint32_t>(i * 7 % n) if i < rounds else <uint32_t>(i - rounds)
                if held[at] != INVALID_IOASID:
                    wrong += ioasid_find(self.v, 7, held[at], GETTER_NONE, &err) != (mine << 32 | at) or err != 0
                    st64_rel(&owners[held[at]], 0)
                    ioasid_free(self.v, held[at])
                    held[at] = INVALID_IOASID
                elif i < rounds:
                    id = ioasid_alloc(self.v, 7, min, max, mine << 32 | at)
                    if id == INVALID_IOASID:
                        continue
                    if id < min or id > max or id >= IOASID_IDS:
                        out_of_range += 1
                        continue
                    got += 1
                    held[at] = id
                    twice += not cas64(&owners[id], 0, mine)
                self.v.self.heartbeat += 1
        return {"got": got, "out_of_range": out_of_range, "twice": twice, "wrong": wrong}

    def look(self, uint64_t timeout_ns, uint32_t min, uint32_t max, uint64_t want) -> dict:
        """Look up every id of the range repeatedly, until ``want`` lookups have found one and as many have not, or the timeout. Counts
        those, and other results."""
        cdef uint64_t found = 0, unknown = 0, other = 0, private, until = clock_ns() + timeout_ns
        cdef uint32_t id
        cdef int err
        with nogil:
            while (found < want or unknown < want) and clock_ns() < until:
                for id in range(min, max + 1):
                    private = ioasid_find(self.v, 7, id, GETTER_NONE, &err)
                    found += err == 0 and private != 0
                    unknown += err == -2
                    other += (err != 0 and err != -2) or (err == 0 and private == 0)
        return {"found": found, "unknown": unknown, "other": other}
