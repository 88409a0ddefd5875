# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Repair after the death of the lock's holder. Steps by operation: see ``repair.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.emulator.kernel.ioasid.vcmd cimport vcmd_clear
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_ALLOCATOR, POOL_IOASID
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_data
from iopf.emulator.spec.sites cimport *


cdef ioasid_allocator *listed(view *v, uint32_t index) noexcept nogil:
    """The allocator on the list at ``index``, silently; NULL for the default space and for what is stale."""
    cdef uint64_t ref
    if index >= IOASID_ALLOCATORS:
        return NULL
    ref = ioasid_of(v).registered[index]
    return <ioasid_allocator *>pool_try(v.self, v.pools[POOL_ALLOCATOR], ref, IOASID_PUT) if ref_index(ref) == index else NULL


cdef void repair_operation(view *v) noexcept nogil:
    """The id of the dead holder's operation goes from the backend and from the table, whether it was coming or going."""
    cdef ioasid_state *st = ioasid_of(v)
    cdef uint64_t ref = st.active
    cdef uint32_t id = st.id, space = ref_index(ref) if ref else IOASID_DEFAULT
    cdef uint64_t *entry
    cdef ioasid_allocator *a
    if st.op == IOASID_OP_NONE or id >= IOASID_IDS or space >= IOASID_SPACES:
        return
    entry = &ioasid_table(v, space)[id]
    if entry[0] != 0 and entry[0] != st.data:
        return  # a number that the backend gave twice: it has an owner
    a = listed(v, space)
    if a != NULL:
        vcmd_clear(v, a.free_fn, id)
    st64_rel(entry, 0)


cdef bint has_sharers(ioasid_allocator *a) noexcept nogil:
    cdef uint32_t i
    for i in range(IOASID_SHARERS):
        if a.sharers[i].ident != 0:
            return True
    return False


cdef void repair_list(view *v) noexcept nogil:
    """Takes allocators without any ops off the list; the first that is left is the active one."""
    cdef ioasid_state *st = ioasid_of(v)
    cdef ioasid_allocator *a
    cdef ioasid_allocator *first = NULL
    cdef uint32_t i
    for i in range(IOASID_ALLOCATORS):
        a = listed(v, i)
        if a == NULL or not has_sharers(a) or a.rcu_epoch:
            st.registered[i] = 0
        elif first == NULL or a.seq < first.seq:
            first = a
    st64_rel(&st.active, pool_ref(v.pools[POOL_ALLOCATOR], &first.hdr) if first != NULL else 0)


cdef void repair_tables(view *v) noexcept nogil:
    """Keeps the entries that name whole data of a space on the list, and counts them."""
    cdef ioasid_state *st = ioasid_of(v)
    cdef uint64_t *table
    cdef ioasid_data *data
    cdef uint32_t space, id, n
    cdef bint lives
    for space in range(IOASID_SPACES):
        table = ioasid_table(v, space)
        lives = space == IOASID_DEFAULT or listed(v, space) != NULL
        n = 0
        for id in range(IOASID_IDS):
            if table[id] == 0:
                continue
            data = <ioasid_data *>pool_try(v.self, v.pools[POOL_IOASID], table[id], IOASID_PUT)
            if data != NULL and lives and data.id == id and data.space == space and data.rcu_epoch == 0:
                n += 1
                continue
            st64_rel(&table[id], 0)
            st.ids_lost += not lives
        st.outstanding[space] = n


cdef void repair_data(view *v) noexcept nogil:
    """Every live object that is in no table waits for a grace period from now on, or goes on waiting."""
    cdef pool *p = v.pools[POOL_IOASID]
    cdef ioasid_state *st = ioasid_of(v)
    cdef ioasid_data *data
    cdef uint32_t i
    st.retired_ids = 0
    for i in range(p.capacity):
        data = <ioasid_data *>pool_slot(p, i)
        if data.hdr.state != OBJ_LIVE:
            continue
        if data.space < IOASID_SPACES and data.id < IOASID_IDS and ioasid_table(v, data.space)[data.id] == pool_ref(p, &data.hdr):
            continue
        if data.rcu_epoch == 0:
            data.rcu_epoch = rcu_start(v.self, IOASID_PUT)
        data.hdr.free_next = st.retired_ids
        st.retired_ids = i + 1


cdef void repair_allocators(view *v) noexcept nogil:
    cdef pool *p = v.pools[POOL_ALLOCATOR]
    cdef ioasid_state *st = ioasid_of(v)
    cdef ioasid_allocator *a
    cdef uint32_t i
    st.retired_allocators = 0
    for i in range(p.capacity):
        a = <ioasid_allocator *>pool_slot(p, i)
        if a.hdr.state != OBJ_LIVE or listed(v, i) == a:
            continue
        if a.rcu_epoch == 0:
            a.rcu_epoch = rcu_start(v.self, IOASID_PUT)
        a.hdr.free_next = st.retired_allocators
        st.retired_allocators = i + 1


cdef void ioasid_repair(view *v) noexcept nogil:
    """Makes everything whole that the lock protects. Caller holds the lock and has it from a dead owner."""
    repair_operation(v)
    repair_list(v)
    repair_tables(v)
    repair_data(v)
    repair_allocators(v)
    ioasid_of(v).op = IOASID_OP_NONE
    ioasid_of(v).repairs += 1
    point(v.self, IOASID_REPAIR << 8 | OP_LOCAL, &ioasid_of(v).op, ACC_LOCAL)
