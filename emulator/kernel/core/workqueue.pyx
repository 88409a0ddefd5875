# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Queueing work and flushing a queue. Rings and workers: see ``workqueue.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBUSY

cdef enum:
    WORK_RING_FULL = 4           # actor.work of an IRQ thread: tries that found the work ring full
    FULL_NS = 20000


cdef int queue_work(view *v, uint32_t ring, uint64_t group_ref, uint64_t queued_ticks) noexcept nogil:
    """0, or -EBUSY when the machine ends. Linux can always queue; here the ring is full when a worker has been held up for a whole
    lap, and the IRQ thread waits for it. Workers never wait for the IRQ thread, so they get on."""
    cdef uint64_t payload[2]
    cdef int ret
    cdef waiter w
    payload[0] = group_ref
    payload[1] = queued_ticks
    waiter_reset(&w)
    ret = work_push(v.self, work_ring(v, ring), payload, 2, SVA_IOPF_HANDLER)
    while ret == EBUSY and ld32_acq(&v.board.phase) < PHASE_ENDING:
        v.self.work[WORK_RING_FULL] += 1
        if not waiter_spin(v.self, &w):
            point_nap(v.self, SVA_IOPF_HANDLER << 8 | OP_NAP, FULL_NS)  # a worker does not ring for a free slot: that is rare
        ret = work_push(v.self, work_ring(v, ring), payload, 2, SVA_IOPF_HANDLER)
    if ret == 0:
        work_ring_bell(v.self, work_ring(v, ring), work_ring(v, 0), SVA_IOPF_HANDLER)
    return ret


cdef void flush_workqueue(view *v, uint32_t ring, uint32_t site) noexcept nogil:
    """Waits until every group queued on this ring before the call is done, whatever its device. Takes as long as they do."""
    if ring >= v.cfg.work_rings:
        return
    work_flush(v.self, work_ring(v, ring), <uint64_t>-1, site)
