# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One unit of the IOMMU and one message on a link of it, driven from Python."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.iommus cimport iommu_regs
from iopf.emulator.board.links cimport *
from iopf.emulator.board.pasid_table cimport PTE_PRESENT, PTE_QUIET, pasid_entry, pasid_table
from iopf.emulator.board.process cimport Process
from iopf.emulator.hw.run cimport unit_make
from iopf.emulator.hw.vtd.engine cimport serve_links, unit
from iopf.emulator.hw.vtd.qi cimport serve_commands
from iopf.emulator.kernel.flows cimport kernel_attach
from iopf.emulator.kernel.vtd.prq cimport prq_event_thread
from iopf.emulator.spec.sites cimport DEV_RECEIVE, DEV_SEND
from iopf.emulator.spec.vtd cimport *

cdef enum:
    WORK_BAD = 3                 # of an interrupt thread: records refused by their bits

ENTRIES = {"absent": 0, "present": PTE_PRESENT, "quiet": PTE_PRESENT | PTE_QUIET}


cdef class Unit:
    """Unit 0 of the board of ``process``; the function is device 0."""

    cdef Process process
    cdef unit *u
    cdef link_end up
    cdef link_end down

    def __cinit__(self, Process process not None):
        self.process = process
        self.u = unit_make(&process.v, 0)
        if self.u == NULL:
            raise MemoryError("no memory for the IOMMU's own state")
        link_attach(&self.up, uplink(&process.v, 0), UP_SLOTS, True)
        link_attach(&self.down, downlink(&process.v, 0), DOWN_SLOTS, False)

    def prepare(self, bint gone, bint enabled, str entry, bint overflowed, bint full, bint pending, uint32_t pasid):
        """Put the unit and the function into a state."""
        cdef view *v = &self.process.v
        cdef uint64_t after
        v.devices[0].link_up = not gone
        self.u.gone[0] = gone
        v.devices[0].pre = enabled
        pasid_table(v, 0)[pasid] = pasid_entry(0, 1) & ~<uint64_t>PTE_PRESENT | <uint64_t>ENTRIES[entry]
        self.u.regs.prs = (PRS_PPR if pending else 0) | (PRS_PRO if overflowed else 0)
        after = ring_advance(&self.u.prq, self.u.prq_tail)
        self.u.prq_head = self.u.regs.prq.head = after if full else self.u.prq_tail

    def serve(self, str message, uint32_t pasid, bint pasid_present) -> tuple:
        """Send one message and serve it. Returns the response code or None, and how much the records written, interrupts and fault records
        have grown, and the two status bits: (answer, written, pending, overflowed, interrupts, faults)."""
        cdef view *v = &self.process.v
        cdef iommu_regs *regs = self.u.regs
        cdef uint64_t interrupts = regs.interrupts, faults = regs.fault_log, tail = self.u.prq_tail
        cdef uint64_t *slot = link_room(v.self, &self.up, DEV_SEND)
        cdef uint32_t kind = UP_MARKER if message == "marker" else UP_REQUEST
        if slot == NULL:
            raise RuntimeError("no room on the link")
        slot[0] = pack_up(kind, pasid, pasid_present, False, False, False)
        slot[1] = PRI_LAST if message == "marker" else pri_message(0x1000, 3, PRI_READ | (PRI_LAST if message == "last" else 0))
        slot[2] = 7
        slot[3] = 0
        link_filled(&self.up)
        link_publish(v.self, &self.up, DEV_SEND)
        if serve_links(self.u, 1) != 1:
            raise RuntimeError("the message was not taken")
        written = (self.u.prq_tail - tail) // 32 if self.u.prq_tail >= tail else 1
        return (self._answer(), written, bool(regs.prs & PRS_PPR), bool(regs.prs & PRS_PRO),
                regs.interrupts - interrupts, regs.fault_log - faults)

    def drain(self, uint32_t requests) -> tuple:
        """Send requests of PASID 5 and then, before any is served, a wait with page drain. Serves the command queue alone; returns
        (records written, whether the wait completed)."""
        cdef view *v = &self.process.v
        cdef uint64_t tail = self.u.prq_tail
        cdef uint64_t *slot
        cdef uint64_t *record
        cdef uint32_t i
        for i in range(requests):
            slot = link_room(v.self, &self.up, DEV_SEND)
            if slot == NULL:
                raise RuntimeError("no room on the link")
            slot[0] = pack_up(UP_REQUEST, 5, True, False, False, False)
            slot[1] = pri_message(0x1000, 3, PRI_READ)
            slot[2] = i
            slot[3] = 0
            link_filled(&self.up)
        link_publish(v.self, &self.up, DEV_SEND)
        record = ring_record(&self.u.qi, self.u.regs.qi.tail)
        record[0] = QI_INV_WAIT | WAIT_SW | WAIT_PD
        record[1] = self.u.regs.qi_wait_done + 1
        ring_publish(v.self, &self.u.qi, ring_advance(&self.u.qi, self.u.regs.qi.tail), DEV_SEND)
        before = self.u.regs.qi_wait_done
        serve_commands(self.u)
        return ring_used(&self.u.prq, tail, self.u.prq_tail), self.u.regs.qi_wait_done == before + 1

    def report(self, uint64_t qw0, uint64_t qw1, uint64_t qw2, uint64_t qw3) -> int:
        """Write a record into the queue as it is, and run a pass of the interrupt thread: how many records the driver refused by their
        bits alone."""
        cdef view *v = &self.process.v
        cdef uint64_t *record = ring_record(&self.u.prq, self.u.prq_tail)
        cdef uint64_t refused = v.self.work[WORK_BAD]
        if kernel_attach(v) != 0:
            raise ValueError("the board names an unknown kernel")
        v.devices[0].registered = 1
        record[0] = qw0 | <uint64_t>v.devices[0].rid << 16
        record[1] = qw1
        record[2] = qw2
        record[3] = qw3
        self.u.prq_tail = ring_advance(&self.u.prq, self.u.prq_tail)
        ring_publish(v.self, &self.u.prq, self.u.prq_tail, DEV_SEND)
        prq_event_thread(v, 0)
        return v.self.work[WORK_BAD] - refused

    def _answer(self):
        cdef view *v = &self.process.v
        cdef uint64_t *rec = link_next(v.self, &self.down, DEV_RECEIVE)
        cdef down_word down
        if rec == NULL:
            return None
        down = unpack_down(rec[0])
        link_taken(&self.down)
        link_consume(v.self, &self.down, DEV_RECEIVE)
        if down.kind != DOWN_RESPONSE or down.prgi != 3:
            raise RuntimeError("not the response to the request")
        return down.code
