# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The operations of drivers. See ``driver_ops.pxd``."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.core.copies cimport iommu_page_response_for
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.ioasid.program cimport *
from iopf.emulator.kernel.proc.hotplug cimport *
from iopf.emulator.kernel.core.queue cimport *
from iopf.emulator.kernel.core.registration cimport *
from iopf.emulator.kernel.core.report cimport iommu_report_device_fault
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_CLASSES
from iopf.emulator.board.config cimport OPTION_CONTAIN
from iopf.emulator.board.iommus cimport iommu_regs, irq_slot, regs_of, unit_of
from iopf.emulator.board.ledger cimport EVENT_REMOVE_IN_REPORT, NO_UID, reach
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.pci cimport RESP_FAILURE
from iopf.emulator.spec.errno cimport EINVAL, ENODEV, ENOMEM

cdef enum:
    NO_CODE = 0xFFFF


cdef int report_injected(view *v, prog_op *op, iommu_fault *fault) noexcept nogil:
    """Caller holds the driver's iopf_lock."""
    cdef uint32_t dev = fault.device
    cdef int ret
    v.devices[dev].kern.injected += 1
    if op.d != 0:
        v.devices[dev].reported[op.c & 511] = <uint8_t>op.d
    ret = iommu_report_device_fault(v, dev, fault)
    if ret != 0 and flow_of(v).driver_answers and (ret != ENOMEM or op.flags & FLAG_LAST):
        # No device sent it, so none waits for the driver's answer. A partial without memory is in the account.
        xadd64_rlx(&v.devices[dev].kern.rejected, 1)
    return ret


cdef uint32_t injected_perm(uint32_t flags) noexcept nogil:
    """A request asks for something: read when the line says nothing."""
    cdef uint32_t perm = flags & (FLAG_READ | FLAG_WRITE)
    if perm == 0:
        perm = IOMMU_FAULT_PERM_READ
    if not flags & FLAG_RID:
        perm |= (IOMMU_FAULT_PERM_EXEC if flags & FLAG_EXEC else 0) | (IOMMU_FAULT_PERM_PRIV if flags & FLAG_PRIV else 0)
    return perm


cdef int64_t op_report(view *v, prog_op *op) noexcept nogil:
    """An event that no hardware has sent, as the selftest's trigger makes it."""
    cdef uint32_t dev = op.arg, pasid = <uint32_t>op.b
    cdef iommu_regs *regs
    cdef iommu_fault fault
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    regs = regs_of(v, dev)
    fault.type = <uint32_t>(op.c >> 16) & 15
    fault.flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE if op.flags & FLAG_LAST else 0
    fault.pasid = 0
    if not op.flags & FLAG_RID:
        fault.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID | IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID
        fault.pasid = pasid & 0xFFFFF
    fault.grpid = <uint32_t>op.c & 511
    fault.perm = injected_perm(op.flags)
    fault.device = dev
    fault.addr = op.a & ~<uint64_t>0xFFF
    fault.uid = NO_UID
    fault.stamp = stamp_of(crew_ticks(v.crew), 0)
    # The driver that injects is the one that would remove the device, so it does not do both at once; hardware is fenced by a release.
    mutex_lock(v.self, &v.devices[dev].device_lock, REPORT_DEVICE_FAULT)
    mutex_lock(v.self, &regs.iopf_lock, REPORT_DEVICE_FAULT)
    ret = report_injected(v, op, &fault) if v.devices[dev].registered else ENODEV
    mutex_unlock(v.self, &regs.iopf_lock, REPORT_DEVICE_FAULT)
    mutex_unlock(v.self, &v.devices[dev].device_lock, REPORT_DEVICE_FAULT)
    return ret


cdef void wake_held(view *v) noexcept nogil:
    ec_notify(v.self, &v.board.hold_bell, 0x7FFFFFFF, HELD)
    ec_notify(v.self, &work_ring(v, 0).bell, 0x7FFFFFFF, HELD)


cdef int64_t op_queue_remove(view *v, prog_op *op) noexcept nogil:
    """iopf_queue_remove_device without the drain that its contract asks for. A report that runs against it leaves its request on an
    object that is no longer read; OPTION_CONTAIN serialises the two, so that the account of the device stays right, and counts."""
    cdef uint32_t dev = op.arg
    cdef iommu_regs *regs
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    regs = regs_of(v, dev)
    if v.cfg.options & OPTION_CONTAIN:
        if mutex_owner(&regs.iopf_lock) == irq_slot(v, unit_of(v, dev)) + 1:
            reach(v, EVENT_REMOVE_IN_REPORT)
        mutex_lock(v.self, &regs.iopf_lock, QUEUE_REMOVE_DEVICE)
    ret = iopf_queue_remove_device(v, device_queue(v, dev), dev)
    if v.cfg.options & OPTION_CONTAIN:
        mutex_unlock(v.self, &regs.iopf_lock, QUEUE_REMOVE_DEVICE)
    return ret


cdef uint32_t page_response_code(uint32_t code) noexcept nogil:
    """Programs name the codes of PCIe; others are no code of the kernel."""
    if code == RESP_FAILURE:
        return IOMMU_PAGE_RESP_FAILURE
    return code if code <= IOMMU_PAGE_RESP_INVALID else NO_CODE


cdef int64_t op_respond(view *v, prog_op *op) noexcept nogil:
    """A response without a group. Since v6.9 there is no such call: -EINVAL."""
    if not flow_of(v).registers_handler:
        return EINVAL
    return iommu_page_response_for(v, op.arg, <uint32_t>op.a, True, <uint32_t>op.b & 511, page_response_code(<uint32_t>op.c), NULL)


cdef int64_t op_drain(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    cdef uint64_t pasid = op.a
    if dev >= v.cfg.devices or pasid >= v.cfg.max_pasids:
        return ENODEV
    ops_of(v).drain(v, dev, <uint32_t>pasid)
    return 0


cdef int64_t op_recover(view *v, prog_op *op) noexcept nogil:
    """What a driver does after Response Failure: the function is reset and set up anew. 0 also when nothing has failed."""
    cdef uint32_t dev = op.arg
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    if not read32(v.self, &v.devices[dev].dev.failed, PROGRAM_STEP):
        return 0
    ret = iommu_release_device(v, dev)
    return iommu_probe_device(v, dev) if ret == 0 else ret


cdef int64_t op_unplug(view *v, prog_op *op) noexcept nogil:
    """Surprise removal: the link goes down, every actor that may wait for the function is rung. Kernel objects stay until a remove."""
    cdef uint32_t slot, dev = op.arg
    if dev >= v.cfg.devices:
        return ENODEV
    write32(v.self, &v.devices[dev].link_up, 0, RELEASE_DEVICE)
    for slot in range(1, v.crew.actors):
        if slot != v.self.slot:
            bell_ring(v.self, crew_actor(v.crew, slot), RELEASE_DEVICE)
    return 0


cdef int64_t op_plug(view *v, prog_op *op) noexcept nogil:
    return iommu_probe_device(v, op.arg)


cdef int64_t op_remove(view *v, prog_op *op) noexcept nogil:
    return iommu_release_device(v, op.arg)


cdef int64_t op_queue_add(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    return iopf_queue_add_device(v, device_queue(v, dev), dev) if dev < v.cfg.devices else ENODEV


cdef int64_t op_register(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    return iommu_register_device_fault_handler(v, dev) if dev < v.cfg.devices else ENODEV


cdef int64_t op_unregister(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    return iommu_unregister_device_fault_handler(v, dev) if dev < v.cfg.devices else ENODEV


cdef int64_t op_flush(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    return iopf_queue_flush_dev(v, dev) if dev < v.cfg.devices else ENODEV


cdef int64_t op_discard(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t dev = op.arg
    return iopf_queue_discard_partial(v, device_queue(v, dev)) if dev < v.cfg.devices else ENODEV


cdef int64_t op_fail(view *v, prog_op *op) noexcept nogil:
    cdef uint32_t which = op.arg
    if which >= POOL_CLASSES:
        return EINVAL
    write32(v.self, &v.pools[which].fail_nth, <uint32_t>op.a, PROGRAM_STEP)
    return 0


cdef int64_t op_refuse(view *v, prog_op *op) noexcept nogil:
    add32(v.self, &v.board.refuse, <uint32_t>op.a, PROGRAM_STEP)
    return 0


cdef int64_t op_hold(view *v, prog_op *op) noexcept nogil:
    or32(v.self, &v.board.hold, op.arg, PROGRAM_STEP)
    return 0


cdef int64_t op_let_go(view *v, prog_op *op) noexcept nogil:
    and32(v.self, &v.board.hold, ~op.arg, PROGRAM_STEP)
    wake_held(v)
    return 0


cdef int64_t op_settle(view *v, prog_op *op) noexcept nogil:
    """The driver's program waits before it comes here."""
    return 0


cdef driver_call CALLS[OPERATIONS]

CALLS[DO_PLUG] = op_plug
CALLS[DO_REMOVE] = op_remove
CALLS[DO_QUEUE_ADD] = op_queue_add
CALLS[DO_QUEUE_REMOVE] = op_queue_remove
CALLS[DO_REGISTER] = op_register
CALLS[DO_UNREGISTER] = op_unregister
CALLS[DO_FLUSH] = op_flush
CALLS[DO_DISCARD] = op_discard
CALLS[DO_REPORT] = op_report
CALLS[DO_FAIL] = op_fail
CALLS[DO_REFUSE] = op_refuse
CALLS[DO_HOLD] = op_hold
CALLS[DO_LET_GO] = op_let_go
CALLS[DO_SETTLE] = op_settle
CALLS[DO_RESPOND] = op_respond
CALLS[DO_DRAIN] = op_drain
CALLS[DO_RECOVER] = op_recover
CALLS[DO_UNPLUG] = op_unplug
CALLS[DO_IOASID_REGISTER] = op_ioasid_register
CALLS[DO_IOASID_UNREGISTER] = op_ioasid_unregister
CALLS[DO_IOASID_ALLOC] = op_ioasid_alloc
CALLS[DO_IOASID_FIND] = op_ioasid_find
CALLS[DO_IOASID_SET] = op_ioasid_set
CALLS[DO_IOASID_FREE] = op_ioasid_free
CALLS[DO_IOASID_FAIL] = op_ioasid_fail


cdef int64_t driver_op(view *v, prog_op *op) noexcept nogil:
    """One operation; -EINVAL for a number that is none of a driver's."""
    cdef uint32_t number = op.op
    return CALLS[number](v, op) if number < OPERATIONS and CALLS[number] != NULL else EINVAL


def operations() -> list:
    """The numbers that have a function."""
    return [op for op in range(OPERATIONS) if CALLS[op] != NULL]
