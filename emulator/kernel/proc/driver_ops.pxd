# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Operations of drivers in programs: calls of the queue interface and of the IOASID allocator, injected events and failures, held stages.

Each returns what the called function returns, 0 or a negative errno. An injected event is reported under the driver's iopf_lock, as the
interrupt thread does, and has no place in the books of a device (NO_UID).
"""

from libc.stdint cimport int64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.spec.program cimport prog_op

ctypedef int64_t (*driver_call)(view *v, prog_op *op) noexcept nogil

cdef int64_t driver_op(view *v, prog_op *op) noexcept nogil
