# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Calibrating the cycle counter against CLOCK_MONOTONIC."""

from libc.stdint cimport uint64_t

from iopf.cython_ext.atomics cimport clock_ns, cpu_pause, cycle_counter


def tick_mult(uint64_t measure_ns=5000000) -> int:
    """Nanoseconds per tick as a factor of 2^-24, measured over ``measure_ns``; 0 when the counter does not run like a clock.

    The counter must be invariant (flags constant_tsc and nonstop_tsc); without it, ticks are CLOCK_MONOTONIC itself.
    """
    cdef uint64_t t0, t1, c0, c1
    try:
        with open("/proc/cpuinfo") as info:
            flags = next((line for line in info if line.startswith("flags")), "").split()
    except OSError:
        return 0
    if "constant_tsc" not in flags or "nonstop_tsc" not in flags:
        return 0
    with nogil:
        t0 = clock_ns()
        c0 = cycle_counter()
        while clock_ns() - t0 < measure_ns:
            cpu_pause()
        t1 = clock_ns()
        c1 = cycle_counter()
    if c1 <= c0:
        return 0
    return ((t1 - t0) << 24) // (c1 - c0)
