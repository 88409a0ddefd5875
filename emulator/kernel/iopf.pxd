# cython: language_level=3, cdivision=True
"""The I/O page fault core as of v7.2: report, group, response, and the queue of devices.

Objects and owners (spec/kernel.md 1.5 to 1.8b)
    fault_param    one per device on the queue; published in the device and read under RCU; counts: 1 published, 1 per group,
                   1 per getter; freed after a grace period
    iopf_fault     a copy of a non-last request; on ``partial``, then on its group's list; freed with the group, at overflow or removal
    iopf_group     made by the IRQ thread for a last request; on ``faults`` (pending) until answered; owned by the worker once queued
    attach handle  found by PASID, not counted: whoever detaches drains first

Lock order: queue_lock > param_lock > fault_param.lock > qi_lock. No core lock is held while the handler of a group is called.
The worker takes fault_param.lock only to answer. A flush is called without any of these locks.

    operation            may run against
    report (one device)  response, flush, getters; not: report of the same device, discard (both are the IRQ thread's)
    response             report, response of other groups, discard
    remove_device        nothing of the same device: the driver has stopped the source and drained (its contract)
    discard_partial      response, flush
"""

from libc.stdint cimport uint32_t, uint64_t

from emulator.spec.board cimport *

cdef fault_param *iopf_get_dev_fault_param(view *v, uint32_t dev) noexcept nogil
cdef void iopf_put_dev_fault_param(view *v, fault_param *param) noexcept nogil
cdef int iommu_report_device_fault(view *v, uint32_t dev, fault_event *evt) noexcept nogil
cdef void iopf_error_response(view *v, uint32_t dev, fault_event *evt) noexcept nogil
cdef void iopf_group_response(view *v, iopf_group *group, uint32_t code) noexcept nogil
cdef void iopf_free_group(view *v, iopf_group *group) noexcept nogil
cdef void free_partials(view *v, uint32_t dev, fault_param *param, uint32_t fate, uint32_t site) noexcept nogil
cdef void rcu_reap(view *v) noexcept nogil
cdef void kern_fate(view *v, uint32_t dev, uint64_t qw1, uint64_t uid, uint32_t fate) noexcept nogil
