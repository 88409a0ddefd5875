# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A worker of the pool: takes work from the workqueues and runs it. Rings and bells: see ``workqueue.pxd``; the work: see
``handle_group.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport lockdep_acquire, lockdep_release
from iopf.cython_ext.wait cimport *
from iopf.cython_ext.work_ring cimport *
from iopf.emulator.kernel.core.handle_group cimport iopf_handle_group
from iopf.emulator.kernel.core.workqueue cimport any_work_waiting
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_WQ
from iopf.emulator.spec.program cimport HOLD_WORKERS
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *

cdef bint take_work(view *v, uint32_t *turn, uint64_t *payload, uint64_t *position) noexcept nogil:
    """The next item of any workqueue, beginning behind the one served last; ``turn`` becomes its ring. A held pool takes nothing."""
    cdef uint32_t i, ring
    if iopf_unlikely(read32(v.self, &v.board.hold, WORKER_WAIT) & HOLD_WORKERS):
        return False
    for i in range(v.cfg.work_rings):
        ring = (turn[0] + 1 + i) % v.cfg.work_rings
        if work_pop(v.self, work_ring(v, ring), payload, position, WORKER_WAIT):
            turn[0] = ring
            return True
    return False


cdef bint work_to_take(view *v) noexcept nogil:
    return not read32(v.self, &v.board.hold, WORKER_WAIT) & HOLD_WORKERS and any_work_waiting(v, WORKER_WAIT)


cdef uint64_t heads(view *v) noexcept nogil:
    """Positions taken from all rings: moves when anything is taken."""
    cdef uint64_t sum = 0
    cdef uint32_t i
    for i in range(v.cfg.work_rings):
        sum += read64(v.self, &work_ring(v, i).head, WORKER_WAIT)
    return sum


cdef uint64_t work_owed(void *arg) noexcept nogil:
    """The bell is shared: it may have rung for another worker, which is then on its way. So the mark moves when anything is taken."""
    cdef view *v = <view *>arg
    if ld32_acq(&v.board.phase) >= PHASE_ENDING:
        return THERE
    return heads(v) << 2 | THERE if work_to_take(v) else NOTHING


cdef uint64_t look_for_work(void *arg) noexcept nogil:
    """Stops counting as searching, behind the preparation, then looks once more."""
    cdef view *v = <view *>arg
    work_search_end(v.self, work_ring(v, 0), False, WORKER_WAIT)
    return work_to_take(v) or ld32_acq(&v.board.phase) >= PHASE_ENDING


cdef void sleep_for_work(view *v, waiter *w) noexcept nogil:
    """Caller is searching and has found nothing for long enough; it is searching again afterwards."""
    cdef workring *first = work_ring(v, 0)
    wait_work(v.self, &first.bell, look_for_work, work_owed, v, NULL, WORKER_WAIT, w)
    work_search_begin(v.self, first, WORKER_WAIT)


cdef void found_work(view *v, workring *first) noexcept nogil:
    """The last one looking wakes another when more is waiting, on this ring or on any."""
    work_search_end(v.self, first, True, WORKER_WAIT)
    if v.cfg.work_rings > 1 and read32(v.self, &first.searching, WORKER_WAIT) == 0 and any_work_waiting(v, WORKER_WAIT):
        ec_notify(v.self, &first.bell, 1, WORKER_WAIT)


cdef int worker_main(view *v) noexcept nogil:
    """Runs until PHASE_ENDING."""
    cdef workring *first = work_ring(v, 0)
    cdef uint64_t payload[7]
    cdef uint64_t position
    cdef uint32_t turn = v.self.index
    cdef waiter w
    cdef bint searching = True
    waiter_reset(&w)
    work_search_begin(v.self, first, WORKER_WAIT)
    while True:
        v.self.heartbeat += 1
        if take_work(v, &turn, payload, &position):
            if searching:
                found_work(v, first)
                searching = False
            lockdep_acquire(v.self, LOCK_WQ, WORKER_HANDLE)
            iopf_handle_group(v, payload[0], crew_ticks(v.crew))
            lockdep_release(v.self, LOCK_WQ)
            work_done(v.self, work_ring(v, turn), position, WORKER_HANDLE)
            waiter_reset(&w)
            continue
        if not searching:
            work_search_begin(v.self, first, WORKER_WAIT)
            searching = True
        if waiter_spin(v.self, &w):
            continue
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            return 0
        sleep_for_work(v, &w)
