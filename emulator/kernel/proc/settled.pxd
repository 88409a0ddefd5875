# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Whether the system is at rest, for the operation ``settle``: nothing under way on links, in queues and with workers, but what is held."""

from iopf.emulator.board.board cimport view

cdef bint settled(view *v) noexcept nogil
