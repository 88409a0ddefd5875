# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The entry function of the IOMMU process: setting one unit up, and its main loop."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.hw.downlink cimport flush_responses
from iopf.emulator.hw.vtd.qi cimport serve_commands
from iopf.emulator.hw.vtd.engine cimport serve_links, unit
from iopf.emulator.board.board cimport private_alloc, view, view_region
from iopf.emulator.board.iommus cimport prq_note, unit_regs
from iopf.emulator.board.layout cimport OFF_PRQ_NOTES, OFF_PRQ_RECORDS, OFF_QI_RECORDS
from iopf.emulator.board.links cimport DOWN_SLOTS, UP_SLOTS, downlink, uplink
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.roles cimport PHASE_ENDING, PHASE_PROBING
from iopf.emulator.spec.sites cimport HW_WAIT
from iopf.emulator.spec.vtd cimport PRQ_RECORD_BYTES, QI_RECORD_BYTES

cdef enum:
    BURST = 64               # requests taken from one link before the next is served


cdef void unit_attach(unit *u, view *v, uint32_t index) noexcept nogil:
    cdef uint32_t i, dev
    u.v = v
    u.index = index
    u.regs = unit_regs(v, index)
    u.notes = <prq_note *>view_region(v, OFF_PRQ_NOTES) + <uint64_t>index * v.cfg.prq_records
    ring_attach(&u.prq, &u.regs.prq, view_region(v, OFF_PRQ_RECORDS) + <uint64_t>index * v.cfg.prq_records * PRQ_RECORD_BYTES,
                v.cfg.prq_records, PRQ_RECORD_BYTES)
    ring_attach(&u.qi, &u.regs.qi, view_region(v, OFF_QI_RECORDS) + <uint64_t>index * v.cfg.qi_records * QI_RECORD_BYTES,
                v.cfg.qi_records, QI_RECORD_BYTES)
    u.prq_tail = u.prq_published = ld64_acq(&u.regs.prq.tail)
    u.prq_head = ld64_acq(&u.regs.prq.head)
    u.devices = (v.cfg.devices + v.cfg.units - 1 - index) // v.cfg.units
    for i in range(u.devices):
        dev = index + i * v.cfg.units
        link_attach(&u.up[dev], uplink(v, dev), UP_SLOTS, False)
        link_attach(&u.down[dev], downlink(v, dev), DOWN_SLOTS, True)


cdef unit *unit_make(view *v, uint32_t index) noexcept nogil:
    cdef unit *u = <unit *>private_alloc(v, sizeof(unit))
    cdef uint32_t n = v.cfg.devices
    if u == NULL:
        return NULL
    u.pending = <uint32_t *>private_alloc(v, n * sizeof(uint32_t))
    u.dirty = <uint32_t *>private_alloc(v, n * sizeof(uint32_t))
    u.is_dirty = <uint8_t *>private_alloc(v, n)
    u.gone = <uint8_t *>private_alloc(v, n)
    u.up = <link_end *>private_alloc(v, n * sizeof(link_end))
    u.down = <link_end *>private_alloc(v, n * sizeof(link_end))
    if u.pending == NULL or u.dirty == NULL or u.is_dirty == NULL or u.gone == NULL or u.up == NULL or u.down == NULL:
        return NULL
    unit_attach(u, v, index)
    return u


cdef bint work_there(unit *u) noexcept nogil:
    cdef uint32_t i, dev
    if not u.pending_total and read64(u.v.self, &u.regs.qi.tail, HW_WAIT) != ld64_acq(&u.regs.qi.head):
        return True
    for i in range(u.devices):
        dev = u.index + i * u.v.cfg.units
        if link_waiting(u.v.self, &u.up[dev], HW_WAIT) or (not u.gone[dev] and not read32(u.v.self, &u.v.devices[dev].link_up, HW_WAIT)):
            return True
    return False


cdef uint64_t unit_owed(void *u) noexcept nogil:
    return work_there(<unit *>u) or ld32_acq(&(<unit *>u).v.board.phase) >= PHASE_ENDING


cdef int iommu_main(unit *u) noexcept nogil:
    """Runs until PHASE_ENDING."""
    cdef view *v = u.v
    cdef waiter w
    waiter_reset(&w)
    while True:
        v.self.heartbeat += 1
        if serve_links(u, BURST) + serve_commands(u):
            flush_responses(u)
            waiter_reset(&w)
            continue
        flush_responses(u)
        if waiter_spin(v.self, &w):
            continue
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            break
        wait_work(v.self, bell_of(v.self), unit_owed, unit_owed, u, NULL, HW_WAIT, &w)
    return 0


cdef int iommu_entry(void *u, uint32_t index) noexcept nogil:
    return iommu_main(<unit *>u)


def prepare_iommu(Process process not None, uint32_t index) -> None:
    """Raises MemoryError."""
    cdef unit *u = unit_make(&process.v, index)
    if u == NULL:
        raise MemoryError("no memory for the IOMMU's own state")
    process.set_entry(iommu_entry, u, index, PHASE_PROBING)
