# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The loops of ``ring_bench.pyx`` compiled without scheduling points: the reference for the cost of a disabled point."""

cdef extern from "iopf/cython_ext/no_points.h":
    pass

include "ring_bench.pyx"
