# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the core asks of VT-d, in its commands and tables. Contracts: see ``kernel/core/iommu_ops.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.iommus cimport iommu_regs, unit_of, unit_regs
from iopf.emulator.board.pasid_table cimport pasid_table
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport iommu_ops
from iopf.emulator.kernel.vtd.drain cimport intel_iommu_drain_pasid_prq, intel_iommu_fence_events
from iopf.emulator.kernel.vtd.prq_wait cimport prq_settle
from iopf.emulator.kernel.vtd.qi cimport qi_dev_tlb_inv, qi_flush_dev_iotlb, qi_page_grp_resp, qi_wait
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.pci cimport RESP_INVALID, RESP_SUCCESS
from iopf.emulator.spec.vtd cimport PRS_PRO, QI_RESP_FAILURE


cdef uint32_t resp_code(uint32_t code) noexcept nogil:
    """The driver puts FAILURE on the wire as 2; a function treats every code but Success and Invalid as Response Failure."""
    if code == IOMMU_PAGE_RESP_SUCCESS:
        return RESP_SUCCESS
    if code == IOMMU_PAGE_RESP_INVALID:
        return RESP_INVALID
    return QI_RESP_FAILURE


cdef void intel_page_response(view *v, const iommu_fault *fault, uint32_t code) noexcept nogil:
    cdef uint32_t dev = fault.device
    if dev >= v.cfg.devices:
        return
    if defect(v, DEFECT_WRONG_SID_RESUME):
        dev = unit_of(v, dev)  # streams[0], whatever stalled
    qi_page_grp_resp(v, unit_of(v, fault.device), v.devices[dev].rid, fault.pasid, fault_pasid_valid(fault), fault.grpid, resp_code(code),
                     fault.uid)


cdef void intel_set_dev_pasid(view *v, uint32_t dev, uint32_t pasid, uint64_t entry, uint32_t site) noexcept nogil:
    cdef uint64_t *slot = &pasid_table(v, dev)[pasid]
    if defect(v, DEFECT_TORN_TABLE_ENTRY):
        write32(v.self, <uint32_t *>slot + 1, <uint32_t>(entry >> 32), site)  # in place, word by word, while the hardware may read it
        write32(v.self, <uint32_t *>slot, <uint32_t>entry, site)
        return
    write64(v.self, slot, entry, site)


cdef void intel_flush_dev_iotlb(view *v, uint32_t dev, uint32_t pasid) noexcept nogil:
    qi_flush_dev_iotlb(v, unit_of(v, dev), v.devices[dev].rid, pasid, False)


cdef void intel_flush_dev_iotlb_range(view *v, uint32_t dev, uint32_t pasid, uint64_t start, uint64_t pages) noexcept nogil:
    cdef uint32_t unit = unit_of(v, dev)
    qi_dev_tlb_inv(v, unit, v.devices[dev].rid, pasid, start, pages)
    if v.devices[dev].dtlb_extra_inval and flow_of(v).extra_dtlb_flush and not defect(v, DEFECT_EXTRA_DTLB_FLUSH_MISSING):
        qi_dev_tlb_inv(v, unit, v.devices[dev].rid, pasid, start, pages)


cdef void intel_sync(view *v, uint32_t unit, uint32_t site) noexcept nogil:
    qi_wait(v, unit, 0, site)


cdef void intel_enable_faults(view *v, uint32_t dev, uint32_t site) noexcept nogil:
    """Context entry, PRE; then the function's PRI capability."""
    write32(v.self, &v.devices[dev].pre, 1, site)
    write32(v.self, &v.devices[dev].pri_enabled, 1, site)


cdef void intel_block_faults(view *v, uint32_t dev, uint32_t site) noexcept nogil:
    write32(v.self, &v.devices[dev].pre, 0, site)


cdef void intel_disable_faults(view *v, uint32_t dev, uint32_t site) noexcept nogil:
    write32(v.self, &v.devices[dev].pri_enabled, 0, site)


cdef bint intel_idle(view *v, uint32_t unit, bint held) noexcept nogil:
    cdef iommu_regs *regs = unit_regs(v, unit)
    if ld64_acq(&regs.qi.head) != ld64_acq(&regs.qi.tail):
        return False
    return held or (ld64_acq(&regs.prq.head) == ld64_acq(&regs.prq.tail) and not ld32_acq(&regs.prs) & PRS_PRO)


cdef iommu_ops INTEL_OPS

INTEL_OPS.page_response = intel_page_response
INTEL_OPS.set_dev_pasid = intel_set_dev_pasid
INTEL_OPS.flush_dev_iotlb = intel_flush_dev_iotlb
INTEL_OPS.flush_dev_iotlb_range = intel_flush_dev_iotlb_range
INTEL_OPS.sync = intel_sync
INTEL_OPS.drain = intel_iommu_drain_pasid_prq
INTEL_OPS.fence = intel_iommu_fence_events
INTEL_OPS.settle = prq_settle
INTEL_OPS.enable_faults = intel_enable_faults
INTEL_OPS.block_faults = intel_block_faults
INTEL_OPS.disable_faults = intel_disable_faults
INTEL_OPS.idle = intel_idle


cdef const iommu_ops *vtd_ops() noexcept nogil:
    return &INTEL_OPS
