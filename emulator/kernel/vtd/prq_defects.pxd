# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Historic bugs of a pass over the page request queue, one call of ``prq_event_thread`` each; no effect without the defect."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from iopf.cython_ext.access cimport write64
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport iommu_regs
from iopf.emulator.spec.sites cimport PRQ_EVENT_THREAD
from iopf.emulator.spec.vtd cimport PRQ_RECORD_BYTES

cdef struct prq_early:           # records read before the tail that covers them
    uint32_t count
    uint64_t records[8]

cdef inline void before_tail(view *v, ring_end *ring, prq_early *early) noexcept nogil:
    """evtq-missing-barrier: without a barrier between the two loads a processor may read records before the tail."""
    cdef uint64_t head
    early.count = 0
    if not defect(v, DEFECT_EVTQ_MISSING_BARRIER):
        return
    head = ld64_acq(&ring.regs.head) & ring.bytes_mask
    point(v.self, PRQ_EVENT_THREAD << 8 | OP_FIELD_READ, ring_record(ring, head), ACC_READ)
    memcpy(early.records, ring_record(ring, head), PRQ_RECORD_BYTES)
    memcpy(early.records + 4, ring_record(ring, ring_advance(ring, head)), PRQ_RECORD_BYTES)
    early.count = 2

cdef inline uint64_t *record_of(prq_early *early, ring_end *ring, uint64_t head, uint32_t n) noexcept nogil:
    """The n-th record of the pass."""
    return &early.records[n * 4] if iopf_unlikely(n < early.count) else ring_record(ring, head)

cdef inline void note_tail(view *v, iommu_regs *regs, uint64_t tail) noexcept nogil:
    """drain-misses-new-requests-and-overflow: drains look at the tail that the thread has read."""
    if defect(v, DEFECT_DRAIN_MISSES_NEW_REQUESTS_AND_OVERFLOW):
        write64(v.self, &regs.tail_seen, tail, PRQ_EVENT_THREAD)

cdef inline uint64_t head_written(view *v, ring_end *ring, uint64_t head) noexcept nogil:
    """ring-mask-half-descriptor: a mask for descriptors of 16 bytes, on records of 32."""
    return head & (ring.bytes_mask >> 1) | 16 if defect(v, DEFECT_RING_MASK_HALF_DESCRIPTOR) else head

cdef inline void complete_once(view *v, iommu_regs *regs) noexcept nogil:
    """shared-completion-lost-wake: one pass completes the completion once, for whichever drain looks first."""
    if defect(v, DEFECT_SHARED_COMPLETION_LOST_WAKE):
        point(v.self, PRQ_EVENT_THREAD << 8 | OP_FIELD_WRITE, &regs.prq_done, ACC_WRITE)
        st32_rel(&regs.prq_done, 1)
