# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What a function does with what comes down its link. It is the only reader; the words it writes are those named in ``pri.pxd``."""

from iopf.device_procs.pri cimport function

cdef bint receive(function *f) noexcept nogil
