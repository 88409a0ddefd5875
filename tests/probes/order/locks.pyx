# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs over the mutex and the reader-writer lock: a counter that only the holder may change, and a sleep that must end.

    mutex       two actors, twice each
    three       three actors, once each: a third one sleeps while the lock changes hands
    writers     two writers, once each
    rwlock      one writer and two readers
    taken over  the owner is dead, and two actors want the lock
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from tests.probes.order.machine cimport *

cdef struct words:
    rmutex mutex
    uint64_t pad0[7]
    rwlock lock
    uint64_t pad1[6]
    uint64_t counter
    uint64_t inside
    uint64_t died


cdef inline words *at() noexcept nogil:
    return <words *>machine_room()


cdef inline iopf_actor *actor(uint32_t me) noexcept nogil:
    return crew_actor(machine_crew(), me)


cdef void nothing() noexcept nogil:
    pass


cdef void owner_dead() noexcept nogil:
    """The last slot died while it held the mutex."""
    at().mutex.word = 3
    actor(2).state = ACTOR_DEAD


cdef void count_up() noexcept nogil:
    """Two steps that no other holder may come between."""
    cdef uint64_t seen = ld64_rlx(&at().counter)
    st64_rlx(&at().counter, seen + 1)


cdef void hold(uint32_t me) noexcept nogil:
    if mutex_lock(actor(me), &at().mutex, 1) == LOCK_DIED:
        at().died += 1
    count_up()
    mutex_unlock(actor(me), &at().mutex, 1)


cdef void mutex_run(uint32_t me) noexcept nogil:
    hold(me)
    hold(me)


cdef void three_run(uint32_t me) noexcept nogil:
    hold(me)


cdef void taken_over_run(uint32_t me) noexcept nogil:
    if me < 2:
        hold(me)


cdef void write_run(uint32_t me) noexcept nogil:
    write_lock(actor(me), &at().lock, 1)
    count_up()
    write_unlock(actor(me), &at().lock, 1)


cdef void rwlock_run(uint32_t me) noexcept nogil:
    cdef uint64_t seen
    if me == 0:
        write_run(me)
        return
    read_lock(actor(me), &at().lock, 1)
    seen = ld64_rlx(&at().counter)
    if ld64_rlx(&at().counter) != seen:
        machine_fail("a writer and a reader hold the lock")
    read_unlock(actor(me), &at().lock, 1)


cdef const char *counted(uint64_t n) noexcept nogil:
    return unless(at().counter == n, "two actors held the lock at the same time")


cdef const char *one() noexcept nogil:
    return counted(1)


cdef const char *two() noexcept nogil:
    return counted(2)


cdef const char *two_after_death() noexcept nogil:
    if at().died != 1:
        return "other than one actor was told of the death"
    return counted(2)


cdef const char *three() noexcept nogil:
    return counted(3)


cdef const char *four() noexcept nogil:
    return counted(4)


cdef program programs[5]
programs[0] = program(b"mutex", 2, nothing, mutex_run, four)
programs[1] = program(b"three", 3, nothing, three_run, three)
programs[2] = program(b"writers", 2, nothing, write_run, two)
programs[3] = program(b"rwlock", 3, nothing, rwlock_run, one)
programs[4] = program(b"taken over", 3, owner_dead, taken_over_run, two_after_death)


def explore(str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    return explored(programs, 5, name, model, mutant, most_states, preemptions)
