# cython: language_level=3, cdivision=True
"""Kernel objects: what lives in the pools of the board. Each begins with the header of its pool slot.

Who may touch what is said at the head of the module that owns the object: ``emulator/mm/mm.pxd`` (mm_struct, vma, table_page),
``emulator/kernel/iopf.pxd`` (iopf_fault, iopf_group, fault_param), ``emulator/kernel/sva.pxd`` (attach_handle, sva_domain),
``emulator/kernel/ioasid.pxd`` (ioasid_data, ioasid_allocator).
"""

from libc.stdint cimport uint32_t, uint64_t

from cython_ext.mutex cimport rmutex, rwlock
from cython_ext.pool cimport listhead, objhdr

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
    uint64_t pad[2]

cdef struct table_page:
    objhdr hdr
    uint64_t entries[512]
    uint64_t pad[4]

cdef struct fault_event:         # one request as the driver hands it to the core
    uint64_t qw0
    uint64_t qw1
    uint64_t uid
    uint64_t irq_ticks

cdef struct iopf_fault:          # one cache line
    objhdr hdr
    fault_event evt

cdef struct iopf_group:          # two cache lines
    objhdr hdr
    uint64_t fault_param         # reference, counted
    uint64_t handle              # attach handle, not counted: valid until the drain before its free
    listhead faults              # the non-last requests, in order of arrival
    fault_event last
    uint32_t device
    uint32_t fault_count
    uint32_t pending             # on the fault_param's list
    uint32_t answered
    uint64_t queued_ticks
    uint64_t pad

cdef struct fault_param:
    objhdr hdr
    rmutex lock
    uint32_t users
    uint32_t device
    listhead partial
    listhead faults
    uint64_t rcu_epoch           # set when the last reference went
    uint64_t on_queue
    uint64_t pad[2]

cdef struct attach_handle:
    objhdr hdr
    uint64_t domain
    uint64_t mm
    uint32_t device
    uint32_t pasid
    uint32_t users
    uint32_t pad0
    uint64_t pad[8]

cdef struct sva_domain:
    objhdr hdr
    uint64_t mm                  # counted in mm_count
    uint32_t users
    uint32_t pad0
    uint64_t pad[10]

cdef struct ufault:              # iommufd fault object; queue lists hold groups
    objhdr hdr
    rmutex mutex                 # read, write, close; takes fault_param.lock
    rmutex common                # the deliver list; innermost
    listhead deliver
    uint32_t device_users        # attached domains that deliver here
    uint32_t open                # the descriptor exists
    uint32_t next_cookie
    uint32_t index
    uint64_t pad[4]

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
