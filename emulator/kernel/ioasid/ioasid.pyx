# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Ids: the calls of ``linux/ioasid.h``. Rules and concurrency: see ``ioasid.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.refcount cimport *
from iopf.emulator.kernel.ioasid.space cimport *
from iopf.emulator.kernel.ioasid.vcmd cimport vcmd_alloc, vcmd_free
from iopf.emulator.mm.mm cimport mmget_not_zero
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.spec.classes cimport POOL_IOASID, POOL_MM
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_data, ioasid_sharer, mm_struct
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EACCES, ENOENT


cdef uint64_t pdata_of(ioasid_allocator *a) noexcept nogil:
    cdef ioasid_sharer *first = sharer_first(a)
    return first.pdata if first != NULL else 0


cdef uint32_t take_id(view *v, ioasid_allocator *a, uint32_t space, uint32_t min, uint32_t max, ioasid_data *data) noexcept nogil:
    """A number of [min, max] with the data recorded at it, or INVALID_IOASID and nothing taken. The caller of the framework lends its
    private pointer to the data alone; a backend gets the pdata of its ops. ``st.id`` says what would have to be undone."""
    cdef ioasid_state *st = ioasid_of(v)
    cdef uint64_t pdata
    cdef uint32_t id = min
    if a == NULL:
        while id <= max and id < IOASID_IDS and ioasid_table(v, space)[id] != 0:
            id += 1
        if id > max or id >= IOASID_IDS:
            return INVALID_IOASID
        st32_rel(&st.id, id)
        return id if space_record(v, space, id, data, IOASID_ALLOC) else INVALID_IOASID
    pdata = pdata_of(a)
    id = vcmd_alloc(v, a.alloc_fn, min, max, pdata, &st.id)
    if id == INVALID_IOASID:
        return INVALID_IOASID
    if min <= id <= max and space_record(v, space, id, data, IOASID_ALLOC):
        return id
    vcmd_free(v, a.free_fn, id, 0 if defect(v, DEFECT_IOASID_FREE_WITHOUT_PDATA) else pdata)
    return id if defect(v, DEFECT_IOASID_RETURNED_AFTER_FREE) else INVALID_IOASID


cdef uint32_t alloc_locked(view *v, uint32_t set, uint32_t min, uint32_t max, uint64_t private) noexcept nogil:
    cdef ioasid_state *st = ioasid_of(v)
    cdef ioasid_data *data = <ioasid_data *>space_alloc_object(v, POOL_IOASID, IOASID_ALLOC)
    cdef ioasid_allocator *a
    cdef uint32_t id, space
    if data == NULL:
        return INVALID_IOASID
    space = space_active(v, &a, IOASID_ALLOC)
    data.set = set
    data.private = private
    ref_set(&data.refs, 1)
    st.id = INVALID_IOASID
    st64_rel(&st.data, pool_ref(v.pools[POOL_IOASID], &data.hdr))
    st32_rel(&st.op, IOASID_OP_ALLOC)
    id = take_id(v, a, space, min, max, data)
    if id == INVALID_IOASID:
        pool_free(v.self, v.pools[POOL_IOASID], &data.hdr, IOASID_ALLOC)
    st32_rel(&st.op, IOASID_OP_NONE)
    return id


cdef uint32_t ioasid_alloc(view *v, uint32_t set, uint32_t min, uint32_t max, uint64_t private) noexcept nogil:
    """An id of [min, max], both ends included, or INVALID_IOASID: none is free, no memory, or the backend refuses."""
    cdef uint32_t id
    ioasid_lock(v, IOASID_ALLOC)
    id = alloc_locked(v, set, min, max, private)
    if id != INVALID_IOASID or not defect(v, DEFECT_IOASID_MUTEX_LEAK_ON_FAILURE):
        ioasid_unlock(v, IOASID_ALLOC)
    return id


cdef void free_locked(view *v, ioasid_allocator *a, uint32_t space, ioasid_data *data, uint32_t site) noexcept nogil:
    """Backend first, then the table; the data stays readable for a grace period."""
    cdef ioasid_state *st = ioasid_of(v)
    st.id = data.id
    st64_rel(&st.data, pool_ref(v.pools[POOL_IOASID], &data.hdr))
    st32_rel(&st.op, IOASID_OP_FREE)
    if a != NULL:
        vcmd_free(v, a.free_fn, data.id, pdata_of(a))
    space_erase(v, space, data.id, data, site)
    st32_rel(&st.op, IOASID_OP_NONE)


cdef ioasid_data *lookup_locked(view *v, uint32_t id, ioasid_allocator **a, uint32_t *space, uint32_t site) noexcept nogil:
    """The data of an id of the active space; an unknown one is counted and NULL."""
    cdef ioasid_data *data
    space[0] = space_active(v, a, site)
    data = space_lookup(v, space[0], id, site)
    ioasid_of(v).unknown += data == NULL
    return data


cdef void ioasid_free(view *v, uint32_t id) noexcept nogil:
    """Gives an id back whatever its count is (until v5.11 there was none). An unknown one is an error message in Linux, and counted."""
    cdef ioasid_allocator *a
    cdef uint32_t space
    cdef ioasid_data *data
    ioasid_lock(v, IOASID_FREE)
    data = lookup_locked(v, id, &a, &space, IOASID_FREE)
    if data != NULL:
        free_locked(v, a, space, data, IOASID_FREE)
    ioasid_unlock(v, IOASID_FREE)


cdef void ioasid_get(view *v, uint32_t id) noexcept nogil:
    """One more holder of the id (v5.12 to v5.17)."""
    cdef ioasid_allocator *a
    cdef uint32_t space
    cdef ioasid_data *data
    ioasid_lock(v, IOASID_GET)
    data = lookup_locked(v, id, &a, &space, IOASID_GET)
    if data != NULL:
        ref_get(v.self, &data.refs, IOASID_GET)
    ioasid_unlock(v, IOASID_GET)


cdef bint ioasid_put(view *v, uint32_t id) noexcept nogil:
    """One holder less (v5.12 to v5.17); true when it was the last and the id is free."""
    cdef ioasid_allocator *a
    cdef uint32_t space
    cdef ioasid_data *data
    cdef bint last = False
    ioasid_lock(v, IOASID_PUT)
    data = lookup_locked(v, id, &a, &space, IOASID_PUT)
    if data != NULL and data.refs > 1:
        ref_put(v.self, &data.refs, IOASID_PUT)
    elif data != NULL:
        # The last count goes with the object: an id in a table has one at any moment, also for a repair.
        free_locked(v, a, space, data, IOASID_PUT)
        last = True
    ioasid_unlock(v, IOASID_PUT)
    return last


cdef bint getter_call(view *v, uint32_t getter, uint64_t private) noexcept nogil:
    cdef mm_struct *mm
    if getter == GETTER_NONE:
        return True
    if getter != GETTER_MMGET or private == 0:
        return False
    mm = <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], private, IOASID_FIND)
    return mm != NULL and mmget_not_zero(v, mm)


cdef uint64_t ioasid_find(view *v, uint32_t set, uint32_t id, uint32_t getter, int *err) noexcept nogil:
    """The private word of an id (0: none set, or the getter found it invalid) and ``err`` 0; else 0 and -ENOENT (unknown id) or
    -EACCES (another set has it). ``set`` 0 asks for any. The getter runs inside the read section."""
    cdef ioasid_allocator *a
    cdef ioasid_data *data
    cdef uint64_t private = 0
    err[0] = 0
    rcu_read_lock(v.self, IOASID_FIND)
    data = space_lookup(v, space_active(v, &a, IOASID_FIND), id, IOASID_FIND)
    if data == NULL:
        err[0] = ENOENT
    elif set != 0 and data.set != set:
        err[0] = EACCES
    else:
        private = ld64_acq(&data.private)
        if not getter_call(v, getter, private):
            private = 0
    rcu_read_unlock(v.self, IOASID_FIND)
    return private


cdef int ioasid_set_data(view *v, uint32_t id, uint64_t private) noexcept nogil:
    """Replaces the private word: 0, or -ENOENT. When it returns no getter uses the old one any more. Never in a read section."""
    cdef ioasid_allocator *a
    cdef uint32_t space
    cdef ioasid_data *data
    ioasid_lock(v, IOASID_SET_DATA)
    space = space_active(v, &a, IOASID_SET_DATA)
    data = space_lookup(v, space, id, IOASID_SET_DATA)
    if data != NULL:
        point(v.self, IOASID_SET_DATA << 8 | OP_FIELD_WRITE, &data.private, ACC_WRITE)
        st64_rel(&data.private, private)  # partner: the acquire load in ioasid_find
    ioasid_unlock(v, IOASID_SET_DATA)
    synchronize_rcu(v.self, IOASID_SET_DATA)
    return 0 if data != NULL else ENOENT
