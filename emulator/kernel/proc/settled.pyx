# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Looking at every place where a request can be. See ``settled.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.link cimport linkhdr
from iopf.cython_ext.work_ring cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.links cimport downlink, uplink
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.spec.program cimport HOLD_IRQ, HOLD_WORKERS
from iopf.emulator.spec.sites cimport *


cdef bint link_empty(char *link) noexcept nogil:
    cdef linkhdr *hdr = <linkhdr *>link
    return ld64_acq(&hdr.head) == ld64_acq(&hdr.tail)


cdef uint64_t device_sum(view *v) noexcept nogil:
    """Grows with everything that devices do."""
    cdef uint64_t sum = 0
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        sum += ld64_acq(&v.devices[dev].dev.sent) + v.devices[dev].dev.groups_done + v.devices[dev].dev.unexpected
    return sum


cdef bint units_still(view *v) noexcept nogil:
    """No request under way in the hardware, and none in its queue unless the interrupt threads are held."""
    cdef uint32_t unit
    cdef bint held = (ld32_acq(&v.board.hold) & HOLD_IRQ) != 0
    for unit in range(v.cfg.units):
        if not ops_of(v).idle(v, unit, held):
            return False
    return True


cdef bint work_still(view *v) noexcept nogil:
    cdef uint32_t i
    if ld32_acq(&v.board.hold) & HOLD_WORKERS:
        return True
    for i in range(v.cfg.work_rings):
        if not work_ring_idle(work_ring(v, i)):
            return False
    return True


cdef bint work_ring_idle(workring *r) noexcept nogil:
    """Nothing queued and nothing being worked on. The tail may lag behind a push that has returned: the slot says."""
    cdef uint64_t tail = ld64_acq(&r.tail), word = ld64_acq(&work_slot(r, tail).word)
    return ld64_acq(&r.floor) == tail and (word >> 20 != tail or word & 15 == WORK_FREE)


cdef bint links_still(view *v) noexcept nogil:
    """Everything on the links has been taken, and no device is about to ask again."""
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        if not read32(v.self, &v.devices[dev].link_up, PROGRAM_STEP):
            continue
        if not link_empty(uplink(v, dev)) or not link_empty(downlink(v, dev)) or ld64_acq(&v.devices[dev].dev.retry_groups):
            return False
    return True


cdef bint settled(view *v) noexcept nogil:
    """Nothing moves any more, except what is held. Looked at from the devices to the workers and back, so what moved meanwhile shows."""
    cdef uint64_t before = device_sum(v)
    return (links_still(v) and units_still(v) and work_still(v) and units_still(v) and links_still(v) and device_sum(v) == before
            and work_still(v))
