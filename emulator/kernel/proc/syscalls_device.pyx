# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Calls about devices: bind, attach, and the fault objects of iommufd. Errors: see the modules that they call."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.pool cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.board.layout cimport USER_BUFFER
from iopf.emulator.board.objects cimport mm_struct
from iopf.emulator.board.progress cimport user_buffer
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.kernel.core.domain cimport domain_reap
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.iommufd.attach cimport *
from iopf.emulator.kernel.iommufd.eventq cimport *
from iopf.emulator.kernel.proc.syscalls cimport *
from iopf.emulator.kernel.sva.sva cimport *
from iopf.emulator.spec.classes cimport POOL_HANDLE
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.errno cimport EBADF, EFAULT, EINVAL, ENOENT, EOPNOTSUPP

cdef enum:
    FILES = 32               # fault objects in the bit mask of a task


cdef void publish_pasid(view *v, tenant *t, mm_struct *mm) noexcept nogil:
    write32(v.self, &t.pasid, read32(v.self, &mm.pasid, SVA_BIND) if mm != NULL else 0, SVA_BIND)


cdef void note_bound(view *v, tenant *t, mm_struct *mm, uint32_t dev) noexcept nogil:
    and64(v.self, &t.refused[dev >> 6], ~(<uint64_t>1 << (dev & 63)), SVA_BIND)
    publish_pasid(v, t, mm)
    or64(v.self, &t.bound[dev >> 6], <uint64_t>1 << (dev & 63), SVA_BIND)  # partner: the acquire load of the device before it sends
    bell_ring(v.self, crew_actor(v.crew, v.devices[dev].actor), SVA_BIND)


cdef int64_t sys_bind(caller *c, uint64_t *args) noexcept nogil:
    """A second bind of the same device shares the handle. One whose device was removed meanwhile is void, and made anew."""
    cdef view *v = c.v
    cdef tenant *t = c.t
    cdef files *f = c.f
    cdef uint32_t dev = <uint32_t>args[CALL_ARG]
    cdef mm_struct *mm = tenant_mm(v, t)
    cdef uint64_t handle = 0
    cdef int ret
    if mm == NULL or dev >= v.cfg.devices:
        return EFAULT
    if f.handle[dev] != 0 and pool_try(v.self, v.pools[POOL_HANDLE], f.handle[dev], SVA_BIND) == NULL:
        f.handle[dev] = f.binds[dev] = 0
    ret = iommu_sva_bind_device(v, dev, mm, &handle)
    if ret == 0:
        f.handle[dev] = handle
        f.binds[dev] += 1
        note_bound(v, t, mm, dev)
    elif f.handle[dev] == 0:
        # The device abandons what it would have sent for this address space, so no process waits for it.
        or64(v.self, &t.refused[dev >> 6], <uint64_t>1 << (dev & 63), SVA_BIND)
        bell_ring(v.self, crew_actor(v.crew, v.devices[dev].actor), SVA_BIND)
    return ret


cdef int64_t unbind_device(caller *c, uint32_t dev) noexcept nogil:
    """The driver tells its function first that the PASID is not for use any more; stop and drain follow with the last binder."""
    cdef view *v = c.v
    cdef tenant *t = c.t
    cdef files *f = c.f
    cdef uint64_t handle
    cdef int ret
    if dev >= v.cfg.devices or f.handle[dev] == 0:
        return EFAULT
    handle = f.handle[dev]
    f.binds[dev] -= 1
    if f.binds[dev] == 0:
        f.handle[dev] = 0
        and64(v.self, &t.bound[dev >> 6], ~(<uint64_t>1 << (dev & 63)), SVA_UNBIND)
    ret = iommu_sva_unbind_device(v, handle)
    if tenant_mm(v, t) != NULL:
        publish_pasid(v, t, tenant_mm(v, t))
    return ret


cdef attached *attachment(files *f, uint32_t dev, uint32_t pasid1) noexcept nogil:
    """The entry of (device, PASID + 1), or with 0 a free one; NULL when there is none."""
    cdef uint32_t i
    for i in range(16):
        if f.attachments[i].pasid1 == pasid1 and (pasid1 == 0 or f.attachments[i].dev == dev):
            return &f.attachments[i]
    return NULL


cdef int64_t sys_attach(caller *c, uint64_t *args) noexcept nogil:
    cdef view *v = c.v
    cdef uint64_t *a = args
    cdef uint32_t dev = <uint32_t>args[CALL_ARG]
    cdef attached *entry = attachment(c.f, 0, 0)
    cdef int64_t ret
    if entry == NULL or a[0] >= v.cfg.max_pasids:
        return EINVAL
    ret = iommu_attach_handle(v, dev, <uint32_t>a[0], <uint32_t>a[1], tenant_mm(v, c.t), <uint32_t>a[3])
    if ret == 0:
        entry.dev = dev
        entry.pasid1 = <uint32_t>a[0] + 1
    return ret


cdef int64_t detach_device(caller *c, uint32_t dev, uint64_t pasid) noexcept nogil:
    cdef view *v = c.v
    cdef attached *entry
    if pasid >= v.cfg.max_pasids:
        return EINVAL
    if not flow_of(v).attach_handles:
        return EOPNOTSUPP
    entry = attachment(c.f, dev, <uint32_t>pasid + 1)
    if entry == NULL:
        return ENOENT
    entry.pasid1 = 0
    return iommu_detach_handle(v, dev, <uint32_t>pasid)


cdef int64_t sys_unbind(caller *c, uint64_t *args) noexcept nogil:
    return unbind_device(c, <uint32_t>args[CALL_ARG])


cdef int64_t sys_detach(caller *c, uint64_t *args) noexcept nogil:
    return detach_device(c, <uint32_t>args[CALL_ARG], args[CALL_A])


cdef int64_t sys_replace(caller *c, uint64_t *args) noexcept nogil:
    return iommu_replace_handle(c.v, <uint32_t>args[CALL_ARG], <uint32_t>args[CALL_A], <uint32_t>args[CALL_B], tenant_mm(c.v, c.t),
                                <uint32_t>args[CALL_C])


cdef bint has_object(caller *c, uint64_t index) noexcept nogil:
    return index < FILES and c.f.fault_objects >> index & 1


cdef int64_t sys_fault_alloc(caller *c, uint64_t *args) noexcept nogil:
    """Opens a fault object."""
    cdef uint64_t index = args[CALL_ARG]
    cdef int64_t ret = fault_object_alloc(c.v, <uint32_t>index) if index < FILES else EINVAL
    if ret == 0:
        c.f.fault_objects |= <uint32_t>1 << index
    return ret


cdef int64_t close_object(caller *c, uint32_t index) noexcept nogil:
    cdef int64_t ret
    c.f.fault_objects &= ~(<uint32_t>1 << index)
    ret = fault_object_close(c.v, index)
    domain_reap(c.v)
    return ret


cdef int64_t sys_fault_close(caller *c, uint64_t *args) noexcept nogil:
    cdef uint64_t index = args[CALL_ARG]
    return close_object(c, <uint32_t>index) if has_object(c, index) else EBADF


cdef int64_t sys_fault_read(caller *c, uint64_t *args) noexcept nogil:
    """read(2) with a buffer of ``a`` bytes; ``b``: nothing can be copied there."""
    cdef uint64_t n = args[CALL_A], index = args[CALL_ARG]
    if not has_object(c, index):
        return EBADF
    if n >= USER_BUFFER:
        n = USER_BUFFER // PGFAULT_BYTES * PGFAULT_BYTES
    return iommufd_fault_read(c.v, <uint32_t>index, NULL if args[CALL_B] else user_buffer(c.v, c.index), n, &c.t.read_count)


cdef int64_t sys_fault_write(caller *c, uint64_t *args) noexcept nogil:
    """write(2) of one answer: the cookie ``c`` - 1, or with 0 the ``a``-th that reads of the object have returned."""
    cdef uint64_t given = args[CALL_C], index = args[CALL_ARG]
    cdef uint32_t cookie = <uint32_t>(given - 1 if given != 0 else args[CALL_A] + 1)
    cdef int64_t ret
    if not has_object(c, index):
        return EBADF
    ret = iommufd_fault_write(c.v, <uint32_t>index, cookie, <uint32_t>args[CALL_B])
    domain_reap(c.v)
    return ret


cdef void close_files(caller *c) noexcept nogil:
    """Bindings, attachments and fault objects go. The objects last: their faults are answered by the detach."""
    cdef uint32_t dev, i
    for dev in range(c.v.cfg.devices):
        while c.f.handle[dev] != 0:
            unbind_device(c, dev)
    for i in range(16):
        if c.f.attachments[i].pasid1 != 0:
            detach_device(c, c.f.attachments[i].dev, c.f.attachments[i].pasid1 - 1)
    for i in range(c.v.cfg.fault_objects):
        if has_object(c, i):
            close_object(c, i)
