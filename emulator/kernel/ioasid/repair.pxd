# cython: language_level=3, cdivision=True
"""After the holder of the IOASID lock was killed: its operation is taken back or brought to its end, and what follows from the rest is
computed anew. What follows from what stands in ``ioasid_space.pxd``.

    allocation   taken back: its caller is gone, so nobody knows the id; the backend's number too
    free         brought to its end: backend, table, data
    register     taken back unless the allocator is on the list already; an ops of an existing one is in or is not
    unregister   brought to its end once the last ops is off

The caller holds the lock. A repairer that is killed leaves a state that the next one repairs in the same way: ``op`` is cleared last.
"""

from iopf.emulator.board.board cimport view

cdef void ioasid_repair(view *v) noexcept nogil
