# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Kernel objects: what lives in the pools of the board. Each begins with the header of its pool slot.

Who may touch what is said at the head of the module that owns the object: ``emulator/mm/mm.pxd`` (mm_struct, vma, table_page),
``emulator/kernel/core/group.pxd`` (iopf_fault, iopf_group, fault_param), ``emulator/kernel/sva/sva.pxd`` (attach_handle, sva_domain),
``emulator/kernel/ioasid/ioasid.pxd`` (ioasid_data, ioasid_allocator).
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.mutex cimport rmutex, rwlock
from iopf.cython_ext.pool cimport listhead, objhdr
from iopf.emulator.spec.fault cimport iommu_fault

cdef struct vma:
    uint64_t start
    uint64_t end
    uint32_t prot                # 1 read, 2 write, 4 execute
    uint32_t flags
    uint64_t pad

cdef struct mm_struct:
    objhdr hdr
    uint32_t users               # mm_users: the address space is alive
    uint32_t count               # mm_count: the structure is
    rwlock mmap_lock
    uint64_t mm_id               # generation, never repeats
    uint64_t pgd                 # reference of the root table
    uint32_t nvmas
    uint32_t pasid               # 0: none
    uint32_t tenant
    uint32_t pad0
    uint64_t domain              # SVA domain of this mm
    uint64_t rss                 # pages present, atomically
    uint64_t minor
    uint64_t major
    uint64_t changes             # that take pages or permissions away; see changes.pxd

cdef struct table_page:
    objhdr hdr
    uint64_t entries[512]
    uint64_t pad[4]

cdef struct iopf_fault:          # one cache line
    objhdr hdr
    iommu_fault fault

cdef struct iopf_group:          # two cache lines
    objhdr hdr
    uint64_t fault_param         # reference, counted
    uint64_t handle              # attach handle, not counted: valid until the drain before its free
    uint64_t domain              # v6.9 keeps the domain instead; gunthorpe counts it
    listhead faults              # the non-last requests, in order of arrival
    iommu_fault last
    uint32_t device
    uint32_t fault_count
    uint32_t pending             # on the fault_param's list
    uint32_t answered            # 1; ANSWERED_CONTAINED or ANSWERED_WITH_USER: by a removal that left it to its owner
    uint64_t queued_ticks

cdef struct fault_param:
    objhdr hdr
    rmutex lock
    uint32_t users
    uint32_t device
    listhead partial
    listhead faults
    uint64_t rcu_epoch           # set when the last reference went
    uint64_t pad[3]

cdef struct attach_handle:
    objhdr hdr
    uint64_t domain
    uint64_t mm
    uint32_t device
    uint32_t pasid
    uint32_t users
    uint32_t not_first           # the domain of its address space had a device before
    uint64_t pad[8]

cdef struct iommu_domain:
    objhdr hdr
    uint64_t mm                  # counted in mm_count; 0: no address space
    uint32_t users
    uint32_t kind                # DOMAIN_*
    uint32_t fault_object        # index + 1: faults go there
    uint32_t pending             # gunthorpe: groups whose work still looks at the domain; atomically
    uint64_t pad[9]

cdef enum:
    UFAULT_SLOTS = 512

cdef struct delivered:           # a group that user space has read and not answered
    uint64_t group
    uint32_t cookie              # 0: free
    uint32_t pad

cdef struct ufault:              # iommufd fault object
    objhdr hdr
    rmutex mutex                 # read, write, close, detach; what user space holds
    rmutex common                # the deliver ring; taken by the interrupt thread, innermost
    uint32_t index
    uint32_t users
    uint32_t open                # the descriptor is
    uint32_t head                # of the deliver ring
    uint32_t count
    uint32_t next_cookie
    uint32_t held                # groups with user space
    uint32_t pad0
    uint64_t pad[1]
    uint64_t deliver[512]
    delivered response[512]

cdef struct ioasid_data:         # one id that is given out
    objhdr hdr
    uint32_t id
    uint32_t set                 # 0: none
    uint64_t private
    uint64_t rcu_epoch           # set when it left its table
    uint32_t space               # number of the table that it is in
    uint32_t refs
    uint64_t pad[4]

cdef struct ioasid_sharer:       # one registered ioasid_allocator_ops
    uint32_t ident               # stands for the pointer to the ops; 0: the place is free
    uint32_t pad0
    uint64_t seq                 # number of the registration
    uint64_t pdata

cdef struct ioasid_allocator:    # an id space, and the ops that share it
    objhdr hdr
    uint32_t alloc_fn
    uint32_t free_fn
    uint64_t seq                 # number of the registration that made it
    uint64_t rcu_epoch           # set when it was taken off the list
    ioasid_sharer sharers[8]
    uint64_t pad
