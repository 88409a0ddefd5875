# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One unit of the IOMMU and one message on a link of it, driven from Python."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.record_ring cimport ring_advance
from iopf.emulator.board.board cimport view
from iopf.emulator.board.iommus cimport iommu_regs
from iopf.emulator.board.links cimport *
from iopf.emulator.board.pasid_table cimport PTE_PRESENT, PTE_QUIET, pasid_entry, pasid_table
from iopf.emulator.board.process cimport Process
from iopf.emulator.hw.run cimport unit_make
from iopf.emulator.hw.vtd.engine cimport serve_links, unit
from iopf.emulator.spec.pci cimport PRI_LAST, PRI_READ, pri_message
from iopf.emulator.spec.sites cimport DEV_RECEIVE, DEV_SEND
from iopf.emulator.spec.vtd cimport PRS_PPR, PRS_PRO

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
