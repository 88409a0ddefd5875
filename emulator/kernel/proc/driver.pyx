# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The main loops of driver processes. The division of work stands in ``driver.pxd``, the operations in ``driver_ops.pxd``."""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.rcu cimport synchronize_rcu
from iopf.cython_ext.wait cimport *
from iopf.emulator.kernel.proc.driver_ops cimport driver_op, settled
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
    IDLE_NS = 400000000
    SETTLE_NS = 200000


cdef void make_queues(view *v) noexcept nogil:
    """One queue for each place of the mode, on the workqueue of the same number."""
    cdef uint32_t i
    for i in range(v.cfg.queues):
        iopf_queue_alloc(v, i % v.cfg.work_rings)


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
    cdef uint32_t key, i
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
        key = ec_prepare(v.self, bell_of(v.self), HOTPLUG)
        if hotplug_step(v) or ld32_acq(&v.board.phase) >= PHASE_ENDING:
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        waiter_sleep(v.self, bell_of(v.self), key, IDLE_NS, HOTPLUG, &w)
    for i in range(v.cfg.queues):
        iopf_queue_free(v, i)
    synchronize_rcu(v.self, HOTPLUG)
    rcu_reap(v)
    ioasid_reap(v)
    return 0


cdef bint program_step(view *v, driver *self_driver, flow *f, uint64_t *next_ns) noexcept nogil:
    """One record; false when the program has to wait or is over."""
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


cdef int program_main(view *v, uint32_t index) noexcept nogil:
    """Runs one program while the system runs, then stays until the end: a kernel thread that has nothing more to do."""
    cdef driver *d = driver_at(v, index)
    cdef flow f
    cdef uint64_t next_ns, now
    cdef uint32_t key
    cdef waiter w
    flow_begin(&f, d.program, d.program_count, v.self.rng)
    waiter_reset(&w)
    while ld32_acq(&v.board.phase) < PHASE_ENDING:
        v.self.heartbeat += 1
        next_ns = <uint64_t>-1
        if ld32_acq(&v.board.phase) >= PHASE_RUNNING and not d.finished:
            if program_step(v, d, &f, &next_ns):
                waiter_reset(&w)
                continue
            if f.pc >= f.count:
                finish(v, d)
                continue
        if waiter_spin(v.self, &w):
            continue
        rcu_reap(v)
        key = ec_prepare(v.self, bell_of(v.self), PROGRAM_WAIT)
        if ld32_acq(&v.board.phase) >= PHASE_ENDING or (
                ld32_acq(&v.board.phase) >= PHASE_RUNNING and not d.finished and program_step(v, d, &f, &next_ns)):
            ec_cancel(v.self, bell_of(v.self), key)
            continue
        now = actor_clock(v.self)
        next_ns = next_ns - now if next_ns > now else 1
        ec_sleep(v.self, bell_of(v.self), key, timed_ns(v.self, next_ns, IDLE_NS), PROGRAM_WAIT)
    return 0


cdef int driver_main(view *v, uint32_t index) noexcept nogil:
    return hotplug_main(v) if index == 0 else program_main(v, index)
