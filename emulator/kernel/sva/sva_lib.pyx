# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Allocating and freeing the PASID of an mm, finding the mm of a PASID. Locks and contract: see ``sva_lib.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.emulator.kernel.ioasid.ioasid cimport *
from iopf.emulator.kernel.ioasid.space cimport ioasid_lock, ioasid_unlock
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_MM
from iopf.emulator.board.ioasid cimport *
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EINVAL, ENOMEM, EOVERFLOW


cdef void pasid_repair(view *v) noexcept nogil:
    """After a dead holder of pasid_lock: ids of the set and PASIDs of live mms that do not name each other go. The ids are those of
    the active space; each is looked up as by any caller."""
    cdef pool *p = v.pools[POOL_MM]
    cdef mm_struct *mm
    cdef uint64_t ref
    cdef uint32_t i
    cdef int err
    # The dead may have held the inner lock as well, in the middle of a free: its ids are put in order first.
    ioasid_lock(v, SVA_ALLOC_PASID)
    ioasid_unlock(v, SVA_ALLOC_PASID)
    for i in range(IOASID_IDS):
        ref = ioasid_find(v, IOASID_SET_SVA, i, GETTER_NONE, &err)
        if err != 0:
            continue
        mm = <mm_struct *>pool_try(v.self, p, ref, MMGET_NOT_ZERO)
        if mm == NULL or mm.pasid != i:
            ioasid_free(v, i)
    for i in range(p.capacity):
        mm = <mm_struct *>pool_slot(p, i)
        if mm.hdr.state != OBJ_LIVE or mm.pasid == 0:
            continue
        if ioasid_find(v, IOASID_SET_SVA, mm.pasid, GETTER_NONE, &err) != pool_ref(p, &mm.hdr):
            write32(v.self, &mm.pasid, 0, SVA_FREE_PASID)


cdef void pasid_lock(view *v, uint32_t site) noexcept nogil:
    if iopf_unlikely(mutex_lock(v.self, &v.board.pasid_lock, site) == LOCK_DIED):
        pasid_repair(v)


cdef uint32_t iommu_sva_alloc_pasid(view *v, mm_struct *mm, uint32_t min, uint32_t max, int *err) noexcept nogil:
    """The PASID of the mm, with one more binder; or 0 with ``err`` -EINVAL (range: 0 and INVALID_IOASID are no PASIDs), -EOVERFLOW (the mm
    has one, outside of the range) or -ENOMEM (no id)."""
    cdef uint32_t pasid
    err[0] = EINVAL
    if min == 0 or min == INVALID_IOASID or max == INVALID_IOASID or max < min:
        return 0
    err[0] = 0
    pasid_lock(v, SVA_ALLOC_PASID)
    pasid = mm.pasid
    if pasid == 0:
        pasid = ioasid_alloc(v, IOASID_SET_SVA, min, max, pool_ref(v.pools[POOL_MM], &mm.hdr))
        if pasid == INVALID_IOASID:
            pasid = 0
            err[0] = ENOMEM
        else:
            write32(v.self, &mm.pasid, pasid, SVA_ALLOC_PASID)
    elif min <= pasid <= max:
        ioasid_get(v, pasid)
    else:
        pasid = 0
        err[0] = EOVERFLOW
    mutex_unlock(v.self, &v.board.pasid_lock, SVA_ALLOC_PASID)
    return pasid


cdef void iommu_sva_free_pasid(view *v, mm_struct *mm) noexcept nogil:
    """One binder less; the last one frees the PASID, and no lookup is on its way to the mm when it returns. An id that was lost with its
    allocator goes with the first call (Linux: mm->pasid stays, and names nothing). Nothing happens for an mm without PASID."""
    cdef uint32_t pasid
    cdef bint last = False
    cdef int err = 0
    pasid_lock(v, SVA_FREE_PASID)
    pasid = mm.pasid
    if pasid != 0:
        last = ioasid_put(v, pasid)
        if not last:
            ioasid_find(v, IOASID_SET_SVA, pasid, GETTER_NONE, &err)
        if last or err != 0:
            write32(v.self, &mm.pasid, 0, SVA_FREE_PASID)
    mutex_unlock(v.self, &v.board.pasid_lock, SVA_FREE_PASID)
    if last:
        synchronize_rcu(v.self, SVA_FREE_PASID)


cdef mm_struct *iommu_sva_find(view *v, uint32_t pasid, int *err) noexcept nogil:
    """The mm of a PASID with a user taken (the caller gives it back), or NULL: no such PASID (``err`` negative), or its address space
    is dead (``err`` 0)."""
    cdef uint64_t ref = ioasid_find(v, IOASID_SET_SVA, pasid, GETTER_MMGET, err)
    return <mm_struct *>pool_deref(v.self, v.pools[POOL_MM], ref, IOASID_FIND) if ref else NULL
