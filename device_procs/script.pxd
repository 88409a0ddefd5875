# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""A device that runs a program of operations instead of a workload.

A program sends groups request by request if it wants, leaves them open, lets two share an index, and names them, so
that the report can say what came for each. Nothing is asked for again after Success: that is the program's to do.
Operations that cannot go on yet (credits, the link, a tenant that has not bound the device) are tried again at the
next step, so responses and stop requests are served meanwhile.
"""

from libc.stdint cimport uint64_t

from iopf.device_procs.pri cimport function

cdef bint script_owed(function *f) noexcept nogil
cdef bint script_step(function *f, uint64_t *next_ns) noexcept nogil
