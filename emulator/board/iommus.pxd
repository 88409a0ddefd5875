# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The IOMMUs: registers and what both sides note beside them, what travels beside a record of a queue, and which unit serves a device.

The records themselves are those of the profile, ``emulator/spec/vtd.pxd``.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.mutex cimport rmutex
from iopf.cython_ext.record_ring cimport ring_regs
from iopf.cython_ext.wait cimport eventcount
from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport OFF_IOMMUS

cdef struct iommu_regs:
    # written by the IOMMU process unless said otherwise
    ring_regs prq                # PQH (kernel) and PQT
    ring_regs qi                 # head (IOMMU) and tail (kernel, under qi_lock)
    uint32_t prs                 # PPR, PRO: set by the IOMMU, cleared by the IRQ thread, both atomically
    uint32_t pectl               # IP: the interrupt message; consumed by the IRQ thread
    uint64_t interrupts
    uint64_t overflows
    uint64_t prq_hwm             # most records in the queue
    uint64_t fault_log           # non-recoverable faults recorded
    uint64_t commands
    uint64_t drains
    uint64_t inval_errors        # invalidations ended because the device is gone
    uint64_t pad[5]
    # written by the kernel
    rmutex qi_lock
    rmutex iopf_lock
    eventcount prq_complete      # drainers wait for a pass of the IRQ thread
    uint64_t prq_passes
    uint64_t overflow_passes     # passes that saw PRO
    uint64_t qi_wait_next        # next status value for an invalidation wait; under qi_lock
    uint64_t prq_records_popped
    uint64_t qi_head_seen        # the head as a submitter has read it last; under qi_lock
    # written by the IOMMU: the highest status value done
    uint64_t qi_wait_done
    eventcount qi_bell
    uint32_t prq_done            # defect shared-completion-lost-wake: the completion; kernel processes
    uint32_t pad3
    uint64_t tail_seen           # defect drain-misses-new-requests-and-overflow: the tail as the interrupt thread has read it
    uint64_t pad2

cdef struct prq_note:            # travels beside a queue record, same slot
    uint64_t uid
    uint64_t sent_ticks
    uint64_t hw_ticks
    uint64_t device              # bits 0..31 its index, 32..63 low half of the id of the address space that the PASID had

cdef struct qi_note:             # travels beside a command
    uint64_t submit_ticks
    uint64_t uid                 # of a page response: the request that it answers, the last of its group

cdef inline iommu_regs *unit_regs(view *v, uint32_t unit) noexcept nogil:
    return <iommu_regs *>view_region(v, OFF_IOMMUS) + unit

cdef inline uint32_t unit_of(view *v, uint32_t dev) noexcept nogil:
    """The IOMMU of a device."""
    return dev % v.cfg.units

cdef inline iommu_regs *regs_of(view *v, uint32_t dev) noexcept nogil:
    return unit_regs(v, dev % v.cfg.units)

# Crew slots: supervisor, IOMMUs, interrupt threads, then the rest in the order of ``slots_of``.
cdef inline uint32_t iommu_slot(view *v, uint32_t unit) noexcept nogil:
    return 1 + unit

cdef inline uint32_t irq_slot(view *v, uint32_t unit) noexcept nogil:
    return 1 + v.cfg.units + unit
