# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""``kernel_flow``: what differs between the generations of the kernel. ``kernel/flows.pyx`` has a row for each.

Functions that every generation has, with its own behaviour:

    report              one request of a device; 0 or a negative errno. IRQ thread, under the driver's iopf_lock
    find_mm             the address space of a group with a user taken, or NULL and the event of the fate table
    respond             the worker's answer to a group
    may_respond         whether a response to a group acts now. Caller holds fault_param.lock
    remove_device       takes a device off its queue. Caller holds queue.lock and param_lock
    flush               iopf_queue_flush_dev
    end_faults          after a translation has changed: no worker uses the old handle when it returns. Caller holds group_lock
    auto_respond        answers what user space still holds of a handle that goes. Caller holds group_lock
    pasid_get           the PASID of an mm for one more bond; 0 or a negative errno. Caller holds sva_lock
    pasid_put           a bond that is gone releases it. Caller holds sva_lock
    pasid_end           the structure of the mm is freed

Flags:

    registers_handler     a driver registers a fault handler; the copy of a last request waits for its response (two objects, no count)
    driver_answers        an error of the report is answered by the driver
    refuses_rid           the driver of the IOMMU refuses requests without PASID
    attach_handles        attach handles, fault objects of user space
    enabled_by_attach     a device is on its queue while a domain with a handler is attached
    drains_by_attach      a drain looks whether such a domain is attached, not whether PRI is on
    remove_frees          removal frees the pending groups it answers
    user_owns             a group that is delivered to user space leaves the pending list
    release_domain        removal attaches the static release domain first
    counts_domain         a group counts in its domain, which is freed when the count is 0; report and attach take param_lock for it
    made_by_fault         the first fault makes the fault_param of a device; no queue is needed
    acknowledges          answers pending groups where others drain, and marks them
    extra_dtlb_flush      functions that complete an invalidation before their posted writes get a second one (e65a6897be5e)
"""

from libc.stdint cimport uint32_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport attach_handle, fault_param, iommu_domain, iopf_group, mm_struct
from iopf.emulator.board.queues cimport iopf_queue
from iopf.emulator.spec.fault cimport iommu_fault

cdef struct kernel_flow:
    int (*report)(view *v, uint32_t dev, iommu_fault *fault) noexcept nogil
    mm_struct *(*find_mm)(view *v, iopf_group *group, uint32_t *event) noexcept nogil
    void (*respond)(view *v, iopf_group *group, uint32_t code) noexcept nogil
    bint (*may_respond)(view *v, iopf_group *group) noexcept nogil
    int (*remove_device)(view *v, iopf_queue *q, uint32_t queue, uint32_t dev) noexcept nogil
    int (*flush)(view *v, uint32_t dev) noexcept nogil
    void (*end_faults)(view *v, uint32_t dev, uint32_t pasid, iommu_domain *domain) noexcept nogil
    void (*auto_respond)(view *v, attach_handle *old, iommu_domain *domain) noexcept nogil
    int (*pasid_get)(view *v, uint32_t dev, mm_struct *mm) noexcept nogil
    void (*pasid_put)(view *v, mm_struct *mm) noexcept nogil
    void (*pasid_end)(view *v, mm_struct *mm) noexcept nogil
    bint registers_handler
    bint driver_answers
    bint refuses_rid
    bint attach_handles
    bint enabled_by_attach
    bint drains_by_attach
    bint remove_frees
    bint user_owns
    bint release_domain
    bint counts_domain
    bint made_by_fault
    bint acknowledges
    bint extra_dtlb_flush

cdef inline const kernel_flow *flow_of(view *v) noexcept nogil:
    return <const kernel_flow *>v.flow
