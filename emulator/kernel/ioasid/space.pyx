# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The steps that change a space, and the reaping. See ``space.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.emulator.kernel.ioasid.repair cimport ioasid_repair
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.spec.classes cimport POOL_ALLOCATOR, POOL_IOASID
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_data, ioasid_sharer
from iopf.emulator.spec.errno cimport EINVAL
from iopf.emulator.spec.sites cimport *


cdef void ioasid_lock(view *v, uint32_t site) noexcept nogil:
    """Takes the one lock of the framework; after a dead holder everything is made whole before the caller goes on."""
    if iopf_unlikely(mutex_lock(v.self, &ioasid_of(v).lock, site) == LOCK_DIED):
        ioasid_repair(v)


cdef void ioasid_unlock(view *v, uint32_t site) noexcept nogil:
    mutex_unlock(v.self, &ioasid_of(v).lock, site)


cdef ioasid_allocator *allocator_at(view *v, uint32_t index) noexcept nogil:
    """The registered allocator of pool index ``index``, or NULL. Caller holds the lock."""
    cdef uint64_t ref
    if index >= IOASID_ALLOCATORS:
        return NULL
    ref = ioasid_of(v).registered[index]
    if ref == 0 or ref_index(ref) != index:
        return NULL
    return <ioasid_allocator *>pool_deref(v.self, v.pools[POOL_ALLOCATOR], ref, IOASID_REGISTER)


cdef ioasid_allocator *allocator_first(view *v) noexcept nogil:
    """The allocator that was registered first of those on the list, or NULL when the list is empty. Caller holds the lock."""
    cdef ioasid_allocator *a
    cdef ioasid_allocator *first = NULL
    cdef uint32_t i
    for i in range(IOASID_ALLOCATORS):
        a = allocator_at(v, i)
        if a != NULL and (first == NULL or a.seq < first.seq):
            first = a
    return first


cdef ioasid_sharer *sharer_first(ioasid_allocator *a) noexcept nogil:
    """The ops whose pdata is handed to the functions: the first registered of those that are left; NULL without any."""
    cdef ioasid_sharer *first = NULL
    cdef uint32_t i
    for i in range(IOASID_SHARERS):
        if a.sharers[i].ident != 0 and (first == NULL or a.sharers[i].seq < first.seq):
            first = &a.sharers[i]
    return first


cdef uint32_t sharers_of(ioasid_allocator *a) noexcept nogil:
    cdef uint32_t i, n = 0
    for i in range(IOASID_SHARERS):
        n += a.sharers[i].ident != 0
    return n


cdef uint32_t space_active(view *v, ioasid_allocator **a, uint32_t site) noexcept nogil:
    """The number of the active space, and its allocator (NULL: the default one). Under the lock or in a read section."""
    cdef uint64_t ref
    point(v.self, site << 8 | OP_FIELD_READ, &ioasid_of(v).active, ACC_READ)
    ref = ld64_acq(&ioasid_of(v).active)
    a[0] = NULL
    if ref == 0:
        return IOASID_DEFAULT
    a[0] = <ioasid_allocator *>pool_deref(v.self, v.pools[POOL_ALLOCATOR], ref, site)
    return ref_index(ref) if a[0] != NULL else IOASID_DEFAULT


cdef void space_activate_first(view *v, uint32_t site) noexcept nogil:
    """Succession: the first of the list becomes active, the default allocator when the list is empty. Caller holds the lock."""
    cdef ioasid_allocator *first = allocator_first(v)
    point(v.self, site << 8 | OP_FIELD_WRITE, &ioasid_of(v).active, ACC_WRITE)
    if first != NULL:
        st64_rel(&ioasid_of(v).active, pool_ref(v.pools[POOL_ALLOCATOR], &first.hdr))
    else:
        # The defect: the list's head as a reference, which is none of an allocator.
        st64_rel(&ioasid_of(v).active, IOASID_ALLOCATORS + 1 if defect(v, DEFECT_IOASID_LIST_HEAD_AS_ENTRY) else 0)


cdef ioasid_data *space_lookup(view *v, uint32_t space, uint32_t id, uint32_t site) noexcept nogil:
    """xa_load: the data of an id, or NULL. Under the lock or in a read section."""
    cdef uint64_t *entry
    cdef uint64_t ref
    if id >= IOASID_IDS or space >= IOASID_SPACES:
        return NULL
    entry = &ioasid_table(v, space)[id]
    point(v.self, site << 8 | OP_FIELD_READ, entry, ACC_READ)
    ref = ld64_acq(entry)
    return <ioasid_data *>pool_deref(v.self, v.pools[POOL_IOASID], ref, site) if ref else NULL


cdef bint space_record(view *v, uint32_t space, uint32_t id, ioasid_data *data, uint32_t site) noexcept nogil:
    """Stores the data at exactly this id; false when the place is taken or outside, or the record is made to fail.
    Caller holds the lock."""
    cdef ioasid_state *st = ioasid_of(v)
    cdef uint64_t *entry
    if st.record_fail_nth:
        st.record_fail_nth -= 1
        if st.record_fail_nth == 0:
            return False
    if id >= IOASID_IDS or space >= IOASID_SPACES:
        return False
    entry = &ioasid_table(v, space)[id]
    if ld64_rlx(entry) != 0:
        return False
    data.id = id
    data.space = space
    point(v.self, site << 8 | OP_FIELD_WRITE, entry, ACC_WRITE)
    st64_rel(entry, pool_ref(v.pools[POOL_IOASID], &data.hdr))  # partner: the acquire load in space_lookup
    st.outstanding[space] += 1
    return True


cdef int ioasid_fail(view *v, uint32_t step, uint32_t nth, uint32_t host) noexcept nogil:
    """The n-th next step of this kind fails (at this host): 0, or -EINVAL."""
    if host >= VCMD_BACKENDS or step > STEP_RECORD:
        return EINVAL
    ioasid_lock(v, IOASID_ALLOC)
    if step == STEP_HOST:
        ioasid_of(v).backends[host].fail_nth = nth
    elif step == STEP_REPEAT:
        ioasid_of(v).backends[host].repeat_nth = nth
    else:
        ioasid_of(v).record_fail_nth = nth
    ioasid_unlock(v, IOASID_ALLOC)
    return 0


cdef void data_retire(view *v, ioasid_data *data) noexcept nogil:
    """kfree_rcu of data that is in no table any more."""
    data.rcu_epoch = rcu_start(v.self, IOASID_PUT)
    data.hdr.free_next = ioasid_of(v).retired_ids
    ioasid_of(v).retired_ids = data.hdr.index1


cdef void space_erase(view *v, uint32_t space, uint32_t id, ioasid_data *data, uint32_t site) noexcept nogil:
    """xa_erase and kfree_rcu. Caller holds the lock and has looked the data up there."""
    cdef uint64_t *entry = &ioasid_table(v, space)[id]
    point(v.self, site << 8 | OP_FIELD_WRITE, entry, ACC_WRITE)
    st64_rel(entry, 0)
    ioasid_of(v).outstanding[space] -= 1
    data_retire(v, data)


cdef void space_abandon(view *v, uint32_t space, uint32_t site) noexcept nogil:
    """Forgets every id of a space that is given up. Its numbers stay out in the backend, as they are not returned."""
    cdef ioasid_data *data
    cdef uint32_t id
    for id in range(IOASID_IDS):
        if ioasid_of(v).outstanding[space] == 0:
            return
        if ioasid_table(v, space)[id] == 0:
            continue
        data = space_lookup(v, space, id, site)
        if data != NULL:
            space_erase(v, space, id, data, site)
            ioasid_of(v).ids_lost += 1


cdef void allocator_retire(view *v, ioasid_allocator *a) noexcept nogil:
    """kfree_rcu of an allocator that is off the list and not active."""
    a.rcu_epoch = rcu_start(v.self, IOASID_PUT)
    a.hdr.free_next = ioasid_of(v).retired_allocators
    ioasid_of(v).retired_allocators = a.hdr.index1


cdef void reap_ids(view *v) noexcept nogil:
    cdef pool *p = v.pools[POOL_IOASID]
    cdef uint32_t at = ioasid_of(v).retired_ids, following, n = 0
    cdef ioasid_data *data
    ioasid_of(v).retired_ids = 0
    while 0 < at <= p.capacity and n < p.capacity:
        data = <ioasid_data *>pool_slot(p, at - 1)
        following = data.hdr.free_next
        if rcu_passed(v.self, data.rcu_epoch, IOASID_PUT):
            pool_free(v.self, p, &data.hdr, IOASID_REAP)
        else:
            data.hdr.free_next = ioasid_of(v).retired_ids
            ioasid_of(v).retired_ids = at
        at = following
        n += 1


cdef void reap_allocators(view *v) noexcept nogil:
    cdef pool *p = v.pools[POOL_ALLOCATOR]
    cdef uint32_t at = ioasid_of(v).retired_allocators, following, n = 0
    cdef ioasid_allocator *a
    ioasid_of(v).retired_allocators = 0
    while 0 < at <= p.capacity and n < p.capacity:
        a = <ioasid_allocator *>pool_slot(p, at - 1)
        following = a.hdr.free_next
        if rcu_passed(v.self, a.rcu_epoch, IOASID_PUT):
            pool_free(v.self, p, &a.hdr, IOASID_REAP)
        else:
            a.hdr.free_next = ioasid_of(v).retired_allocators
            ioasid_of(v).retired_allocators = at
        at = following
        n += 1


cdef void ioasid_reap(view *v) noexcept nogil:
    """Frees what has outlived its readers. Caller holds the lock; nothing is waited for."""
    if ioasid_of(v).retired_ids:
        reap_ids(v)
    if ioasid_of(v).retired_allocators:
        reap_allocators(v)


cdef objhdr *space_alloc_object(view *v, uint32_t cls, uint32_t site) noexcept nogil:
    """An object of the framework, or NULL. Caller holds the lock, which is given back meanwhile when objects only wait for their
    grace period: readers never take it."""
    cdef objhdr *obj
    ioasid_reap(v)
    obj = pool_alloc(v.self, v.pools[cls], site)
    if obj == NULL and (ioasid_of(v).retired_ids or ioasid_of(v).retired_allocators):
        ioasid_unlock(v, site)
        synchronize_rcu(v.self, site)
        ioasid_lock(v, site)
        ioasid_reap(v)
        obj = pool_alloc(v.self, v.pools[cls], site)
    return obj
