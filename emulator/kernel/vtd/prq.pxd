# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The VT-d driver's page request queue: the threaded interrupt handler, one per IOMMU.

    PQH      the IRQ thread, once per pass            PQT, PPR:=1, PRO:=1   the IOMMU
    PPR, PRO cleared by the IRQ thread (write 1 to clear)
PPR is cleared before the tail is read: a record written later either is seen by this pass or raises a new interrupt. Overflow stays
up until a pass finds the queue empty; only then are partials discarded and PRO cleared, so nothing can enter in between.
``prq_passes`` counts passes and ``prq_complete`` is rung after each, for drains (``drain.pxd``).
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view

cdef bint prq_event_thread(view *v, uint32_t unit) noexcept nogil
cdef int irq_main(view *v, uint32_t unit) noexcept nogil
