# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Workqueues: one work ring for each ``iopf_queue/<name>`` (or domain), and one pool of workers for all of them (WQ_UNBOUND).

A worker looks through the rings in turn, beginning behind the one it served last, so that no queue starves. All
workers sleep on the bell of the first ring, and count themselves as searching there. A producer pushes into its own
ring and rings the first one; the rule of the work ring holds for the sum: a worker that takes something while
anything waits anywhere wakes the next.

    flush_workqueue   waits for what was pushed into one ring before it; other rings do not hold it up
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport fence_at, read32
from iopf.cython_ext.wait cimport ec_notify
from iopf.cython_ext.work_ring cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.queues cimport work_ring

cdef inline bint any_work_waiting(view *v, uint32_t site) noexcept nogil:
    cdef uint32_t i
    for i in range(v.cfg.work_rings):
        if work_waiting(v.self, work_ring(v, i), site):
            return True
    return False

cdef int queue_work(view *v, uint32_t ring, uint64_t group_ref, uint64_t queued_ticks) noexcept nogil
cdef void flush_workqueue(view *v, uint32_t ring, uint32_t site) noexcept nogil
