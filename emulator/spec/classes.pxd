# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Classes of the pools and of the locks: what the rules of their use and the verdicts tell apart."""

cpdef enum:  # pool classes
    POOL_FAULT = 0
    POOL_GROUP = 1
    POOL_PARAM = 2
    POOL_HANDLE = 3
    POOL_DOMAIN = 4
    POOL_MM = 5
    POOL_TABLE = 6
    POOL_UFAULT = 7          # fault objects of iommufd
    POOL_IOASID = 8
    POOL_ALLOCATOR = 9       # registered IOASID allocators
    POOL_CLASSES = 10

cpdef enum LockClass:
    LOCK_SVA = 1             # iommu_sva_lock: bind and unbind; nests everything below
    LOCK_GROUP = 2           # iommu group mutex: the PASID array of one device
    LOCK_QUEUE = 3           # iopf_queue.lock: the devices of a queue
    LOCK_DEV_PARAM = 4       # dev->iommu->lock: the published fault_param
    LOCK_FAULT_PARAM = 5     # fault_param.lock: partial and pending lists
    LOCK_MMAP = 6            # mmap_lock: the VMAs of one mm
    LOCK_PASID = 7           # the global PASID bitmap
    LOCK_QI = 8              # the invalidation queue's tail; innermost
    LOCK_IOPF = 9            # VT-d iopf_lock: device lookup against release
    LOCK_WQ = 10             # not a lock: waiting for, and working for, a work ring
    LOCK_IOASID = 11         # the IOASID framework
    LOCK_FAULT_OBJECT = 12   # iommufd fault->mutex: read, write, close
    LOCK_DELIVER = 13        # iommufd common.lock: the deliver ring
    LOCK_DEVICE = 14         # device_lock: probe against remove; outermost
