# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Submitting commands and waiting for them. Rules: see ``qi.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport note_step, view, view_region
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport iommu_regs, iommu_slot, qi_note, unit_regs
from iopf.emulator.board.layout cimport OFF_QI_NOTES, OFF_QI_RECORDS
from iopf.emulator.board.ledger cimport NO_UID, uid_number
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.vtd cimport *

cdef struct status_wait:
    view *v
    iommu_regs *regs
    uint64_t status
    uint32_t site


cdef uint64_t qi_room(view *v, iommu_regs *regs, ring_end *ring) noexcept nogil:
    """Waits for a free descriptor and returns the tail; takes qi_lock and keeps it. The head only moves away from the tail, so its last
    value serves until it says full: reading it costs a cache line of the hardware."""
    cdef uint64_t tail
    cdef waiter w
    waiter_reset(&w)
    while True:
        mutex_lock(v.self, &regs.qi_lock, QI_SUBMIT)
        tail = ring_tail(v.self, ring, QI_SUBMIT)
        if ring_advance(ring, tail) != regs.qi_head_seen:
            return tail
        regs.qi_head_seen = ring_head(v.self, ring, QI_SUBMIT)
        if ring_advance(ring, tail) != regs.qi_head_seen:
            return tail
        # Full: let the hardware run. It never waits for the lock.
        mutex_unlock(v.self, &regs.qi_lock, QI_SUBMIT)
        if not waiter_spin(v.self, &w):
            point_nap(v.self, QI_SUBMIT << 8 | OP_NAP, 50000)  # the hardware moves the head and rings no bell, as on the real machine


cdef void qi_submit(view *v, uint32_t unit, uint64_t qw0, uint64_t qw1, uint64_t qw2, uint64_t uid,
                    uint64_t *status) noexcept nogil:
    """One descriptor. ``uid``: of a page response, the request that it answers. ``status`` not NULL: a wait descriptor; its status value is
    filled in and returned there."""
    cdef iommu_regs *regs = unit_regs(v, unit)
    cdef ring_end ring
    cdef uint64_t tail
    cdef uint64_t *record
    cdef qi_note *note
    ring_attach(&ring, &regs.qi, view_region(v, OFF_QI_RECORDS) + <uint64_t>unit * v.cfg.qi_records * QI_RECORD_BYTES,
                v.cfg.qi_records, QI_RECORD_BYTES)
    tail = qi_room(v, regs, &ring)
    record = ring_record(&ring, tail)
    if status != NULL:
        regs.qi_wait_next += 1
        status[0] = regs.qi_wait_next
        qw1 = status[0]
    record[0] = qw0
    record[1] = qw1
    record[2] = qw2
    record[3] = 0
    note = <qi_note *>view_region(v, OFF_QI_NOTES) + <uint64_t>unit * v.cfg.qi_records + tail // QI_RECORD_BYTES
    note.submit_ticks = crew_ticks(v.crew)
    note.uid = uid
    ring_publish(v.self, &ring, ring_advance(&ring, tail), QI_SUBMIT)
    mutex_unlock(v.self, &regs.qi_lock, QI_SUBMIT)
    bell_ring(v.self, crew_actor(v.crew, iommu_slot(v, unit)), QI_SUBMIT)


cdef void note_response(view *v, uint32_t rid, uint32_t code, uint64_t uid) noexcept nogil:
    cdef uint32_t dev = rid - RID_BASE
    if dev < v.cfg.devices:
        note_step(v, crew_ticks(v.crew), QI_SUBMIT, uid_number(uid), <uint64_t>dev << 32 | code)


cdef void qi_page_grp_resp(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, bint pasid_present, uint32_t prgi,
                           uint32_t code, uint64_t uid) noexcept nogil:
    note_response(v, rid, code, uid)
    qi_submit(v, unit, resp_qw0(rid, pasid, pasid_present, code), resp_qw1(prgi, True), 0, uid, NULL)


cdef void qi_page_resp_private(view *v, uint32_t unit, uint64_t *rec, uint32_t code) noexcept nogil:
    """Answers one request that is not the last of its group and has private data, which the answer echoes."""
    note_response(v, prq_rid(rec[0]), code, rec[2])
    qi_submit(v, unit, resp_qw0(prq_rid(rec[0]), prq_pasid(rec[0]), prq_pasid_present(rec[0]), code) | <uint64_t>1 << 5,
              resp_qw1(pri_prgi(rec[1]), False), rec[2], rec[2], NULL)


cdef void qi_dev_tlb_inv(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil:
    """Device-TLB invalidation of ``pages`` pages from ``start`` (pages 0: all of the PASID).

    The descriptor keeps the requester id and PASID where the response has them, and the range as address and count.
    """
    qi_submit(v, unit, QI_DEV_TLB_INV | <uint64_t>(rid & 0xFFFF) << 16 | <uint64_t>(pasid & 0xFFFFF) << 32,
              (start & ~<uint64_t>0xFFF) | (pages if pages < 4096 else 0), 0, NO_UID, NULL)


cdef uint64_t status_written(void *arg) noexcept nogil:
    cdef status_wait *s = <status_wait *>arg
    return read64(s.v.self, &s.regs.qi_wait_done, s.site) >= s.status


cdef void qi_wait(view *v, uint32_t unit, uint64_t flags, uint32_t site) noexcept nogil:
    """An invalidation wait with status write: returns when everything submitted before has completed."""
    cdef status_wait s
    s.v, s.regs, s.status, s.site = v, unit_regs(v, unit), 0, site
    qi_submit(v, unit, QI_INV_WAIT | WAIT_SW | flags, 0, 0, NO_UID, &s.status)
    wait_until(v.self, &s.regs.qi_bell, status_written, &s, <uint64_t>-1, site)


cdef void qi_flush_dev_iotlb(view *v, uint32_t unit, uint32_t rid, uint32_t pasid, bint drain) noexcept nogil:
    """The batch of spec 7.10: fence, device-TLB invalidation of the PASID, wait (with page-request drain if asked)."""
    cdef uint64_t *errors = &unit_regs(v, unit).inval_errors
    cdef uint64_t before = 0
    while True:
        if defect(v, DEFECT_HANG_ON_DEAD_DEVICE):
            before = read64(v.self, errors, QI_WAIT)
        qi_submit(v, unit, QI_INV_WAIT | WAIT_FN, 0, 0, NO_UID, NULL)
        qi_dev_tlb_inv(v, unit, rid, pasid, 0, 0)
        qi_wait(v, unit, WAIT_PD if drain else 0, QI_WAIT)
        # A device that does not answer ends its invalidation with an error, and is not asked again: it is gone, or about to be.
        if not defect(v, DEFECT_HANG_ON_DEAD_DEVICE) or read64(v.self, errors, QI_WAIT) == before:
            return
