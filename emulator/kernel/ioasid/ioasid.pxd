# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The IOASID allocator of Linux v5.5 to v6.3 (drivers/iommu/ioasid.c): one id space for all users of PASIDs, from one active allocator.

Rules (drivers/iommu/ioasid.c of v5.5, and the review of June 2019)
    The default allocator is always there; it gives the lowest free id of the range.
    A custom one (a guest's way to its host) is registered while no id of the default one is out; the first registered is active.
    Ops with the same pair of functions share one space: its ids outlive the removal of one of them, not of the last.
    The last ops of a space are removed after its ids are freed. Otherwise it is a warning: the ids are lost, -ENOENT from then on.
    With the last of a space the next on the list becomes active; with the last of the list, the default one.

Writers: see the state (``space.pxd``); all of it is written under one lock, which nests below everything and
takes nothing (Linux: a spinlock since v5.5, a mutex in the review of v4).

    operation             may run against
    alloc, free, get,     everything; of two frees of one id one finds it unknown
    put, set_data
    find                  everything, without the lock: data and allocators are freed a grace period after they left the tables
    register, unregister  everything (``allocator.pxd``); ids outstanding in a removed space are lost

``private`` is the caller's. A getter may follow it inside the read section, so its owner waits for a grace period before it frees it, after
``ioasid_free``; ``ioasid_set_data`` waits itself.

Beyond Linux: an ops is known by its identity when it is registered or removed, also among sharers (Linux compares the first of
them only, and goes on using the pdata of an unplugged one); the data of lost ids is freed; a number from a backend outside of the
range asked for is given back to it, and the allocation fails.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *

cdef uint32_t ioasid_alloc(view *v, uint32_t set, uint32_t min, uint32_t max, uint64_t private) noexcept nogil
cdef void ioasid_free(view *v, uint32_t id) noexcept nogil
cdef void ioasid_get(view *v, uint32_t id) noexcept nogil
cdef bint ioasid_put(view *v, uint32_t id) noexcept nogil
cdef uint64_t ioasid_find(view *v, uint32_t set, uint32_t id, uint32_t getter, int *err) noexcept nogil
cdef int ioasid_set_data(view *v, uint32_t id, uint64_t private) noexcept nogil
