# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The main loops of driver processes. See ``driver.pxd``; operations: ``driver_ops.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.rcu cimport synchronize_rcu
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.proc.driver_ops cimport driver_op
from iopf.emulator.kernel.proc.settled cimport settled
from iopf.emulator.kernel.core.fault_param cimport rcu_reap
from iopf.emulator.kernel.proc.hotplug cimport *
from iopf.emulator.kernel.ioasid.space cimport ioasid_reap
from iopf.emulator.kernel.core.queue cimport iopf_queue_alloc, iopf_queue_free
from iopf.emulator.board.board cimport view
from iopf.emulator.board.devices cimport device
from iopf.emulator.board.flow cimport *
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport driver, driver_at
from iopf.emulator.spec.roles cimport ORDER_PROBE, ORDER_REMOVE, PHASE_ENDING, PHASE_RUNNING, PHASE_STOPPING
from iopf.emulator.spec.sites cimport *

cdef enum:
    SETTLE_NS = 200000


cdef void make_queues(view *v) noexcept nogil:
    """One queue for each place of the mode, on the workqueue of the same number."""
    cdef uint32_t i
    for i in range(v.cfg.queues):
        iopf_queue_alloc(v, i % v.cfg.work_rings)


cdef uint64_t hotplug_owed(void *arg) noexcept nogil:
    cdef view *v = <view *>arg
    cdef uint32_t dev, order
    for dev in range(v.cfg.devices):
        order = ld32_acq(&v.devices[dev].order)
        if not v.devices[dev].released and (order == ORDER_REMOVE or (order == ORDER_PROBE and not v.devices[dev].probed)):
            return THERE
    return ld32_acq(&v.board.phase) >= PHASE_ENDING


cdef bint hotplug_step(view *v) noexcept nogil:
    """Does one thing that is due: a probe, or a removal that the supervisor asked for; true when it did."""
    cdef uint32_t dev
    cdef device *d
    for dev in range(v.cfg.devices):
        d = &v.devices[dev]
        if ld32_acq(&d.order) == ORDER_PROBE and not d.probed and not d.released:
            d.probed = 1
            iommu_probe_device(v, dev)
            return True
        if ld32_acq(&d.order) == ORDER_REMOVE and not d.released:
            iommu_release_device(v, dev)
            st32_rel(&d.released, 1)
            return True
    return False


cdef int hotplug_main(view *v) noexcept nogil:
    """Driver 0, until PHASE_ENDING; ends with a grace period, so that nothing retired is left."""
    cdef uint32_t i
    cdef waiter w
    waiter_reset(&w)
    make_queues(v)
    while True:
        v.self.heartbeat += 1
        if hotplug_step(v):
            waiter_reset(&w)
            continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING:
            break
        wait_work(v.self, bell_of(v.self), hotplug_owed, hotplug_owed, v, NULL, HOTPLUG, &w)
    for i in range(v.cfg.queues):
        iopf_queue_free(v, i)
    synchronize_rcu(v.self, HOTPLUG)
    rcu_reap(v)
    ioasid_reap(v)
    return 0


cdef bint program_step(view *v, driver *self_driver, flow *f, uint64_t *next_ns) noexcept nogil:
    """One record; false when the program has to wait or has finished."""
    cdef uint32_t state = flow_step(v, f, PHASE_STOPPING, next_ns)
    cdef prog_op *op
    if state == FLOW_MOVED:
        return True
    if state != FLOW_OP:
        return False
    op = flow_op(v, f)
    if op.op == DO_SETTLE and not settled(v) and ld32_acq(&v.board.phase) < PHASE_STOPPING:
        if next_ns[0] > actor_clock(v.self) + SETTLE_NS:
            next_ns[0] = actor_clock(v.self) + SETTLE_NS
        return False
    point(v.self, PROGRAM_STEP << 8 | OP_LOCAL, op, ACC_LOCAL)
    flow_done(v, f, driver_op(v, op))
    st64_rel(&self_driver.ops_done, f.steps)
    return True


cdef void finish(view *v, driver *d) noexcept nogil:
    st32_rel(&d.finished, 1)
    flow_leave(v, v.self.slot)
    bell_ring(v.self, crew_actor(v.crew, 0), PROGRAM_STEP)


cdef struct program_wait:
    view *v
    driver *d
    flow f
    uint64_t next_ns


cdef bint runs(program_wait *p) noexcept nogil:
    return ld32_acq(&p.v.board.phase) >= PHASE_RUNNING and not p.d.finished


cdef uint64_t program_owed(void *arg) noexcept nogil:
    cdef program_wait *p = <program_wait *>arg
    cdef uint32_t state
    if ld32_acq(&p.v.board.phase) >= PHASE_ENDING:
        return THERE
    if not runs(p):
        return NOTHING
    state = flow_look(p.v, &p.f, PHASE_STOPPING)
    if state == FLOW_OP and flow_op(p.v, &p.f).op == DO_SETTLE:
        return ld32_acq(&p.v.board.phase) >= PHASE_STOPPING  # it polls until then: nothing rings when the system has come to rest
    return state != FLOW_BLOCKED


cdef int program_main(view *v, uint32_t index) noexcept nogil:
    """Runs one program while the system runs, then stays until the end: a kernel thread that has nothing more to do."""
    cdef driver *d = driver_at(v, index)
    cdef program_wait p
    cdef waiter w
    p.v, p.d = v, d
    flow_begin(v, &p.f, d.program, d.program_count, v.self.rng)
    waiter_reset(&w)
    while ld32_acq(&v.board.phase) < PHASE_ENDING:
        v.self.heartbeat += 1
        p.next_ns = <uint64_t>-1
        if runs(&p):
            if program_step(v, d, &p.f, &p.next_ns):
                waiter_reset(&w)
                continue
            if p.f.pc >= p.f.count:
                finish(v, d)
                continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        wait_work(v.self, bell_of(v.self), program_owed, program_owed, &p, &p.next_ns, PROGRAM_WAIT, &w)
    return 0


cdef int driver_main(view *v, uint32_t index) noexcept nogil:
    return hotplug_main(v) if index == 0 else program_main(v, index)
