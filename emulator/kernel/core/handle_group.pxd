# cython: language_level=3, cdivision=True
"""Handling one group: fault its pages in, answer it, free it.

Runs in a worker, or in the IRQ thread (OPTION_SYNC). Whoever runs it owns the group: the IRQ thread published it
through the work ring. It takes the mmap lock for reading, once per page, and fault_param.lock to answer; nothing that
a flusher may hold. It may be the last user of an address space, which then ends here. After the first request that
fails no further one of the group is handled, and the answer is INVALID.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_event
from iopf.emulator.spec.vtd cimport *

cdef void iopf_handle_group(view *v, uint64_t group_ref, uint64_t taken_ticks) noexcept nogil

cdef inline uint32_t fault_rwx(fault_event *fault) noexcept nogil:
    return prq_rw(fault.qw1) | (4 if prq_execute(fault.qw0) else 0)
