# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Matching a response with its request, as until v6.8. The rules stand in ``page_response.pxd``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.core.partials cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_FAULT, POOL_PARAM
from iopf.emulator.spec.defects cimport *
from iopf.emulator.board.ledger cimport FATE_REJECTED
from iopf.emulator.board.objects cimport fault_event, fault_param, iopf_fault, iopf_group
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.vtd cimport *

cdef enum:
    ENODEV = -19
    EINVAL = -22


cdef iopf_fault *find_pending(view *v, fault_param *param, uint32_t pasid, bint pasid_valid, uint32_t prgi) noexcept nogil:
    """Caller holds fault_param.lock."""
    cdef pool *p = v.pools[POOL_FAULT]
    cdef uint32_t at = param.faults.first, seen = 0
    cdef objhdr *node
    cdef fault_event *evt
    while seen <= p.capacity:
        node = list_node(v.self, p, &param.faults, at, PAGE_RESPONSE)
        if node == NULL:
            return NULL
        evt = &(<iopf_fault *>node).evt
        if prq_prgi(evt.qw1) == prgi and prq_pasid_present(evt.qw0) == pasid_valid and (not pasid_valid or prq_pasid(evt.qw0) == pasid):
            return <iopf_fault *>node
        at = node.next
        seen += 1
    return NULL


cdef int iommu_page_response_for(view *v, uint32_t dev, uint32_t pasid, bint pasid_valid, uint32_t prgi, uint32_t code,
                                 iopf_group *group) noexcept nogil:
    """0, -ENODEV (no such device), -EINVAL (no handler registered, a bad code, or nothing pending that matches).

    ``group`` is what the worker answers, NULL for a driver that answers by hand.
    """
    cdef fault_param *param
    cdef iopf_fault *copy
    if dev >= v.cfg.devices:
        return ENODEV
    if v.devices[dev].fault_param == 0 or (code != RESP_SUCCESS and code != RESP_INVALID and code != RESP_FAILURE):
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
            kern_fate(v, dev, copy.evt.qw1, copy.evt.uid, FATE_REJECTED)  # before the command: the device may look at once
        respond_event(v, dev, &copy.evt, code)
        list_del(v.self, v.pools[POOL_FAULT], &param.faults, &copy.hdr, PAGE_RESPONSE)
    mutex_unlock(v.self, &param.lock, PAGE_RESPONSE)
    if copy == NULL:
        return EINVAL
    pool_free(v.self, v.pools[POOL_FAULT], &copy.hdr, PAGE_RESPONSE)
    return 0


cdef int iommu_page_response(view *v, iopf_group *group, uint32_t code) noexcept nogil:
    """The worker's answer. When it matches nothing the driver has answered by hand, and the group is in the books as refused."""
    cdef int ret = iommu_page_response_for(v, group.device, prq_pasid(group.last.qw0), prq_pasid_present(group.last.qw0),
                                           prq_prgi(group.last.qw1), code, group)
    add64(v.self, &v.devices[group.device].kern.groups_settled, 1, PAGE_RESPONSE)
    if ret != 0:
        xadd64_rlx(&v.devices[group.device].kern.rejected, group.fault_count)
        kern_fate(v, group.device, group.last.qw1, group.last.uid, FATE_REJECTED)
    return ret
