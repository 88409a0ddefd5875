# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Finding, counting and freeing fault_param objects. Owners and ordering: see ``fault_param.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.rcu cimport *
from iopf.cython_ext.refcount cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_FAULT_PARAM, POOL_PARAM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.ledger cimport EVENT_NO_PARAM, reach
from iopf.emulator.board.objects cimport fault_param
from iopf.emulator.spec.sites cimport *

cdef enum:
    LIST_PARTIAL = 1
    LIST_PENDING = 2


cdef fault_param *param_alloc(view *v, uint32_t dev, uint32_t site) noexcept nogil:
    """A fresh object with one user, published nowhere; NULL is -ENOMEM."""
    cdef fault_param *param = <fault_param *>pool_alloc(v.self, v.pools[POOL_PARAM], site)
    if param == NULL:
        return NULL
    param.lock.cls = LOCK_FAULT_PARAM
    param.device = dev
    param.partial.id = LIST_PARTIAL
    param.faults.id = LIST_PENDING
    ref_set(&param.users, 1)
    return param


cdef fault_param *iopf_get_dev_fault_param(view *v, uint32_t dev) noexcept nogil:
    """A counted reference to the device's fault_param, or NULL when it is on no queue."""
    cdef fault_param *param
    cdef uint64_t ref
    cdef bint section = not defect(v, DEFECT_GETTER_WITHOUT_RCU)
    if section:
        rcu_read_lock(v.self, GET_DEV_FAULT_PARAM)
    point(v.self, GET_DEV_FAULT_PARAM << 8 | OP_FIELD_READ, &v.devices[dev].fault_param, ACC_READ)
    ref = ld64_acq(&v.devices[dev].fault_param)
    rcu_check_held(v.self, ref, GET_DEV_FAULT_PARAM)
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], ref, GET_DEV_FAULT_PARAM) if ref else NULL
    if param != NULL and not defect(v, DEFECT_REPORT_VS_REMOVE_PARAM):
        if not ref_get_not_zero(v.self, &param.users, GET_DEV_FAULT_PARAM):
            param = NULL
    if section:
        rcu_read_unlock(v.self, GET_DEV_FAULT_PARAM)
    return param


cdef fault_param *iopf_get_or_make_fault_param(view *v, uint32_t dev) noexcept nogil:
    """The same, and the first fault of a device makes the object: the loser of a race frees its own. NULL is -ENOMEM."""
    cdef fault_param *param = iopf_get_dev_fault_param(v, dev)
    cdef fault_param *made
    if param != NULL:
        return param
    reach(v, EVENT_NO_PARAM)
    made = param_alloc(v, dev, GET_DEV_FAULT_PARAM)
    if made == NULL:
        return NULL
    ref_get(v.self, &made.users, GET_DEV_FAULT_PARAM)  # the published one is the first
    point(v.self, GET_DEV_FAULT_PARAM << 8 | OP_FIELD_WRITE, &v.devices[dev].fault_param, ACC_RMW)
    if cas64(&v.devices[dev].fault_param, 0, pool_ref(v.pools[POOL_PARAM], &made.hdr)):
        return made
    pool_free(v.self, v.pools[POOL_PARAM], &made.hdr, GET_DEV_FAULT_PARAM)
    return iopf_get_dev_fault_param(v, dev)


cdef void iopf_put_dev_fault_param(view *v, fault_param *param) noexcept nogil:
    if not defect(v, DEFECT_REPORT_VS_REMOVE_PARAM):  # no reference was taken
        put_fault_param(v, param)


cdef void put_fault_param(view *v, fault_param *param) noexcept nogil:
    """The last put hands the object to a grace period (kfree_rcu): it stays readable for those who still look."""
    cdef uint64_t word
    cdef uint32_t index1
    if not ref_put(v.self, &param.users, PUT_DEV_FAULT_PARAM):
        return
    param.rcu_epoch = rcu_start(v.self, PUT_DEV_FAULT_PARAM)
    index1 = ref_index(pool_ref(v.pools[POOL_PARAM], &param.hdr)) + 1
    while True:
        word = read64(v.self, &v.board.rcu_retired, PUT_DEV_FAULT_PARAM)
        param.hdr.free_next = <uint32_t>word
        if try64(v.self, &v.board.rcu_retired, word, ((word >> 32) + 1) << 32 | index1, PUT_DEV_FAULT_PARAM):
            return


cdef void rcu_reap(view *v) noexcept nogil:
    """Frees the retired objects whose grace period has ended; the rest stay retired."""
    cdef pool *p = v.pools[POOL_PARAM]
    cdef fault_param *param
    cdef uint64_t word
    cdef uint32_t at, following
    word = read64(v.self, &v.board.rcu_retired, PUT_DEV_FAULT_PARAM)
    if <uint32_t>word == 0 or not try64(v.self, &v.board.rcu_retired, word, ((word >> 32) + 1) << 32, PUT_DEV_FAULT_PARAM):
        return
    at = <uint32_t>word
    while 0 < at <= p.capacity:
        param = <fault_param *>pool_slot(p, at - 1)
        following = param.hdr.free_next
        if rcu_passed(v.self, param.rcu_epoch, PUT_DEV_FAULT_PARAM):
            pool_free(v.self, p, &param.hdr, PUT_DEV_FAULT_PARAM)
        else:
            while True:
                word = read64(v.self, &v.board.rcu_retired, PUT_DEV_FAULT_PARAM)
                param.hdr.free_next = <uint32_t>word
                if try64(v.self, &v.board.rcu_retired, word, ((word >> 32) + 1) << 32 | at, PUT_DEV_FAULT_PARAM):
                    break
        at = following
