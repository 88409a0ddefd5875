# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs over the eventcount and over RCU. Each actor does what the primitive promises to support, once or twice.

    flag        one actor publishes and wakes; one waits
    waiters     one publishes and wakes all; two wait
    turns       each of two wakes the other in turn
    giving up   one of two waiters times out at any step, and must not remove the other's mark
    serving     a loop that serves what two others post, with ``wait_work``
    grace       a reader in a section; a writer unpublishes, waits for a grace period, and frees
    two grace   the same with two writers that wait at the same time
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.wait cimport *
from tests.probes.order.machine cimport *

cdef enum:
    EVERY = 0x7FFFFFFF
    SHORT_NS = 1000          # a timeout that is part of the function
    FREED = 9

cdef struct words:
    eventcount bell
    uint64_t pad0[7]
    uint32_t flag
    uint32_t pad1
    uint64_t pad2[7]
    uint32_t data            # plain: published by ``flag``
    uint32_t pad3
    uint64_t posted[2]
    uint64_t served[2]
    uint64_t pointer
    uint64_t objects[3]
    uint64_t marks[3]


cdef inline words *at() noexcept nogil:
    return <words *>machine_room()


cdef inline iopf_actor *actor(uint32_t me) noexcept nogil:
    return crew_actor(machine_crew(), me)


cdef struct wanted:
    uint32_t flag


cdef uint64_t flagged(void *arg) noexcept nogil:
    return ld32_acq(&at().flag) >= (<wanted *>arg).flag


cdef void publish(uint32_t me, uint32_t value, uint32_t most) noexcept nogil:
    at().data = value
    st32_rel(&at().flag, value)
    ec_notify(actor(me), &at().bell, most, 1)


cdef void await_flag(uint32_t me, uint32_t value) noexcept nogil:
    cdef wanted w
    w.flag = value
    wait_until(actor(me), &at().bell, flagged, &w, <uint64_t>-1, 2)
    if at().data < value:
        machine_fail("the waiter is awake before the data is there")


cdef void nothing() noexcept nogil:
    pass


cdef const char *good() noexcept nogil:
    return NULL


cdef void flag_run(uint32_t me) noexcept nogil:
    if me == 0:
        publish(me, 1, 1)
    else:
        await_flag(me, 1)


cdef void waiters_run(uint32_t me) noexcept nogil:
    if me == 0:
        publish(me, 1, EVERY)
    else:
        await_flag(me, 1)


cdef void turns_run(uint32_t me) noexcept nogil:
    if me == 0:
        publish(me, 1, EVERY)
        await_flag(me, 2)
    else:
        await_flag(me, 1)
        publish(me, 2, EVERY)


cdef void giving_up_run(uint32_t me) noexcept nogil:
    cdef uint32_t key
    if me == 0:
        publish(me, 1, EVERY)
        publish(me, 2, EVERY)
    elif me == 1:
        key = ec_prepare(actor(me), &at().bell, 2)
        if ld32_acq(&at().flag):
            ec_cancel(actor(me), &at().bell, key)
        else:
            ec_sleep(actor(me), &at().bell, key, SHORT_NS, 2)
    else:
        await_flag(me, 2)


cdef uint64_t owed(void *arg) noexcept nogil:
    cdef uint32_t i
    for i in range(2):
        if ld64_acq(&at().posted[i]) != at().served[i]:
            return THERE
    return NOTHING


cdef void serving_run(uint32_t me) noexcept nogil:
    cdef waiter w
    cdef uint32_t i
    if me > 0:
        st64_rel(&at().posted[me - 1], 1)
        ec_notify(actor(me), &at().bell, 1, 1)
        return
    waiter_reset(&w)
    while at().served[0] + at().served[1] < 2:
        for i in range(2):
            at().served[i] = ld64_acq(&at().posted[i])
        if at().served[0] + at().served[1] < 2:
            wait_work(actor(me), &at().bell, owed, owed, NULL, NULL, 2, &w)


cdef const char *served_all() noexcept nogil:
    return unless(at().served[0] + at().served[1] == 2, "served other than posted")


cdef void read_section(uint32_t me) noexcept nogil:
    cdef uint64_t object
    rcu_read_lock(actor(me), 1)
    object = ld64_acq(&at().pointer)
    st64_rlx(&at().marks[object], me)
    if ld64_rlx(&at().objects[object]) == FREED:
        machine_fail("a reader uses an object after its grace period")
    rcu_read_unlock(actor(me), 1)


cdef void replace(uint32_t me) noexcept nogil:
    """The next object becomes the published one; the previous one is freed."""
    cdef uint64_t object = xadd64(&at().pointer, 0)
    while not cas64(&at().pointer, object, object + 1):
        object = ld64_acq(&at().pointer)
    free_after_grace(me, object)


cdef void replace_alone(uint32_t me) noexcept nogil:
    """With one writer a store is enough."""
    cdef uint64_t object = ld64_acq(&at().pointer)
    st64_rel(&at().pointer, object + 1)
    free_after_grace(me, object)


cdef void free_after_grace(uint32_t me, uint64_t object) noexcept nogil:
    synchronize_rcu(actor(me), 3)
    st64_rel(&at().objects[object], FREED)
    st64_rel(&at().marks[object], FREED)


cdef void grace_run(uint32_t me) noexcept nogil:
    if me == 0:
        replace_alone(me)
    else:
        read_section(me)


cdef void two_grace_run(uint32_t me) noexcept nogil:
    if me < 2:
        replace(me)
    else:
        read_section(me)


cdef const char *marks_stand() noexcept nogil:
    """What a reader wrote inside its section is not written after the object was freed."""
    cdef uint64_t i
    for i in range(at().pointer):
        if at().marks[i] != FREED:
            return "a reader's store reaches an object after its grace period"
    return NULL


cdef program programs[7]
programs[0] = program(b"flag", 2, nothing, flag_run, good)
programs[1] = program(b"waiters", 3, nothing, waiters_run, good)
programs[2] = program(b"turns", 2, nothing, turns_run, good)
programs[3] = program(b"giving up", 3, nothing, giving_up_run, good)
programs[4] = program(b"serving", 3, nothing, serving_run, served_all)
programs[5] = program(b"grace", 2, nothing, grace_run, marks_stand)
programs[6] = program(b"two grace", 3, nothing, two_grace_run, marks_stand)


def explore(str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    return explored(programs, 7, name, model, mutant, most_states, preemptions)
