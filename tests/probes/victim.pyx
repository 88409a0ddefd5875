# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The operations that the stepping test kills in the middle, each between two marks.

The victim prepares its primitive, sets the first mark, traps, runs one operation without Python, and sets the second mark. Its tracer
steps it from the trap on and kills it after a number of instructions; the required state afterwards is in the cases of the test.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.event_ring cimport *
from iopf.cython_ext.histogram cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from tests.probes.crew cimport SITE, Crew
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.refcount cimport *
from iopf.cython_ext.trap cimport trap_here
from iopf.cython_ext.wait cimport *
from iopf.cython_ext.work_ring cimport *

cpdef enum Step:
    """The operations that the stepping test kills in the middle."""
    STEP_MUTEX = 0
    STEP_MUTEX_UNLOCK_WAKE
    STEP_RW_WRITE
    STEP_RW_WRITE_UNLOCK_WAKE
    STEP_RW_READ
    STEP_REF_GET
    STEP_REF_PUT
    STEP_RCU
    STEP_RCU_SYNC
    STEP_POOL_ALLOC
    STEP_POOL_FREE
    STEP_LIST_ADD
    STEP_LIST_DEL
    STEP_LINK_PUSH
    STEP_LINK_POP
    STEP_RECORD_PUT
    STEP_RECORD_GET
    STEP_WORK_PUSH
    STEP_WORK_POP
    STEP_WORK_POP_DONE
    STEP_WORK_DONE
    STEP_WORK_FLUSH
    STEP_WORK_SEARCH
    STEP_EVENT
    STEP_HISTOGRAM
    STEP_EC_WAIT
    STEP_EC_NOTIFY
    STEP_LOCKDEP


def step(Crew crew not None, Step what, uint64_t armed_offset, uint64_t at, uint64_t at2=0, uint64_t arg=0) -> None:
    """One operation between two marks in the word at ``armed_offset``: 1 and a trap before it, 2 after it.

    ``at`` is the primitive, ``at2`` a second one (the pool of a list, with its mutex after ``arg``), ``arg`` a reference, a capacity or a
    size, or whether a search found an item. Only for a process with a tracer; the trap kills any other.
    """
    cdef Memory memory = crew.memory
    cdef uint32_t *armed = <uint32_t *>memory.at(armed_offset, 4)
    cdef char *one = memory.at(at, 64)
    cdef char *two = memory.at(at2, 64)
    with nogil:
        victim(crew.self, what, armed, one, two, arg)


cdef void victim(iopf_actor *self, uint32_t what, uint32_t *armed, char *one, char *two, uint64_t arg) noexcept nogil:
    cdef link_end link
    cdef ring_end ring
    cdef uint64_t record[8]
    cdef uint64_t position = 0, offset
    cdef uint64_t *slot
    cdef objhdr *obj = NULL
    cdef listhead *head
    cdef uint32_t i, key
    memset(&link, 0, sizeof(link))
    memset(&ring, 0, sizeof(ring))
    for i in range(8):
        record[i] = arg + i
    if what in (STEP_LINK_PUSH, STEP_LINK_POP):
        link_attach(&link, one, arg, what == STEP_LINK_PUSH)
    elif what in (STEP_RECORD_PUT, STEP_RECORD_GET):
        ring_attach(&ring, <ring_regs *>one, one + sizeof(ring_regs), arg, 32)
    elif what == STEP_MUTEX_UNLOCK_WAKE:
        mutex_lock(self, <rmutex *>one, SITE)
        or_32(&(<rmutex *>one).word, LOCK_SLEEPERS)
    elif what == STEP_RW_WRITE_UNLOCK_WAKE:
        write_lock(self, <rwlock *>one, SITE)
        or_32(&(<rwlock *>one).word, LOCK_SLEEPERS)
    elif what == STEP_POOL_FREE:
        obj = pool_slot(<pool *>one, ref_index(arg))
    elif what in (STEP_LIST_ADD, STEP_LIST_DEL):
        # The mutex is directly after the list head.
        obj = pool_slot(<pool *>two, ref_index(arg))
    head = <listhead *>one
    st32_rel(armed, 1)
    trap_here()
    if what == STEP_MUTEX:
        mutex_lock(self, <rmutex *>one, SITE)
        mutex_unlock(self, <rmutex *>one, SITE)
    elif what == STEP_MUTEX_UNLOCK_WAKE:
        mutex_unlock(self, <rmutex *>one, SITE)
    elif what == STEP_RW_WRITE:
        write_lock(self, <rwlock *>one, SITE)
        write_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_RW_WRITE_UNLOCK_WAKE:
        write_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_RW_READ:
        read_lock(self, <rwlock *>one, SITE)
        read_unlock(self, <rwlock *>one, SITE)
    elif what == STEP_REF_GET:
        ref_get(self, <uint32_t *>one, SITE)
    elif what == STEP_REF_PUT:
        ref_put(self, <uint32_t *>one, SITE)
    elif what == STEP_RCU:
        rcu_read_lock(self, SITE)
        rcu_read_unlock(self, SITE)
    elif what == STEP_RCU_SYNC:
        synchronize_rcu(self, SITE)
    elif what == STEP_POOL_ALLOC:
        obj = pool_alloc(self, <pool *>one, SITE)
    elif what == STEP_POOL_FREE:
        pool_free(self, <pool *>one, obj, SITE)
    elif what == STEP_LIST_ADD:
        mutex_lock(self, <rmutex *>(head + 1), SITE)
        list_add_tail(self, <pool *>two, head, obj, SITE)
        mutex_unlock(self, <rmutex *>(head + 1), SITE)
    elif what == STEP_LIST_DEL:
        mutex_lock(self, <rmutex *>(head + 1), SITE)
        list_del(self, <pool *>two, head, obj, SITE)
        mutex_unlock(self, <rmutex *>(head + 1), SITE)
    elif what == STEP_LINK_PUSH:
        slot = link_room(self, &link, SITE)
        if slot is not NULL:
            for i in range(LINK_WORDS):
                slot[i] = record[i]
            link_filled(&link)
            link_publish(self, &link, SITE)
    elif what == STEP_LINK_POP:
        slot = link_next(self, &link, SITE)
        if slot is not NULL:
            for i in range(LINK_WORDS):
                record[i] = slot[i]
            link_taken(&link)
            link_consume(self, &link, SITE)
    elif what == STEP_RECORD_PUT:
        offset = ld64_rlx(&ring.regs.tail)
        if ring_advance(&ring, offset) != ring_head(self, &ring, SITE):
            slot = ring_record(&ring, offset)
            for i in range(4):
                slot[i] = record[i]
            ring_publish(self, &ring, ring_advance(&ring, offset), SITE)
    elif what == STEP_RECORD_GET:
        offset = ld64_rlx(&ring.regs.head)
        if offset != ring_tail(self, &ring, SITE):
            slot = ring_record(&ring, offset)
            for i in range(4):
                record[i] = slot[i]
            ring_consume(self, &ring, ring_advance(&ring, offset), SITE)
    elif what == STEP_WORK_PUSH:
        work_push(self, <workring *>one, record, WORK_PAYLOAD, SITE)
        ec_notify(self, &(<workring *>one).bell, 1, SITE)
    elif what == STEP_WORK_POP:
        work_pop(self, <workring *>one, record, &position, SITE)
    elif what == STEP_WORK_POP_DONE:
        if work_pop(self, <workring *>one, record, &position, SITE):
            work_done(self, <workring *>one, position, SITE)
    elif what == STEP_WORK_DONE:
        work_done(self, <workring *>one, arg, SITE)
    elif what == STEP_WORK_FLUSH:
        work_flush(self, <workring *>one, arg, SITE)
    elif what == STEP_WORK_SEARCH:
        work_search_begin(self, <workring *>one, SITE)
        work_search_end(self, <workring *>one, arg != 0, SITE)
    elif what == STEP_EVENT:
        event_write(self, <event_ring *>one, arg, <uint32_t>arg & 0xFFFF, ~arg, arg * arg)
    elif what == STEP_HISTOGRAM:
        hist_add(<histogram *>one, arg)
    elif what == STEP_EC_WAIT:
        key = ec_prepare(self, <eventcount *>one, SITE)
        ec_cancel(self, <eventcount *>one, key)
        key = ec_prepare(self, <eventcount *>one, SITE)
        ec_sleep(self, <eventcount *>one, key, 1000, SITE)
    elif what == STEP_EC_NOTIFY:
        ec_notify(self, <eventcount *>one, 1, SITE)
    elif what == STEP_LOCKDEP:
        lockdep_acquire(self, <uint32_t>arg, SITE)
    st32_rel(armed, 2)
    # Keeps the copies of the pops from being optimised away.
    st64_rlx(<uint64_t *>(armed + 2), record[0] + record[3] + record[7] + position + <uint64_t>obj)
