# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The operations of the work ring. See ``work_ring.pxd`` for states, owners and concurrency."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport lockdep_acquire, lockdep_release
from iopf.cython_ext.wait cimport *


cdef void work_format(workring *r, uint32_t count, uint32_t cls) noexcept nogil:
    cdef uint32_t i
    r.count = count
    r.cls = cls
    r.tail = r.head = r.floor = r.lost = 0
    r.bell.word = r.idle.word = 0
    r.flushers = 0
    r.searching = 0
    for i in range(count):
        st64_rel(&work_slot(r, i).word, work_word(i, 0, WORK_FREE))


cdef int work_push(iopf_actor *self, workring *r, const uint64_t *payload, uint32_t words, uint32_t site) noexcept nogil:
    """Queue up to seven words; 0, or -EBUSY (-16) if every slot is reserved, ready or taken."""
    cdef uint64_t tail, word
    cdef workslot *slot
    cdef uint32_t i
    while True:
        tail = read64(self, &r.tail, site)
        slot = work_slot(r, tail)
        point(self, site << 8 | OP_WORK_RESERVE, &slot.word, ACC_RMW)
        word = ld64_acq(&slot.word)
        if word == work_word(tail, 0, WORK_FREE):
            if cas64(&slot.word, word, work_word(tail, self.slot + 1, WORK_RESERVED)):
                break
        elif word >> 20 == tail:
            try64(self, &r.tail, tail, tail + 1, site)  # another producer reserved this position and has not moved the hint yet
        elif word >> 20 < tail:
            work_settle(self, r, site)
            if read64(self, &slot.word, site) == word and read64(self, &r.tail, site) == tail:
                return -16
        # a position beyond ours: the hint was stale; read again
    for i in range(words):
        slot.payload[i] = payload[i]
    point(self, site << 8 | OP_WORK_PUBLISH, &slot.word, ACC_WRITE)
    st64_rel(&slot.word, work_word(tail, self.slot + 1, WORK_READY))  # pairs with the acquire load in work_pop
    try64(self, &r.tail, tail, tail + 1, site)
    return 0


cdef int work_pop(iopf_actor *self, workring *r, uint64_t *payload, uint64_t *position, uint32_t site) noexcept nogil:
    """Take an item: 1 with payload and position, 0 if none is ready. ``work_done`` must release every position taken."""
    cdef uint64_t head, word
    cdef workslot *slot
    cdef uint32_t state, i
    while True:
        head = read64(self, &r.head, site)
        slot = work_slot(r, head)
        point(self, site << 8 | OP_WORK_TAKE, &slot.word, ACC_RMW)
        word = ld64_acq(&slot.word)
        if word >> 20 != head:
            if word >> 20 > head:
                try64(self, &r.head, head, head + 1, site)
                continue
            return 0
        state = word & 15
        if state == WORK_READY:
            if not cas64(&slot.word, word, work_word(head, self.slot + 1, WORK_TAKEN)):
                continue
            for i in range(WORK_PAYLOAD):
                payload[i] = slot.payload[i]
            position[0] = head
            try64(self, &r.head, head, head + 1, site)
            return 1
        if state < WORK_READY:
            return 0
        try64(self, &r.head, head, head + 1, site)


cdef void work_settle(iopf_actor *self, workring *r, uint32_t site) noexcept nogil:
    """Free finished slots at the floor, in order, and wake flushers if it moved."""
    cdef uint64_t floor, word
    cdef workslot *slot
    cdef bint moved = False
    while True:
        floor = read64(self, &r.floor, site)
        slot = work_slot(r, floor)
        word = read64(self, &slot.word, site)
        if word >> 20 == floor and word & 15 == WORK_DONE:
            # The head must not stay behind a slot that is free again for the next lap.
            if read64(self, &r.head, site) <= floor:
                try64(self, &r.head, floor, floor + 1, site)
            if read64(self, &r.tail, site) <= floor:
                try64(self, &r.tail, floor, floor + 1, site)
            try64(self, &slot.word, word, work_word(floor + r.count, 0, WORK_FREE), site)
        elif word >> 20 <= floor:
            break
        if try64(self, &r.floor, floor, floor + 1, site):
            moved = True
    if moved and read32(self, &r.flushers, site):
        ec_notify(self, &r.idle, 0x7FFFFFFF, site)


cdef void work_done(iopf_actor *self, workring *r, uint64_t position, uint32_t site) noexcept nogil:
    cdef workslot *slot = work_slot(r, position)
    point(self, site << 8 | OP_WORK_DONE, &slot.word, ACC_RMW)
    if not cas64(&slot.word, work_word(position, self.slot + 1, WORK_TAKEN), work_word(position, self.slot + 1, WORK_DONE)):
        verdict_raise(self, VERDICT_BAD_WORD, r.cls, position, ld64_rlx(&slot.word), 0, 6, site)
        return
    # The locked change of the slot pairs with the locked add of `flushers` in work_flush.
    work_settle(self, r, site)


cdef struct flush_wait:
    iopf_actor *self
    workring *ring
    uint64_t target
    uint32_t site


cdef uint64_t flushed(void *arg) noexcept nogil:
    cdef flush_wait *f = <flush_wait *>arg
    work_settle(f.self, f.ring, f.site)
    point(f.self, f.site << 8 | OP_WORK_FLUSH, &f.ring.floor, ACC_READ)
    return ld64_acq(&f.ring.floor) >= f.target


cdef int work_flush(iopf_actor *self, workring *r, uint64_t timeout_ns, uint32_t site) noexcept nogil:
    """Waits until every position queued before the call is done; 0, or -ETIMEDOUT (-110) after ``timeout_ns`` (UINT64_MAX: none).
    Later work is not waited for."""
    cdef flush_wait f
    cdef uint64_t target = read64(self, &r.tail, site), word
    cdef int ret
    # The hint may lag behind a push that has returned: count what is published beyond it.
    while True:
        word = read64(self, &work_slot(r, target).word, site)
        if word >> 20 == target and word & 15 != WORK_FREE and word & 15 != WORK_RESERVED:
            target += 1
        else:
            break
    lockdep_acquire(self, r.cls, site)
    f.self, f.ring, f.target, f.site = self, r, target, site
    add32(self, &r.flushers, 1, site)
    ret = wait_until(self, &r.idle, flushed, &f, timeout_ns, site)
    add32(self, &r.flushers, <uint32_t>-1, site)
    lockdep_release(self, r.cls)
    return ret


cdef uint32_t work_repair(iopf_actor *self, workring *r, uint32_t dead_slot, uint32_t site) noexcept nogil:
    """After a confirmed death: turn the positions that it had reserved or taken into DONE. Returns their number."""
    cdef uint32_t i, n = 0, state
    cdef uint64_t word
    cdef workslot *slot
    for i in range(r.count):
        slot = work_slot(r, i)
        word = ld64_acq(&slot.word)
        state = word & 15
        if (word >> 4) & 0xFFFF == dead_slot + 1 and (state == WORK_RESERVED or state == WORK_TAKEN):
            if cas64(&slot.word, word, (word & ~<uint64_t>15) | WORK_DONE):
                n += 1
    xadd64(&r.lost, n)
    if dead_slot < crew_of(self).actors and ld64_acq(&crew_actor(crew_of(self), dead_slot).searching):
        st64_rel(&crew_actor(crew_of(self), dead_slot).searching, 0)
        work_search_less(self, r, site)
    work_settle(self, r, site)
    ec_notify(self, &r.bell, 0x7FFFFFFF, site)
    ec_notify(self, &r.idle, 0x7FFFFFFF, site)
    return n
