# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What those who run programs tell each other: how far drivers are, what devices have received and finished, what a read of a tenant
has copied."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view, view_region
from iopf.emulator.board.layout cimport MAX_TENANTS, OFF_DONE, OFF_DRIVERS, OFF_LABELS, OFF_USER_BUFFERS, USER_BUFFER
from iopf.emulator.spec.program cimport LABELS

cdef struct driver:
    uint64_t program             # first record, count
    uint64_t program_count
    uint64_t ops_done
    uint32_t actor
    uint32_t finished
    uint64_t pad[4]

cdef struct label_note:          # answers to one labelled group, or to none; the device writes
    uint32_t answers
    uint32_t codes[6]            # of the first answers
    uint32_t requests

cdef inline driver *driver_at(view *v, uint32_t index) noexcept nogil:
    return <driver *>view_region(v, OFF_DRIVERS) + index

cdef inline label_note *label_at(view *v, uint32_t dev, uint32_t label) noexcept nogil:
    return <label_note *>view_region(v, OFF_LABELS) + <uint64_t>dev * LABELS + label

cdef inline uint64_t *done_count(view *v, uint32_t dev, uint32_t ten) noexcept nogil:
    """Groups of tenant ``ten`` that device ``dev`` has finished: the device writes, the tenant reads."""
    return <uint64_t *>view_region(v, OFF_DONE) + <uint64_t>dev * MAX_TENANTS + ten

cdef inline char *user_buffer(view *v, uint32_t ten) noexcept nogil:
    return view_region(v, OFF_USER_BUFFERS) + <uint64_t>ten * USER_BUFFER
