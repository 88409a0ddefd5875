# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The report flows. Which generation uses which: see ``kernel/flows.pyx``."""

from libc.stdint cimport uint32_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.attach cimport find_fault_handler
from iopf.emulator.kernel.core.copies cimport copy_pending
from iopf.emulator.kernel.core.fault_param cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.domain cimport domain_unpend
from iopf.emulator.kernel.core.handlers cimport domain_iopf_handler, eager_fault, queue_group
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.core.partials cimport *
from iopf.emulator.kernel.core.response cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_DOMAIN, POOL_FAULT, POOL_HANDLE, POOL_PARAM
from iopf.emulator.board.config cimport OPTION_ANSWER_LAST, OPTION_EAGER
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.devices cimport device, kernside
from iopf.emulator.board.ledger cimport *
from iopf.emulator.board.objects cimport attach_handle, fault_param, iommu_domain, iopf_fault, iopf_group
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport EINVAL, ENODEV, ENOMEM, EOPNOTSUPP


cdef int iommu_queue_iopf(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """The handler of v5.13 to v6.8: 0, -EOPNOTSUPP, -ENODEV, -ENOMEM. Caller holds param_lock."""
    cdef fault_param *param
    cdef iopf_group *group
    if fault.type != IOMMU_FAULT_PAGE_REQ:
        return EOPNOTSUPP
    if v.devices[dev].iopf_param == 0:
        reach(v, EVENT_NO_PARAM)
        return ENODEV
    param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], v.devices[dev].iopf_param, QUEUE_IOPF)
    if param == NULL:
        return ENODEV
    if not fault_last(fault):
        return report_partial_fault(v, param, fault)
    group = iopf_group_alloc(v, param, fault, False)
    if group == NULL:
        reach(v, EVENT_LAST_NOMEM)
        mutex_lock(v.self, &param.lock, QUEUE_IOPF)
        free_partials(v, param, fault.grpid, 0, FATE_NOMEM, QUEUE_IOPF)
        mutex_unlock(v.self, &param.lock, QUEUE_IOPF)
        return ENOMEM
    return queue_group(v, group, NULL)


cdef int report_to_handler(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """v5.13 to v6.8: 0, -EINVAL without handler, -ENOMEM, or the handler's error. Caller holds param_lock."""
    cdef device *d = &v.devices[dev]
    cdef fault_param *param = NULL
    cdef iopf_fault *copy = NULL
    cdef int ret
    if d.fault_param != 0:
        param = <fault_param *>pool_deref(v.self, v.pools[POOL_PARAM], d.fault_param, REPORT_DEVICE_FAULT)
    if param == NULL or not d.handler:
        reach(v, EVENT_NO_PARAM)
        return EINVAL
    if fault.type == IOMMU_FAULT_PAGE_REQ and fault_last(fault):
        copy = copy_pending(v, param, fault)
        if copy == NULL:
            reach(v, EVENT_LAST_NOMEM)
            return ENOMEM
    ret = iommu_queue_iopf(v, dev, fault)
    if ret != 0 and copy != NULL:
        mutex_lock(v.self, &param.lock, REPORT_DEVICE_FAULT)
        list_del(v.self, v.pools[POOL_FAULT], &param.faults, &copy.hdr, REPORT_DEVICE_FAULT)
        mutex_unlock(v.self, &param.lock, REPORT_DEVICE_FAULT)
        pool_free(v.self, v.pools[POOL_FAULT], &copy.hdr, REPORT_DEVICE_FAULT)
    return ret


cdef int report_by_copy(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    cdef int ret
    mutex_lock(v.self, &v.devices[dev].param_lock, REPORT_DEVICE_FAULT)
    ret = report_to_handler(v, dev, fault)
    mutex_unlock(v.self, &v.devices[dev].param_lock, REPORT_DEVICE_FAULT)
    return ret


cdef int report_to_domain(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """Returns nothing in Linux; 0 here. A device without fault_param is a WARN and no answer, ever."""
    cdef fault_param *param = iopf_get_dev_fault_param(v, dev)
    cdef attach_handle *handle
    cdef iopf_group *group
    if param == NULL:
        reach(v, EVENT_NO_PARAM)
        warn(v, WARN_IOMMU_REPORT_DEVICE_FAULT)
        xadd64_rlx(&v.devices[dev].kern.unanswered, 1)
        kern_fate(v, fault, FATE_UNANSWERED)
        return 0
    if not fault_last(fault):
        report_partial_fault(v, param, fault)
        if not defect(v, DEFECT_REPORT_MISSING_RETURN):
            iopf_put_dev_fault_param(v, param)
            return 0
    group = iopf_group_alloc(v, param, fault, True)
    if group == NULL:
        reach(v, EVENT_LAST_NOMEM)
        abort_without_group(v, param, fault, IOMMU_PAGE_RESP_FAILURE)
        iopf_put_dev_fault_param(v, param)
        return 0
    handle = find_fault_handler(v, dev, fault)
    if handle != NULL:
        group.handle = pool_ref(v.pools[POOL_HANDLE], &handle.hdr)
        write64(v.self, &group.domain, handle.domain, REPORT_DEVICE_FAULT)
    if handle == NULL:
        reach_no_domain(v, group.fault_count - 1)
    if handle == NULL or domain_iopf_handler(v, group) != 0:
        iopf_group_response(v, group, IOMMU_PAGE_RESP_FAILURE)
        iopf_free_group(v, group, REPORT_DEVICE_FAULT)
    return 0


cdef int error_response(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """v6.11: INVALID without any record, also for a request that is not the last (b58b133e680b); nothing when it is no page request."""
    cdef kernside *kern = &v.devices[dev].kern
    if fault.type != IOMMU_FAULT_PAGE_REQ or defect(v, DEFECT_BAD_SETUP_SILENT):
        xadd64_rlx(&kern.unanswered, 1)
        kern_fate(v, fault, FATE_UNANSWERED)
        return EINVAL
    xadd64_rlx(&kern.rejected, 1)
    kern_fate(v, fault, FATE_REJECTED)
    if fault_last(fault) or not v.cfg.options & OPTION_ANSWER_LAST:
        respond(v, fault, IOMMU_PAGE_RESP_INVALID)
    return EINVAL


cdef int report_to_handle(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """0, -EINVAL, -ENOMEM. Handler first, then the fault_param, then the request itself."""
    cdef attach_handle *handle = find_fault_handler(v, dev, fault)
    cdef fault_param *param
    cdef iopf_group *group
    cdef int ret
    if handle == NULL:
        reach(v, EVENT_NO_DOMAIN if fault_last(fault) else EVENT_PARTIAL_NO_HANDLER)
        return error_response(v, dev, fault)
    param = iopf_get_dev_fault_param(v, dev)
    if param == NULL:
        reach(v, EVENT_NO_PARAM)
        warn(v, WARN_IOMMU_REPORT_DEVICE_FAULT)
        return error_response(v, dev, fault)
    if not fault_last(fault):
        ret = report_partial_fault(v, param, fault)
        if defect(v, DEFECT_RESPONSE_FOR_NONLAST_BAD):
            respond(v, fault, IOMMU_PAGE_RESP_SUCCESS)
        if ret == 0 and v.cfg.options & OPTION_EAGER:
            eager_fault(v, handle, fault)
        iopf_put_dev_fault_param(v, param)
        return ret
    group = iopf_group_alloc(v, param, fault, True)
    if group == NULL:
        reach(v, EVENT_LAST_NOMEM)
        abort_without_group(v, param, fault, IOMMU_PAGE_RESP_FAILURE)
        iopf_put_dev_fault_param(v, param)
        return 0
    # The getter's reference is the group's from here on; iopf_free_group gives it back.
    group.handle = pool_ref(v.pools[POOL_HANDLE], &handle.hdr)
    write64(v.self, &group.domain, handle.domain, REPORT_DEVICE_FAULT)
    if domain_iopf_handler(v, group) != 0:
        iopf_group_response(v, group, IOMMU_PAGE_RESP_FAILURE)
        iopf_free_group(v, group, REPORT_DEVICE_FAULT)
    return 0


cdef int restart(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """gunthorpe: the fault has no handler. A last request is answered Success, so that the device asks again; its partials go."""
    xadd64_rlx(&v.devices[dev].kern.rejected, 1)
    kern_fate(v, fault, FATE_REJECTED)
    if fault_last(fault):
        respond(v, fault, IOMMU_PAGE_RESP_SUCCESS)
    return 0


cdef iopf_group *group_of_domain(view *v, fault_param *param, iommu_fault *fault, attach_handle *handle) noexcept nogil:
    """Steps 5 to 7 of gunthorpe: the group, its domain counted as busy, both before the group is visible to other processes."""
    cdef iommu_domain *domain = <iommu_domain *>pool_deref(v.self, v.pools[POOL_DOMAIN], handle.domain, REPORT_DEVICE_FAULT)
    cdef iopf_group *group
    if domain == NULL:
        return NULL
    add32(v.self, &domain.pending, 1, REPORT_DEVICE_FAULT)  # partner: the acquire load of the process that frees the domain
    group = iopf_group_alloc(v, param, fault, True)
    if group == NULL:
        domain_unpend(v, domain, REPORT_DEVICE_FAULT)
        return NULL
    group.handle = pool_ref(v.pools[POOL_HANDLE], &handle.hdr)
    write64(v.self, &group.domain, handle.domain, REPORT_DEVICE_FAULT)
    return group


cdef int report_or_restart(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """The eight steps of the mail of 2023-11-15: 0 or -ENOMEM.

    A type that has only one value is not looked at. The parameter object is made when the first fault needs it; the
    domain is looked up under the lock that a translation change takes after it has changed the handle, so a change
    cannot miss a group.
    """
    cdef fault_param *param
    cdef attach_handle *handle
    cdef iopf_group *group = NULL
    cdef bint last = fault_last(fault)
    cdef uint32_t partials
    cdef int ret
    param = iopf_get_or_make_fault_param(v, dev)
    if param == NULL:
        restart(v, dev, fault)
        return ENOMEM
    if not last:
        ret = report_partial_fault(v, param, fault)
        iopf_put_dev_fault_param(v, param)
        return ret
    mutex_lock(v.self, &v.devices[dev].param_lock, REPORT_DEVICE_FAULT)
    handle = find_fault_handler(v, dev, fault)
    if handle != NULL:
        group = group_of_domain(v, param, fault, handle)
    mutex_unlock(v.self, &v.devices[dev].param_lock, REPORT_DEVICE_FAULT)
    if group == NULL:
        partials = abort_without_group(v, param, fault, IOMMU_PAGE_RESP_SUCCESS if handle == NULL else IOMMU_PAGE_RESP_FAILURE)
        if handle == NULL:
            reach_no_domain(v, partials)
        else:
            reach(v, EVENT_LAST_NOMEM)
        iopf_put_dev_fault_param(v, param)
        return 0
    if domain_iopf_handler(v, group) != 0:
        iopf_group_response(v, group, IOMMU_PAGE_RESP_FAILURE)
        iopf_free_group(v, group, REPORT_DEVICE_FAULT)
    return 0


cdef int iommu_report_device_fault(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil:
    """One event of a device: 0 or a negative errno as the generation gives it."""
    if iopf_unlikely(fault.type != IOMMU_FAULT_PAGE_REQ):
        reach(v, EVENT_WRONG_TYPE)
    return flow_of(v).report(v, dev, fault)
