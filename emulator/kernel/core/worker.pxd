# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The workers of the IOPF work queue: M processes, one shared ring, groups in order of arrival, finished in any order."""

from iopf.emulator.board.board cimport view

cdef int worker_main(view *v) noexcept nogil
