# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""After the holder of the IOASID lock was killed: its operation is taken back or brought to its end, and what follows from the rest is
computed anew. Dependencies: see ``space.pxd``.

    allocation   undone: its caller is dead, so the id is unknown; the backend's number too
    free         brought to its end: backend, table, data
    register     taken back unless the allocator is on the list already; an ops of an existing one is in or is not
    unregister   brought to its end once the last ops is off

The caller holds the lock. A repairer that is killed leaves a state that the next one repairs in the same way: ``op`` is cleared last.
"""

from iopf.emulator.board.board cimport view

cdef void ioasid_repair(view *v) noexcept nogil
