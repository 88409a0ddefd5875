# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Waiting for the interrupt thread. See ``prq_wait.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport iommu_regs, regs_of, unit_of, unit_regs
from iopf.emulator.board.layout cimport OFF_PRQ_RECORDS
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.vtd cimport *

cdef struct pass_wait:
    view *v
    iommu_regs *regs
    uint64_t seen


cdef void prq_ring(view *v, uint32_t unit, ring_end *ring) noexcept nogil:
    ring_attach(ring, &unit_regs(v, unit).prq, view_region(v, OFF_PRQ_RECORDS) + <uint64_t>unit * v.cfg.prq_records * PRQ_RECORD_BYTES,
                v.cfg.prq_records, PRQ_RECORD_BYTES)


cdef bint queued_for(view *v, ring_end *ring, uint32_t rid, uint32_t pasid) noexcept nogil:
    """Whether a record of (rid, PASID) lies between head and tail now."""
    cdef uint64_t tail = ring_tail(v.self, ring, DRAIN_PASID_PRQ)
    cdef uint64_t head = ring_head(v.self, ring, DRAIN_PASID_PRQ)
    cdef uint64_t qw0
    if defect(v, DEFECT_DRAIN_MISSES_NEW_REQUESTS_AND_OVERFLOW):
        tail = read64(v.self, &unit_regs(v, 0).tail_seen, DRAIN_PASID_PRQ)
    while head != tail:
        # The thread may read it and the hardware put another into its place while we look.
        qw0 = read64(v.self, ring_record(ring, head), DRAIN_PASID_PRQ)
        if defect(v, DEFECT_RID_FAULTS_NOT_DRAINED) and not prq_pasid_present(qw0):
            head = ring_advance(ring, head)
            continue
        if prq_rid(qw0) == rid and (pasid == ANY_PASID or prq_pasid(qw0) == pasid):
            return True
        head = ring_advance(ring, head)
    return False


cdef uint64_t take_completion(void *arg) noexcept nogil:
    cdef pass_wait *p = <pass_wait *>arg
    point(p.v.self, DRAIN_PASID_PRQ << 8 | OP_FIELD_READ, &p.regs.prq_done, ACC_RMW)
    return cas32(&p.regs.prq_done, 1, 0)


cdef void wait_for_completion(view *v, iommu_regs *regs) noexcept nogil:
    """The completion that all drains of an IOMMU share: each starts it anew, and one pass of the thread completes it once."""
    cdef pass_wait p
    p.v, p.regs = v, regs
    point(v.self, DRAIN_PASID_PRQ << 8 | OP_FIELD_WRITE, &regs.prq_done, ACC_WRITE)
    st32_rel(&regs.prq_done, 0)
    wait_until(v.self, &regs.prq_complete, take_completion, &p, <uint64_t>-1, DRAIN_PASID_PRQ)


cdef uint64_t passed(void *arg) noexcept nogil:
    cdef pass_wait *p = <pass_wait *>arg
    return read64(p.v.self, &p.regs.prq_passes, DRAIN_PASID_PRQ) > p.seen


cdef void wait_pass(view *v, iommu_regs *regs, uint64_t seen) noexcept nogil:
    """Waits until the IRQ thread has finished a pass after the one counted in ``seen``."""
    cdef pass_wait p
    if defect(v, DEFECT_SHARED_COMPLETION_LOST_WAKE):
        wait_for_completion(v, regs)
        return
    p.v, p.regs, p.seen = v, regs, seen
    wait_until(v.self, &regs.prq_complete, passed, &p, <uint64_t>-1, DRAIN_PASID_PRQ)


cdef void prq_settle(view *v, uint32_t dev) noexcept nogil:
    """Waits until the interrupt thread has read every record of the device that is in the hardware queue now."""
    cdef iommu_regs *regs = regs_of(v, dev)
    cdef ring_end ring
    cdef uint64_t seen
    prq_ring(v, unit_of(v, dev), &ring)
    while True:
        seen = read64(v.self, &regs.prq_passes, DRAIN_PASID_PRQ)
        if not queued_for(v, &ring, v.devices[dev].rid, ANY_PASID):
            return
        wait_pass(v, regs, seen)
