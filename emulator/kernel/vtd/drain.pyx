# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Draining a PASID before it goes. Contract: see ``drain.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.record_ring cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.queue cimport device_queue, flush_rings, iopf_queue_flush_dev
from iopf.emulator.kernel.vtd.prq_wait cimport *
from iopf.emulator.kernel.vtd.qi cimport qi_flush_dev_iotlb
from iopf.emulator.board.board cimport view
from iopf.emulator.board.config cimport OPTION_CONTAIN, OPTION_DRAIN_ALWAYS
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport iommu_regs, regs_of, unit_of
from iopf.emulator.board.ledger cimport EVENT_PLAIN_UNDRAINED, reach
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.vtd cimport *

cdef bint plain_drain(view *v, uint32_t dev) noexcept nogil:
    """v6.16 and later: nothing fault-capable is attached, so Linux drains nothing."""
    return flow_of(v).drains_by_attach and read32(v.self, &v.devices[dev].iopf_refcount, DRAIN_PASID_PRQ) == 0


cdef bint drain_needed(view *v, uint32_t dev, ring_end *ring, uint32_t pasid) noexcept nogil:
    """v6.16 and later ask whether anything fault-capable is attached; before, whether PRI is on.

    A request of a PASID whose domain takes no faults makes the interrupt thread look at its handle all the same, so since v6.16 the detach
    of a plain domain can free what a report is looking at. OPTION_DRAIN_ALWAYS drains then too, and so does OPTION_CONTAIN, which counts
    when there is something to drain.
    """
    if v.cfg.options & OPTION_DRAIN_ALWAYS:
        return read32(v.self, &v.devices[dev].pri_enabled, DRAIN_PASID_PRQ) != 0
    if not plain_drain(v, dev):
        return read32(v.self, &v.devices[dev].pri_enabled, DRAIN_PASID_PRQ) != 0
    if not v.cfg.options & OPTION_CONTAIN:
        return False
    if queued_for(v, ring, v.devices[dev].rid, pasid):
        reach(v, EVENT_PLAIN_UNDRAINED)
    return read32(v.self, &v.devices[dev].pri_enabled, DRAIN_PASID_PRQ) != 0


cdef void intel_iommu_drain_pasid_prq(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    """Returns when no request of (device, PASID) is anywhere between the function and the end of its handling (spec 7.10).

    Contract: the PASID entry is clear and the device has stopped the PASID. Queue scan, flush of the work ring, then fence, device-TLB
    invalidation and wait with drain; once more when the queue overflowed meanwhile, since an automatic answer may be in flight.
    """
    cdef iommu_regs *regs = regs_of(v, dev)
    cdef ring_end ring
    cdef uint64_t seen, first
    cdef uint32_t rid = v.devices[dev].rid
    if defect(v, DEFECT_NO_DRAIN_BEFORE_5_8):
        return
    prq_ring(v, unit_of(v, dev), &ring)
    if not drain_needed(v, dev, &ring, pasid):
        return
    first = read64(v.self, &regs.prq_passes, DRAIN_PASID_PRQ)
    while True:
        seen = read64(v.self, &regs.prq_passes, DRAIN_PASID_PRQ)
        # Under fire (replace) new records of the PASID keep coming; what was there at first has been read after two whole passes.
        if not queued_for(v, &ring, rid, pasid) or seen >= first + 2:
            break
        wait_pass(v, regs, seen)
    if plain_drain(v, dev):
        flush_rings(v, device_queue(v, dev))  # Linux skips this drain, so its WARN_ON in the flush is not there either
    else:
        iopf_queue_flush_dev(v, dev)
    while True:
        seen = read64(v.self, &regs.prq_passes, DRAIN_PASID_PRQ)
        qi_flush_dev_iotlb(v, unit_of(v, dev), rid, pasid, True)
        if not read32(v.self, &regs.prs, DRAIN_PASID_PRQ) & PRS_PRO:
            break
        wait_pass(v, regs, seen)


cdef void intel_iommu_fence_events(view *v, uint32_t dev) noexcept nogil:
    """gunthorpe, PRI off: reception is stopped; returns when no request of the device is in the hardware queue or being reported."""
    qi_flush_dev_iotlb(v, unit_of(v, dev), v.devices[dev].rid, 0, True)
    prq_settle(v, dev)
