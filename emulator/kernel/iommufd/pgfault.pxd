# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""What read() of a fault object gives for a group: one struct iommu_hwpt_pgfault per request, the last one marked.

Written by the reading task, under the mutex of the fault object; user space already holds the group.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.pool cimport list_node, objhdr
from iopf.emulator.kernel.iommufd.eventq cimport PGFAULT_BYTES, PGFAULT_LAST_PAGE, PGFAULT_PASID_VALID
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_FAULT
from iopf.emulator.board.objects cimport iopf_fault, iopf_group
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *

cdef inline void write_pgfault(char *to, uint32_t dev, iommu_fault *fault, uint32_t cookie, bint last) noexcept nogil:
    """struct iommu_hwpt_pgfault: flags, dev_id, pasid, grpid, perm, reserved (32 bit each), addr (64), length, cookie (32 each)."""
    cdef uint32_t *w = <uint32_t *>to
    w[0] = (PGFAULT_PASID_VALID if fault_pasid_valid(fault) else 0) | (PGFAULT_LAST_PAGE if last else 0)
    w[1] = dev
    w[2] = fault.pasid
    w[3] = fault.grpid
    w[4] = fault.perm
    w[5] = 0
    (<uint64_t *>(to + 24))[0] = fault.addr
    w[8] = 0
    w[9] = cookie

cdef inline uint64_t copy_group(view *v, iopf_group *group, char *to, uint32_t cookie) noexcept nogil:
    """Every request of the group, the last one marked; returns the bytes written."""
    cdef uint32_t at = group.faults.first, n = 0
    cdef objhdr *node
    while n + 1 < group.fault_count:
        node = list_node(v.self, v.pools[POOL_FAULT], &group.faults, at, FAULT_READ)
        if node == NULL:
            break
        write_pgfault(to + n * PGFAULT_BYTES, group.device, &(<iopf_fault *>node).fault, cookie, False)
        at = node.next
        n += 1
    write_pgfault(to + n * PGFAULT_BYTES, group.device, &group.last, cookie, True)
    return (n + 1) * PGFAULT_BYTES
