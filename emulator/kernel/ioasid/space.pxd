# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Id spaces: the tables, the list of allocators, what waits for a grace period, and the repair after a holder of the lock has died.

A space is a table of references by id; that of a custom allocator belongs to its object's pool index, the default one has the last.
Every change is one store that leaves the rest true, so that a repair has only to look:

    registered[i]   the object of index i is on the list; the order of the list is the order of ``seq``, nothing is linked
    sharers[k]      an ops is registered while its ``ident`` stands; written last, cleared first
    active          always the object with the lowest ``seq`` of the list, or 0; follows from the list
    table entry     written after the data behind it is whole; cleared before its ``rcu_epoch`` is set
    outstanding     how many entries a table has; follows from the table
    retired_*       objects with ``rcu_epoch`` set; follow from the pools
    op, id, data    what is not in a table yet, or no longer: written before the step, cleared after the last one

All are written by the holder of the lock. ``active``, table entries and objects behind them are read under RCU without it. Objects are
allocated under the lock too, so at a takeover a live object that is in no table and on no list has no owner.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.pool cimport objhdr
from iopf.emulator.board.board cimport view
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_data, ioasid_sharer

cdef void ioasid_lock(view *v, uint32_t site) noexcept nogil
cdef void ioasid_unlock(view *v, uint32_t site) noexcept nogil
cdef ioasid_allocator *allocator_at(view *v, uint32_t index) noexcept nogil
cdef ioasid_allocator *allocator_first(view *v) noexcept nogil
cdef ioasid_sharer *sharer_first(ioasid_allocator *a) noexcept nogil
cdef uint32_t sharers_of(ioasid_allocator *a) noexcept nogil
cdef uint32_t space_active(view *v, ioasid_allocator **a, uint32_t site) noexcept nogil
cdef void space_activate_first(view *v, uint32_t site) noexcept nogil
cdef ioasid_data *space_lookup(view *v, uint32_t space, uint32_t id, uint32_t site) noexcept nogil
cdef bint space_record(view *v, uint32_t space, uint32_t id, ioasid_data *data, uint32_t site) noexcept nogil
cdef int ioasid_fail(view *v, uint32_t step, uint32_t nth, uint32_t host) noexcept nogil
cdef void space_erase(view *v, uint32_t space, uint32_t id, ioasid_data *data, uint32_t site) noexcept nogil
cdef void space_abandon(view *v, uint32_t space, uint32_t site) noexcept nogil
cdef void allocator_retire(view *v, ioasid_allocator *a) noexcept nogil
cdef void ioasid_reap(view *v) noexcept nogil
cdef objhdr *space_alloc_object(view *v, uint32_t cls, uint32_t site) noexcept nogil
