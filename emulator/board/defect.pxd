# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Whether a historic bug is switched on in this run (``spec/defects.pxd``)."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.atomics cimport iopf_unlikely
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.defects cimport *

cdef inline bint defect(view *v, uint32_t which) noexcept nogil:
    """Whether the historic bug is switched on."""
    return iopf_unlikely((v.cfg.defects >> which) & 1)
