# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Pending copies and their responses. Rules: see ``copies.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.core.response cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_FAULT, POOL_PARAM
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.ledger cimport FATE_REJECTED
from iopf.emulator.board.objects cimport fault_param, iopf_fault, iopf_group
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport EINVAL, ENODEV


cdef iopf_fault *copy_pending(view *v, fault_param *param, iommu_fault *fault) noexcept nogil:
    """A copy of a last request on the list of those that wait for a response; NULL is -ENOMEM."""
    cdef iopf_fault *copy = <iopf_fault *>pool_alloc(v.self, v.pools[POOL_FAULT], REPORT_DEVICE_FAULT)
    if copy == NULL:
        return NULL
    copy.fault = fault[0]
    mutex_lock(v.self, &param.lock, REPORT_DEVICE_FAULT)
    list_add_tail(v.self, v.pools[POOL_FAULT], &param.faults, &copy.hdr, REPORT_DEVICE_FAULT)
    mutex_unlock(v.self, &param.lock, REPORT_DEVICE_FAULT)
    return copy


cdef iopf_fault *find_pending(view *v, fault_param *param, uint32_t pasid, bint pasid_valid, uint32_t prgi) noexcept nogil:
    """Caller holds fault_param.lock."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint32_t at = param.faults.first, seen = 0
    cdef objhdr *node
    cdef iommu_fault *fault
    while seen <= p.capacity:
        node = list_node(v.self, p, &param.faults, at, PAGE_RESPONSE)
        if node == NULL:
            return NULL
        fault = &(<iopf_fault *>node).fault
        if fault.grpid == prgi and fault_pasid_valid(fault) == pasid_valid and (not pasid_valid or fault.pasid == pasid):
            return <iopf_fault *>node
        at = node.next
        seen += 1
    return NULL


cdef int iommu_page_response_for(view *v, uint32_t dev, uint32_t pasid, bint pasid_valid, uint32_t prgi, uint32_t code,
                                 iopf_group *group) noexcept nogil:
    """0, -ENODEV (no such device), -EINVAL (no handler registered, a bad code, or nothing pending that matches).

    ``group`` is what the worker answers, NULL for a response of the driver itself.
    """
    cdef fault_param *param
    cdef iopf_fault *copy
    if dev >= v.cfg.devices:
        return ENODEV
    if v.devices[dev].fault_param == 0 or code > IOMMU_PAGE_RESP_FAILURE:
        return EINVAL
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], v.devices[dev].fault_param, PAGE_RESPONSE)
    if param == NULL:
        return EINVAL
    if defect(v, DEFECT_PASID_MUTEX_ABBA):
        mutex_lock(v.self, &v.board.sva_lock, PAGE_RESPONSE)  # the pasid_mutex of intel_svm_page_response
        mutex_unlock(v.self, &v.board.sva_lock, PAGE_RESPONSE)
    mutex_lock(v.self, &param.lock, PAGE_RESPONSE)
    copy = find_pending(v, param, pasid, pasid_valid, prgi)
    if copy != NULL:
        if group != NULL:
            count_answer(v, group, code)
        else:
            kern_fate(v, &copy.fault, FATE_REJECTED)  # before the command: the device may look at once
        respond(v, &copy.fault, code)
        list_del(v.self, v.pools[POOL_FAULT], &param.faults, &copy.hdr, PAGE_RESPONSE)
    mutex_unlock(v.self, &param.lock, PAGE_RESPONSE)
    if copy == NULL:
        return EINVAL
    pool_free(v.self, v.pools[POOL_FAULT], &copy.hdr, PAGE_RESPONSE)
    return 0


cdef void respond_by_copy(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """The worker's answer. When it matches nothing the driver has answered itself, and the account has the group as refused."""
    cdef int ret = iommu_page_response_for(v, group.device, group.last.pasid, fault_pasid_valid(&group.last),
                                           group.last.grpid, code, group)
    add64(v.self, &v.devices[group.device].kern.groups_settled, 1, PAGE_RESPONSE)
    if ret != 0:
        xadd64_rlx(&v.devices[group.device].kern.rejected, group.fault_count)
        kern_fate(v, &group.last, FATE_REJECTED)
