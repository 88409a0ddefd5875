# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Generations of the kernel's fault handling, in order of time. Names, aliases and Linux versions: generations.py derives them."""

cpdef enum Generation:
    GEN_V5_13 = 1            # v5.13 to v5.17
    GEN_V5_18 = 2            # v5.18 to v6.1
    GEN_V6_2 = 3             # v6.2 to v6.8
    GEN_V6_9 = 4             # v6.9, v6.10
    GEN_V6_11 = 5            # v6.11, v6.12
    GEN_V6_13 = 6            # v6.13
    GEN_V6_14 = 7            # v6.14, v6.15
    GEN_V6_16 = 8            # v6.16 to v7.1
    GEN_V7_2 = 9             # v7.2 and later
    GEN_GUNTHORPE = 10       # proposed 2023-11-15, never merged

cdef enum:
    GENERATIONS = 11         # rows of a table that is indexed by a generation; row 0 is unused
