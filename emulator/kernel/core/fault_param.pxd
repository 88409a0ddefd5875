# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The per-device object of the fault path: who keeps it, and how it is found.

    v5.13 to v6.8   two objects under dev->iommu->lock (``param_lock``): ``fault_param``, made by registering a fault handler, keeps the
                    copies of last requests that wait for a response; ``iopf_param``, made by adding the device to a queue, keeps the
                    partials. Neither is counted: a user holds the lock, or is drained before they are freed.
    v6.9 and later  one object with a count, published in the device and read under RCU (a74c077b9021): 1 published, 1 per group,
                    1 per getter; freed after a grace period.
    gunthorpe       the same, made by the first fault (step 2 of the mail of 2023-11-15): compare-and-swap, no lock.

    device.fault_param   written under param_lock (gunthorpe: compare-and-swap); read under RCU or under the lock
    users                any holder of a reference, atomically
    rcu_retired          a chain of retired objects, by compare-and-swap; ``rcu_reap`` may run in any process
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.emulator.board.board cimport view
from iopf.emulator.board.objects cimport fault_param

cdef fault_param *param_alloc(view *v, uint32_t dev, uint32_t site) noexcept nogil
cdef fault_param *iopf_get_dev_fault_param(view *v, uint32_t dev) noexcept nogil
cdef fault_param *iopf_get_or_make_fault_param(view *v, uint32_t dev) noexcept nogil
cdef void iopf_put_dev_fault_param(view *v, fault_param *param) noexcept nogil
cdef void put_fault_param(view *v, fault_param *param) noexcept nogil
cdef void rcu_reap(view *v) noexcept nogil
