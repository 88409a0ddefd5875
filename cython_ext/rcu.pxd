# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Read-copy-update between processes.

``crew.rcu_epoch`` counts grace periods; every waiter advances it. An actor's ``rcu_epoch`` is 0 outside a read section, and inside one
the epoch that it saw on entry; only the owner writes it.

    reader: rcu_epoch = crew epoch (release); fence; dereference ...; release store of 0
    waiter: unpublish; epoch + 1 (locked add = fence); wait until no actor is inside with an older epoch
    The reader's fence pairs with the waiter's locked add: a reader that the waiter did not see inside entered later and reads the
    unpublished pointer.

Read sections may nest. They must not sleep, and must not wait for a work ring. A reader that died inside is skipped once its slot is
DEAD. Concurrency: any number of readers and waiters.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *

cdef inline void rcu_read_lock(iopf_actor *self, uint32_t site) noexcept nogil:
    cdef uint64_t epoch
    self.rcu_nest += 1
    if self.rcu_nest == 1:
        epoch = read64(self, &crew_of(self).rcu_epoch, site)
        point(self, site << 8 | OP_RCU_LOCK, &self.rcu_epoch, ACC_WRITE)
        # Release, like the end of a section: a waiter that reads this epoch has to see the end of the section before it.
        st64_rel(&self.rcu_epoch, epoch)
        fence_at(self, site)  # pairs with the locked add in rcu_start

cdef inline void rcu_read_unlock(iopf_actor *self, uint32_t site) noexcept nogil:
    if iopf_unlikely(self.rcu_nest == 0):
        verdict_raise(self, VERDICT_RCU, 0, 0, 0, self.slot, 1, site)
        return
    self.rcu_nest -= 1
    if self.rcu_nest == 0:
        point(self, site << 8 | OP_RCU_UNLOCK, &self.rcu_epoch, ACC_WRITE)
        st64_rel(&self.rcu_epoch, 0)

cdef inline void rcu_check_held(iopf_actor *self, uint64_t obj, uint32_t site) noexcept nogil:
    """Called before a dereference: a verdict outside a read section."""
    if iopf_unlikely(self.rcu_nest == 0):
        verdict_raise(self, VERDICT_RCU, 0, obj, 0, self.slot, 2, site)

cdef inline uint64_t rcu_start(iopf_actor *self, uint32_t site) noexcept nogil:
    """Start a grace period: objects unpublished before may be freed once ``rcu_passed`` returns true for the result."""
    return add64(self, &crew_of(self).rcu_epoch, 1, site) + 1

cdef inline bint rcu_passed(iopf_actor *self, uint64_t epoch, uint32_t site) noexcept nogil:
    cdef iopf_crew *crew = crew_of(self)
    cdef iopf_actor *other
    cdef uint64_t seen
    cdef uint32_t i
    for i in range(crew.actors):
        other = crew_actor(crew, i)
        if self.mode == POINT_CONTROLLED and other.mode != POINT_CONTROLLED:
            continue  # not part of the schedule
        seen = read64(self, &other.rcu_epoch, site)
        if seen != 0 and seen < epoch and ld32_acq(&other.state) != ACTOR_DEAD:
            return False
    return True

cdef inline void synchronize_rcu(iopf_actor *self, uint32_t site) noexcept nogil:
    """Wait until every read section that was open at the call has ended. Not allowed inside one."""
    cdef uint64_t epoch
    cdef waiter w
    if iopf_unlikely(self.rcu_nest != 0):
        verdict_raise(self, VERDICT_RCU, 0, 0, 0, self.slot, 3, site)
        return
    epoch = rcu_start(self, site)
    waiter_reset(&w)
    self.wait_site = site
    self.wait_since_ns = actor_clock(self)
    while not rcu_passed(self, epoch, site):
        if not waiter_spin(self, &w):
            point_nap(self, site << 8 | OP_RCU_WAIT, 50000)  # readers do not ring: grace periods are rare and sections are short
    self.wait_site = 0
