# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What is in the hardware queue, and waiting until the interrupt thread has been through it.

    prq_passes     the interrupt thread counts its passes (release); a pass that begins after a look has read all that the look saw
    prq_complete   it rings after each; a waiter then reads the count again
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.record_ring cimport ring_end
from iopf.emulator.board.board cimport view
from iopf.emulator.board.iommus cimport iommu_regs

cdef enum:
    ANY_PASID = 0xFFFFFFFF

cdef void prq_ring(view *v, uint32_t unit, ring_end *ring) noexcept nogil
cdef bint queued_for(view *v, ring_end *ring, uint32_t rid, uint32_t pasid) noexcept nogil
cdef void wait_pass(view *v, iommu_regs *regs, uint64_t seen) noexcept nogil
cdef void prq_settle(view *v, uint32_t dev) noexcept nogil
