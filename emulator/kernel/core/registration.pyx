# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Registering and unregistering. Errors: see ``registration.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.ledger cimport EVENT_UNREGISTER_BUSY, reach
from iopf.emulator.board.objects cimport fault_param
from iopf.emulator.kernel.core.fault_param cimport param_alloc
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.group cimport LIST_COPIES
from iopf.emulator.spec.classes cimport POOL_PARAM
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBUSY, EINVAL, ENOMEM, EOPNOTSUPP


cdef int iommu_register_device_fault_handler(view *v, uint32_t dev) noexcept nogil:
    """Until v6.8: 0, -EOPNOTSUPP (later), -EINVAL (no such device), -EBUSY (registered already), -ENOMEM."""
    cdef device *d
    cdef fault_param *param
    cdef int ret = 0
    if not flow_of(v).registers_handler:
        return EOPNOTSUPP
    if dev >= v.cfg.devices:
        return EINVAL
    d = &v.devices[dev]
    mutex_lock(v.self, &d.param_lock, REGISTER_HANDLER)
    if d.handler:
        ret = EBUSY
    else:
        param = param_alloc(v, dev, REGISTER_HANDLER)
        if param == NULL:
            ret = ENOMEM
        else:
            param.faults.id = LIST_COPIES
            write64(v.self, &d.fault_param, pool_ref(v.pools[POOL_PARAM], &param.hdr), REGISTER_HANDLER)
            d.handler = 1
    mutex_unlock(v.self, &d.param_lock, REGISTER_HANDLER)
    return ret


cdef int iommu_unregister_device_fault_handler(view *v, uint32_t dev) noexcept nogil:
    """Until v6.8: 0, -EOPNOTSUPP (later), -EINVAL (none registered), -EBUSY while a request waits for its response."""
    cdef device *d
    cdef fault_param *param
    cdef int ret = 0
    if not flow_of(v).registers_handler:
        return EOPNOTSUPP
    if dev >= v.cfg.devices:
        return EINVAL
    d = &v.devices[dev]
    mutex_lock(v.self, &d.param_lock, REGISTER_HANDLER)
    param = <fault_param *>pool_try(v.self, v.pools[POOL_PARAM], d.fault_param, REGISTER_HANDLER)
    if not d.handler or param == NULL:
        ret = EINVAL
    else:
        mutex_lock(v.self, &param.lock, REGISTER_HANDLER)
        if param.faults.count != 0:
            ret = EBUSY
            reach(v, EVENT_UNREGISTER_BUSY)
        mutex_unlock(v.self, &param.lock, REGISTER_HANDLER)
    if ret == 0:
        d.handler = 0
        write64(v.self, &d.fault_param, 0, REGISTER_HANDLER)
        pool_free(v.self, v.pools[POOL_PARAM], &param.hdr, REGISTER_HANDLER)
    mutex_unlock(v.self, &d.param_lock, REGISTER_HANDLER)
    return ret
