# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The operations of drivers. What they are stands in ``driver_ops.pxd``."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport linkhdr
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.wait cimport *
from iopf.cython_ext.work_ring cimport *
from iopf.emulator.kernel.core.copies cimport iommu_page_response_for
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.iommu_ops cimport ops_of
from iopf.emulator.kernel.proc.hotplug cimport *
from iopf.emulator.kernel.core.queue cimport *
from iopf.emulator.kernel.core.registration cimport *
from iopf.emulator.kernel.core.report cimport iommu_report_device_fault
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport POOL_CLASSES
from iopf.emulator.board.config cimport OPTION_CONTAIN
from iopf.emulator.board.iommus cimport iommu_regs, irq_slot, regs_of, unit_of
from iopf.emulator.board.ledger cimport EVENT_REMOVE_IN_REPORT, NO_UID, reach
from iopf.emulator.board.links cimport downlink, uplink
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.queues cimport work_ring
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.pci cimport RESP_FAILURE

cdef enum:
    ENOMEM = -12
    ENODEV = -19
    EINVAL = -22


cdef int report_injected(view *v, prog_op *op, iommu_fault *fault) noexcept nogil:
    """Caller holds the driver's iopf_lock."""
    cdef uint32_t dev = op.arg
    cdef int ret
    v.devices[dev].kern.injected += 1
    if op.d != 0:
        v.devices[dev].reported[op.c & 511] = <uint8_t>op.d
    ret = iommu_report_device_fault(v, dev, fault)
    if ret != 0 and flow_of(v).driver_answers and (ret != ENOMEM or op.flags & FLAG_LAST):
        # Nobody sent it, so nobody waits for the driver's answer. A partial without memory is in the books.
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


cdef int64_t inject_event(view *v, prog_op *op) noexcept nogil:
    """An event that no hardware has sent, as the selftest's trigger makes it."""
    cdef uint32_t dev = op.arg, pasid = <uint32_t>op.b
    cdef iommu_regs *regs
    cdef iommu_fault fault
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    regs = regs_of(v, dev)
    fault.type = <uint32_t>(op.c >> 16) & 0xFFFF
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


cdef int64_t remove_naked(view *v, uint32_t dev) noexcept nogil:
    """iopf_queue_remove_device without the drain that its contract asks for. A report that runs against it leaves its request on an
    object that nobody looks at any more; OPTION_CONTAIN keeps them apart, so that the books of the device stay right, and counts."""
    cdef iommu_regs *regs = regs_of(v, dev)
    cdef int ret
    if v.cfg.options & OPTION_CONTAIN:
        if mutex_owner(&regs.iopf_lock) == irq_slot(v, unit_of(v, dev)) + 1:
            reach(v, EVENT_REMOVE_IN_REPORT)
        mutex_lock(v.self, &regs.iopf_lock, QUEUE_REMOVE_DEVICE)
    ret = iopf_queue_remove_device(v, device_queue(v, dev), dev)
    if v.cfg.options & OPTION_CONTAIN:
        mutex_unlock(v.self, &regs.iopf_lock, QUEUE_REMOVE_DEVICE)
    return ret


cdef int64_t queue_call(view *v, prog_op *op) noexcept nogil:
    """The functions of the queue interface."""
    cdef uint32_t dev = op.arg
    if dev >= v.cfg.devices:
        return ENODEV
    if op.op == DO_QUEUE_ADD:
        return iopf_queue_add_device(v, device_queue(v, dev), dev)
    if op.op == DO_QUEUE_REMOVE:
        return remove_naked(v, dev)
    if op.op == DO_REGISTER:
        return iommu_register_device_fault_handler(v, dev)
    if op.op == DO_UNREGISTER:
        return iommu_unregister_device_fault_handler(v, dev)
    if op.op == DO_FLUSH:
        return iopf_queue_flush_dev(v, dev)
    return iopf_queue_discard_partial(v, device_queue(v, dev))


cdef uint32_t page_response_code(uint32_t code) noexcept nogil:
    """Programs name the codes of PCIe."""
    return IOMMU_PAGE_RESP_FAILURE if code == RESP_FAILURE else code


cdef int64_t respond_by_hand(view *v, prog_op *op) noexcept nogil:
    """A response without a group. Since v6.9 there is no such call: -EINVAL."""
    if not flow_of(v).registers_handler:
        return EINVAL
    return iommu_page_response_for(v, op.arg, <uint32_t>op.a, True, <uint32_t>op.b & 511, page_response_code(<uint32_t>op.c), NULL)


cdef int64_t drain(view *v, prog_op *op) noexcept nogil:
    if op.arg >= v.cfg.devices or op.a >= v.cfg.max_pasids:
        return ENODEV
    ops_of(v).drain(v, op.arg, <uint32_t>op.a)
    return 0


cdef int64_t recover(view *v, uint32_t dev) noexcept nogil:
    """What a driver does after Response Failure: the function is reset and set up anew. 0 also when nothing has failed."""
    cdef int ret
    if dev >= v.cfg.devices:
        return ENODEV
    if not read32(v.self, &v.devices[dev].dev.failed, PROGRAM_STEP):
        return 0
    ret = iommu_release_device(v, dev)
    return iommu_probe_device(v, dev) if ret == 0 else ret


cdef int64_t unplug(view *v, uint32_t dev) noexcept nogil:
    """Surprise removal: the link goes down, and everybody who may wait for the function is rung. Its kernel objects stay until a remove."""
    cdef uint32_t slot
    if dev >= v.cfg.devices:
        return ENODEV
    write32(v.self, &v.devices[dev].link_up, 0, RELEASE_DEVICE)
    for slot in range(1, v.crew.actors):
        if slot != v.self.slot:
            bell_ring(v.self, crew_actor(v.crew, slot), RELEASE_DEVICE)
    return 0


cdef int64_t driver_op(view *v, prog_op *op) noexcept nogil:
    if op.op == DO_PLUG:
        return iommu_probe_device(v, op.arg)
    if op.op == DO_REMOVE:
        return iommu_release_device(v, op.arg)
    if op.op == DO_UNPLUG:
        return unplug(v, op.arg)
    if op.op == DO_RECOVER:
        return recover(v, op.arg)
    if DO_QUEUE_ADD <= op.op <= DO_DISCARD:
        return queue_call(v, op)
    if op.op == DO_REPORT:
        return inject_event(v, op)
    if op.op == DO_FAIL:
        if op.arg >= POOL_CLASSES:
            return EINVAL
        write32(v.self, &v.pools[op.arg].fail_nth, <uint32_t>op.a, PROGRAM_STEP)
    elif op.op == DO_REFUSE:
        add32(v.self, &v.board.refuse, <uint32_t>op.a, PROGRAM_STEP)
    elif op.op == DO_HOLD:
        or32(v.self, &v.board.hold, op.arg, PROGRAM_STEP)
    elif op.op == DO_LET_GO:
        and32(v.self, &v.board.hold, ~op.arg, PROGRAM_STEP)
        wake_held(v)
    elif op.op == DO_RESPOND:
        return respond_by_hand(v, op)
    elif op.op == DO_DRAIN:
        return drain(v, op)
    elif op.op != DO_SETTLE:
        return EINVAL
    return 0


cdef bint link_empty(char *link) noexcept nogil:
    cdef linkhdr *hdr = <linkhdr *>link
    return ld64_acq(&hdr.head) == ld64_acq(&hdr.tail)


cdef uint64_t device_sum(view *v) noexcept nogil:
    """Grows with everything that devices do."""
    cdef uint64_t sum = 0
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        sum += ld64_acq(&v.devices[dev].dev.sent) + v.devices[dev].dev.groups_done + v.devices[dev].dev.unexpected
    return sum


cdef bint units_still(view *v) noexcept nogil:
    """No request under way in the hardware, and none in its queue unless the interrupt threads are held."""
    cdef uint32_t unit
    cdef bint held = (ld32_acq(&v.board.hold) & HOLD_IRQ) != 0
    for unit in range(v.cfg.units):
        if not ops_of(v).idle(v, unit, held):
            return False
    return True


cdef bint work_still(view *v) noexcept nogil:
    cdef uint32_t i
    if ld32_acq(&v.board.hold) & HOLD_WORKERS:
        return True
    for i in range(v.cfg.work_rings):
        if not work_ring_idle(work_ring(v, i)):
            return False
    return True


cdef bint work_ring_idle(workring *r) noexcept nogil:
    """Nothing queued and nothing being worked on. The tail may lag behind a push that has returned: the slot says."""
    cdef uint64_t tail = ld64_acq(&r.tail), word = ld64_acq(&work_slot(r, tail).word)
    return ld64_acq(&r.floor) == tail and (word >> 20 != tail or word & 15 == WORK_FREE)


cdef bint links_still(view *v) noexcept nogil:
    """Everything on the links has been taken, and no device is about to ask again."""
    cdef uint32_t dev
    for dev in range(v.cfg.devices):
        if not read32(v.self, &v.devices[dev].link_up, PROGRAM_STEP):
            continue
        if not link_empty(uplink(v, dev)) or not link_empty(downlink(v, dev)) or ld64_acq(&v.devices[dev].dev.retry_groups):
            return False
    return True


cdef bint settled(view *v) noexcept nogil:
    """Nothing moves any more, except what is held. Looked at from the devices to the workers and back, so what moved meanwhile shows."""
    cdef uint64_t before = device_sum(v)
    return (links_still(v) and units_still(v) and work_still(v) and units_still(v) and links_still(v) and device_sum(v) == before
            and work_still(v))
