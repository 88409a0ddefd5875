# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The list of allocators: registered ones, shared spaces, the active one. Rules: see ``ioasid.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.ioasid.space cimport *
from iopf.emulator.kernel.ioasid.vcmd cimport vcmd_function
from iopf.emulator.board.board cimport view
from iopf.emulator.board.defect cimport *
from iopf.emulator.spec.classes cimport POOL_ALLOCATOR
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport ioasid_allocator, ioasid_sharer
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EAGAIN, EEXIST, EINVAL, ENOMEM


cdef ioasid_sharer *find_ops(view *v, uint32_t ident, ioasid_allocator **a) noexcept nogil:
    """The registered ops of this identity and its allocator, or NULL. Caller holds the lock."""
    cdef uint32_t i, k
    for i in range(IOASID_ALLOCATORS):
        a[0] = allocator_at(v, i)
        if a[0] == NULL:
            continue
        for k in range(IOASID_SHARERS):
            if a[0].sharers[k].ident == ident:
                return &a[0].sharers[k]
    a[0] = NULL
    return NULL


cdef ioasid_allocator *find_same_ops(view *v, ioasid_ops *ops) noexcept nogil:
    """The registered allocator with the same pair of functions, or NULL. Caller holds the lock."""
    cdef ioasid_allocator *a
    cdef uint32_t i
    for i in range(IOASID_ALLOCATORS):
        a = allocator_at(v, i)
        if a != NULL and a.alloc_fn == ops.alloc_fn and a.free_fn == ops.free_fn:
            return a
    return NULL


cdef int add_sharer(view *v, ioasid_allocator *a, ioasid_ops *ops) noexcept nogil:
    """Puts the ops behind an allocator: 0, or -ENOMEM when all places are taken. The identity comes last: it makes the place valid."""
    cdef uint32_t k
    for k in range(IOASID_SHARERS):
        if a.sharers[k].ident != 0:
            continue
        ioasid_of(v).seq += 1
        a.sharers[k].seq = ioasid_of(v).seq
        a.sharers[k].pdata = ops.pdata
        point(v.self, IOASID_REGISTER << 8 | OP_FIELD_WRITE, &a.sharers[k].ident, ACC_WRITE)
        st32_rel(&a.sharers[k].ident, ops.ident)
        return 0
    return ENOMEM


cdef int register_locked(view *v, ioasid_ops *ops) noexcept nogil:
    """The memory for an allocator comes first, as in Linux, also when none is needed in the end."""
    cdef pool *p = v.pools[POOL_ALLOCATOR]
    cdef ioasid_allocator *fresh = <ioasid_allocator *>space_alloc_object(v, POOL_ALLOCATOR, IOASID_REGISTER)
    cdef ioasid_allocator *same
    cdef int ret = 0
    if fresh == NULL:
        return ENOMEM
    if find_ops(v, ops.ident, &same) != NULL:
        ret = EEXIST
    elif allocator_first(v) == NULL and ioasid_of(v).outstanding[IOASID_DEFAULT] != 0 and not defect(v, DEFECT_IOASID_REGISTER_OVER_IDS):
        ret = EAGAIN
    else:
        same = find_same_ops(v, ops)
        ret = add_sharer(v, fresh if same == NULL else same, ops)
    if ret != 0 or same != NULL:
        pool_free(v.self, p, &fresh.hdr, IOASID_REGISTER)
        return ret
    fresh.alloc_fn, fresh.free_fn, fresh.seq = ops.alloc_fn, ops.free_fn, ioasid_of(v).seq
    st64_rel(&ioasid_of(v).registered[fresh.hdr.index1 - 1], pool_ref(p, &fresh.hdr))
    space_activate_first(v, IOASID_REGISTER)
    return 0


cdef int ioasid_register_allocator(view *v, ioasid_ops *ops) noexcept nogil:
    """0; -ENOMEM; -EEXIST (these ops are registered); -EAGAIN (ids of the default allocator are out); -EINVAL (no such function)."""
    cdef int ret
    if ops.ident == 0 or not vcmd_function(ops.alloc_fn) or not vcmd_function(ops.free_fn):
        return EINVAL
    ioasid_lock(v, IOASID_REGISTER)
    ret = register_locked(v, ops)
    ioasid_unlock(v, IOASID_REGISTER)
    return ret


cdef void ioasid_unregister_allocator(view *v, ioasid_ops *ops) noexcept nogil:
    """Takes the ops off; with the last of a space, the space as well. Ops that are not registered are left alone."""
    cdef ioasid_allocator *a
    cdef ioasid_sharer *sharer
    cdef uint32_t space
    ioasid_lock(v, IOASID_UNREGISTER)
    sharer = find_ops(v, ops.ident, &a)
    if sharer != NULL:
        point(v.self, IOASID_UNREGISTER << 8 | OP_FIELD_WRITE, &sharer.ident, ACC_WRITE)
        st32_rel(&sharer.ident, 0)
        if sharers_of(a) == 0:
            space = a.hdr.index1 - 1
            st64_rel(&ioasid_of(v).registered[space], 0)
            space_activate_first(v, IOASID_UNREGISTER)
            if ioasid_of(v).outstanding[space] != 0:
                ioasid_of(v).warnings += 1
                space_abandon(v, space, IOASID_UNREGISTER)
            if defect(v, DEFECT_IOASID_ALLOCATOR_FREED_AT_ONCE):
                pool_free(v.self, v.pools[POOL_ALLOCATOR], &a.hdr, IOASID_UNREGISTER)
            else:
                allocator_retire(v, a)
    else:
        ioasid_of(v).unknown += 1
    ioasid_unlock(v, IOASID_UNREGISTER)
