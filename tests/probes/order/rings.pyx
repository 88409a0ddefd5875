# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs over the link and the work ring: every record arrives once, complete, and wakes its consumer.

    link            three records through two slots; both sides poll
    one consumer    two items, a consumer that sleeps as a worker of the pool does
    two consumers   two items
    two producers   an item each, one consumer
    full            two items through one slot; the producer polls
    flush           the producer waits until its item is done
    two flushers    both wait for the item of one of them
    dependent       the first item waits for the second, so it takes two consumers
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.wait cimport *
from iopf.cython_ext.work_ring cimport *
from tests.probes.order.machine cimport *

cdef enum:
    EVERY = 0x7FFFFFFF
    LINK_SLOTS = 2
    LINK_RECORDS = 3

cdef struct words:
    uint64_t taken[4]        # times that each item was taken
    uint64_t handled         # items taken so far
    uint64_t items           # of the program
    uint64_t done[2]         # the item was handled before its position was
    uint64_t dependent       # item 1 waits for item 2
    uint64_t pad[7]


cdef inline words *at() noexcept nogil:
    return <words *>machine_room()


cdef inline workring *ring() noexcept nogil:
    return <workring *>(<char *>machine_room() + sizeof(words))


cdef inline iopf_actor *actor(uint32_t me) noexcept nogil:
    return crew_actor(machine_crew(), me)


cdef void empty_link() noexcept nogil:
    pass


cdef void link_run(uint32_t me) noexcept nogil:
    cdef link_end e
    cdef uint64_t *slot
    cdef uint64_t n = 0
    link_attach(&e, <char *>ring(), LINK_SLOTS, me == 0)
    while n < LINK_RECORDS:
        slot = link_room(actor(me), &e, 1) if me == 0 else link_next(actor(me), &e, 1)
        if slot == NULL:
            machine_nap()
            continue
        n += 1
        if me == 0:
            slot[0] = n
            link_filled(&e)
            link_publish(actor(me), &e, 1)
        else:
            if slot[0] != n:
                machine_fail("a record other than the next one")
            link_taken(&e)
            link_consume(actor(me), &e, 1)
            at().handled = n


cdef const char *link_passed() noexcept nogil:
    return unless(at().handled == LINK_RECORDS, "a record is lost")


cdef uint64_t look(void *arg) noexcept nogil:
    cdef uint32_t *me = <uint32_t *>arg
    work_search_end(actor(me[0]), ring(), False, 2)
    return work_waiting(actor(me[0]), ring(), 2) or ld64_acq(&at().handled) >= at().items


cdef void handle(uint32_t me, uint64_t item, uint64_t position) noexcept nogil:
    if not 1 <= item <= at().items:
        machine_fail("an item that was not pushed")
        return
    xadd64(&at().taken[item], 1)
    while item == 1 and at().dependent and ld64_acq(&at().taken[2]) == 0:
        machine_nap()
    st64_rlx(&at().done[item & 1], 1)
    work_done(actor(me), ring(), position, 2)
    if xadd64(&at().handled, 1) + 1 == at().items:
        ec_notify(actor(me), &ring().bell, EVERY, 2)


cdef void consume(uint32_t me) noexcept nogil:
    """Like ``worker_main``, until all items were handled."""
    cdef uint64_t payload[WORK_PAYLOAD]
    cdef uint64_t position = 0
    cdef waiter w
    cdef bint searching = True
    waiter_reset(&w)
    work_search_begin(actor(me), ring(), 2)
    while True:
        if work_pop(actor(me), ring(), payload, &position, 2):
            if searching:
                work_search_end(actor(me), ring(), True, 2)
                searching = False
            handle(me, payload[0], position)
            continue
        if not searching:
            work_search_begin(actor(me), ring(), 2)
            searching = True
        if ld64_acq(&at().handled) >= at().items:
            return
        wait_work(actor(me), &ring().bell, look, NULL, &me, NULL, 2, &w)
        work_search_begin(actor(me), ring(), 2)


cdef void push(uint32_t me, uint64_t item) noexcept nogil:
    while work_push(actor(me), ring(), &item, 1, 1) != 0:
        machine_nap()
    work_ring_bell(actor(me), ring(), ring(), 1)


cdef void make_ring(uint32_t slots, uint64_t items) noexcept nogil:
    work_format(ring(), slots, 0)
    at().items = items


cdef void one_item() noexcept nogil:
    make_ring(2, 1)


cdef void two_items() noexcept nogil:
    make_ring(2, 2)


cdef void two_items_one_slot() noexcept nogil:
    make_ring(1, 2)


cdef void two_dependent() noexcept nogil:
    make_ring(2, 2)
    at().dependent = 1


cdef void two_by_one_run(uint32_t me) noexcept nogil:
    if me > 0:
        consume(me)
        return
    push(me, 1)
    push(me, 2)


cdef void two_producers_run(uint32_t me) noexcept nogil:
    if me == 2:
        consume(me)
    else:
        push(me, me + 1)


cdef void flush_run(uint32_t me) noexcept nogil:
    if me == 1:
        consume(me)
        return
    if me == 0:
        push(me, 1)
        work_flush(actor(me), ring(), <uint64_t>-1, 3)
        if ld64_rlx(&at().done[1]) != 1:
            machine_fail("a flush has returned before the work that it waits for was done")


cdef void two_flushers_run(uint32_t me) noexcept nogil:
    if me < 2:
        flush_run(me)
        return
    work_flush(actor(me), ring(), <uint64_t>-1, 3)


cdef const char *each_once() noexcept nogil:
    cdef uint64_t i
    for i in range(1, at().items + 1):
        if at().taken[i] != 1:
            return "an item was taken twice or is lost"
    return NULL


cdef program programs[8]
programs[0] = program(b"link", 2, empty_link, link_run, link_passed)
programs[1] = program(b"one consumer", 2, two_items, two_by_one_run, each_once)
programs[2] = program(b"two consumers", 3, two_items, two_by_one_run, each_once)
programs[3] = program(b"two producers", 3, two_items, two_producers_run, each_once)
programs[4] = program(b"full", 2, two_items_one_slot, two_by_one_run, each_once)
programs[5] = program(b"flush", 2, one_item, flush_run, each_once)
programs[6] = program(b"two flushers", 3, one_item, two_flushers_run, each_once)
programs[7] = program(b"dependent", 3, two_dependent, two_by_one_run, each_once)


def explore(str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    return explored(programs, 8, name, model, mutant, most_states, preemptions)
