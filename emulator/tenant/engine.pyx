# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The user half of a tenant: runs its program, one operation after the other, by system calls to its task.

    ops_done       this process, after each operation (release); devices read it (acquire) before they send what comes after
    gate_waiting   this process, while it waits at a gate; devices ring its bell then
    box            this process posts, its task answers (``emulator/kernel/proc/task.pxd``)
A gate is passed when the tenant's devices have finished as many of its groups as the program says. A device that died counts for every
group that it would have had to finish by then.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport private_alloc, view
from iopf.emulator.board.flow cimport *
from iopf.emulator.board.layout cimport GROUP_MAX, USER_BUFFER
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport done_count, user_buffer
from iopf.emulator.spec.roles cimport PHASE_RELEASING, PHASE_RUNNING, PHASE_STOPPING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.board.tenants cimport syscall_box, tenant
from iopf.emulator.spec.errno cimport EINVAL

cdef enum:
    BOX_IDLE = 0
    BOX_POSTED = 1
    BOX_DONE = 2
    WORK_FAILURES = 0        # actor.work: failed operations, errno of the first, its place in the program
    WORK_FIRST_ERROR = 1
    WORK_FIRST_OP = 2
    SERVE_POLL_MS = 100
    PGFAULT_BYTES = 40           # struct iommu_hwpt_pgfault
    PGFAULT_LAST_PAGE = 2


cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    enum:
        POLLIN
    int poll(pollfd *fds, unsigned long n, int timeout_ms)


cdef struct runner:
    view *v
    tenant *t
    uint32_t index
    uint64_t program_first[256]      # of each device, for the gates of dead ones
    uint64_t program_count[256]


cdef bint releasing(runner *r) noexcept nogil:
    return ld32_acq(&r.v.board.phase) >= PHASE_RELEASING


cdef uint64_t released(void *r) noexcept nogil:
    return releasing(<runner *>r)


cdef uint64_t answered(void *r) noexcept nogil:
    return read32((<runner *>r).v.self, &(<runner *>r).t.box.state, TENANT_SYSCALL) == BOX_DONE


cdef int64_t syscall_to_task(runner *r, uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4) noexcept nogil:
    """Posts one call and waits for its result. The task always answers; the wait is diagnosed by the supervisor."""
    cdef syscall_box *box = &r.t.box
    cdef int64_t ret
    box.op = op
    box.args[0] = a0
    box.args[1] = a1
    box.args[2] = a2
    box.args[3] = a3
    box.args[4] = a4
    write32(r.v.self, &box.state, BOX_POSTED, TENANT_SYSCALL)
    bell_ring(r.v.self, crew_actor(r.v.crew, r.t.task), TENANT_SYSCALL)
    wait_until(r.v.self, bell_of(r.v.self), answered, r, <uint64_t>-1, TENANT_SYSCALL)
    ret = box.ret
    write32(r.v.self, &box.state, BOX_IDLE, TENANT_SYSCALL)
    return ret


cdef uint64_t owed_by(runner *r, uint32_t dev, uint64_t at) noexcept nogil:
    """Groups of this tenant that device ``dev`` would have sent by operation ``at`` of the tenant's program."""
    cdef prog_op *op = program(r.v, r.program_first[dev])
    cdef uint64_t i, n = 0
    for i in range(r.program_count[dev]):
        if op[i].op == DO_REQUEST and op[i].flags & FLAG_LAST and op[i].arg == r.index and op[i].b <= at:
            n += 1
    return n


cdef bint gate_open(runner *r, uint64_t groups, uint64_t at) noexcept nogil:
    cdef uint64_t sum = 0, done
    cdef uint32_t dev
    for dev in range(r.v.cfg.devices):
        if not (r.t.devices[dev >> 6] >> (dev & 63)) & 1:
            continue
        done = read64(r.v.self, done_count(r.v, dev, r.index), TENANT_GATE)
        if not read32(r.v.self, &r.v.devices[dev].link_up, TENANT_GATE) or read32(r.v.self, &r.v.devices[dev].dev.failed, TENANT_GATE):
            done = owed_by(r, dev, at)
        sum += done
    return sum >= groups


cdef bint devices_stopped(runner *r) noexcept nogil:
    cdef uint32_t dev
    for dev in range(r.v.cfg.devices):
        if (r.t.devices[dev >> 6] >> (dev & 63)) & 1 and not read32(r.v.self, &r.v.devices[dev].dev.stopped, TENANT_GATE):
            if read32(r.v.self, &r.v.devices[dev].link_up, TENANT_GATE):
                return False
    return True


cdef bint may_pass(runner *r, prog_op *op, uint64_t at) noexcept nogil:
    if releasing(r):
        return True
    if op.op == DO_GATE:
        return gate_open(r, op.a, at)
    if op.op == DO_WAIT_FORK:
        return read32(r.v.self, &r.t.started, TENANT_GATE) != 0
    return devices_stopped(r)


cdef struct gate_wait:
    runner *r
    prog_op *op
    uint64_t at


cdef uint64_t gate_passable(void *arg) noexcept nogil:
    cdef gate_wait *g = <gate_wait *>arg
    return may_pass(g.r, g.op, g.at)


cdef int64_t wait_for(runner *r, prog_op *op, uint64_t at) noexcept nogil:
    """Gates, the fork of this tenant, and the end of its devices' work."""
    cdef gate_wait g
    g.r, g.op, g.at = r, op, at
    if op.op == DO_GATE:
        # Only a gate depends on single groups; a fork and the end of a device's work ring by themselves.
        write32(r.v.self, &r.t.gate_waiting, 1, TENANT_GATE)
        fence_at(r.v.self, TENANT_GATE)  # partner: the fence in group_done, after the count
    wait_until(r.v.self, bell_of(r.v.self), gate_passable, &g, <uint64_t>-1, TENANT_GATE)
    write32(r.v.self, &r.t.gate_waiting, 0, TENANT_GATE)
    return 0


cdef bint wait_readable(runner *r, uint32_t index) noexcept nogil:
    """Waits until the fault object can be read, as a VMM does; false when the run ends first."""
    cdef pollfd p
    p.fd = r.v.board.fault_fd[index]
    p.events = POLLIN
    while ld32_acq(&r.v.board.phase) < PHASE_STOPPING:
        r.v.self.heartbeat += 1
        point(r.v.self, TENANT_GATE << 8 | OP_BELL_SLEEP, &r.t.read_count, ACC_WAIT)
        p.revents = 0
        if poll(&p, 1, SERVE_POLL_MS) > 0 and p.revents & POLLIN:
            return True
    return False


cdef int64_t answer_one(runner *r, uint32_t index, char *at, uint32_t code) noexcept nogil:
    """A VMM's work for one request that is the last of its group: resolve the page in its own memory, then answer."""
    cdef uint32_t *w = <uint32_t *>at
    cdef uint64_t address = (<uint64_t *>(at + 24))[0]
    if code == 0 and syscall_to_task(r, DO_TOUCH, address, address + 4096, w[4] & 7, 0, 0) != 0:
        code = 1
    if not w[0] & PGFAULT_LAST_PAGE:
        return 0
    return syscall_to_task(r, DO_FAULT_WRITE, 0, code, index, w[9] + 1, 0)


cdef int64_t serve(runner *r, prog_op *op, uint64_t at_op) noexcept nogil:
    """Answers ``a`` groups of a fault object: 0, or the error of a read or write."""
    cdef uint32_t index = op.arg
    cdef uint64_t served = 0
    cdef int64_t got, at, ret
    if index >= r.v.cfg.fault_objects:
        return EINVAL
    while served < op.a and wait_readable(r, index):
        got = syscall_to_task(r, DO_FAULT_READ, PGFAULT_BYTES * GROUP_MAX, 0, index, 0, 0)
        if got < 0:
            return got
        at = 0
        while at < got and at + PGFAULT_BYTES <= USER_BUFFER:
            ret = answer_one(r, index, user_buffer(r.v, r.index) + at, <uint32_t>op.b)
            if ret < 0:
                return ret
            served += ret > 0
            at += PGFAULT_BYTES
    return 0


ctypedef int64_t (*tenant_call)(runner *r, prog_op *op, uint64_t at) noexcept nogil

# What the tenant does itself; every other operation is a system call of its task.
cdef tenant_call CALLS[OPERATIONS]

CALLS[DO_GATE] = wait_for
CALLS[DO_WAIT_FORK] = wait_for
CALLS[DO_WAIT_DEVICES] = wait_for
CALLS[DO_SERVE] = serve


cdef int64_t run_op(runner *r, prog_op *op, uint64_t at) noexcept nogil:
    cdef uint32_t number = op.op
    if number < OPERATIONS and CALLS[number] != NULL:
        return CALLS[number](r, op, at)
    return syscall_to_task(r, number, op.a, op.b, op.arg, op.c, op.d)


def operations() -> list:
    """The numbers that the tenant does itself."""
    return [op for op in range(OPERATIONS) if CALLS[op] != NULL]


cdef void tell_devices(runner *r, bint every) noexcept nogil:
    """Rings the devices of this tenant, or every one: any device may have a program that waits for the end of a tenant."""
    cdef uint32_t dev
    for dev in range(r.v.cfg.devices):
        if every or (r.t.devices[dev >> 6] >> (dev & 63)) & 1:
            bell_ring(r.v.self, crew_actor(r.v.crew, r.v.devices[dev].actor), TENANT_SYSCALL)


cdef void wait_arrival(runner *r, uint64_t t_ns) noexcept nogil:
    """Honours the arrival time of an operation when the trace is paced."""
    cdef uint64_t due
    cdef waiter w
    waiter_reset(&w)
    if r.v.cfg.pace == 0:
        return
    due = r.v.board.start_ns + t_ns * 1000 // r.v.cfg.pace
    while not releasing(r) and actor_clock(r.v.self) < due:
        wait_work(r.v.self, bell_of(r.v.self), released, released, r, &due, TENANT_PACE, &w)


cdef void note_failure(runner *r, prog_op *op, uint64_t at, int64_t error) noexcept nogil:
    if op.flags & FLAG_TRY:
        return
    if r.v.self.work[WORK_FAILURES] == 0:
        r.v.self.work[WORK_FIRST_ERROR] = <uint64_t>-error
        r.v.self.work[WORK_FIRST_OP] = at
    r.v.self.work[WORK_FAILURES] += 1


cdef struct record_wait:
    runner *r
    flow *f


cdef uint64_t record_owed(void *arg) noexcept nogil:
    cdef record_wait *a = <record_wait *>arg
    return releasing(a.r) or flow_look(a.r.v, a.f, PHASE_STOPPING) != FLOW_BLOCKED


cdef bint next_record(runner *r, flow *f) noexcept nogil:
    """Waits for the next record that is the tenant's own; false at the end of the program or of the run."""
    cdef uint64_t next_ns
    cdef uint32_t state
    cdef record_wait a
    cdef waiter w
    a.r, a.f = r, f
    waiter_reset(&w)
    while not releasing(r):
        r.v.self.heartbeat += 1
        next_ns = <uint64_t>-1
        state = flow_step(r.v, f, PHASE_STOPPING, &next_ns)
        if state == FLOW_OP or state == FLOW_END:
            return state == FLOW_OP
        if state == FLOW_MOVED or waiter_spin(r.v.self, &w):
            continue
        wait_work(r.v.self, bell_of(r.v.self), record_owed, record_owed, &a, &next_ns, PROGRAM_WAIT, &w)
    return False


cdef void stay(runner *r) noexcept nogil:
    """In a controlled run a tenant outlives its program: its exit would be part of every schedule. The phase never comes there, so
    no bell rings; the tenant waits here."""
    if r.v.cfg.controlled:
        wait_until(r.v.self, bell_of(r.v.self), released, r, <uint64_t>-1, PROGRAM_WAIT)


cdef void run_program(runner *r) noexcept nogil:
    cdef flow f
    cdef prog_op *op
    cdef int64_t ret
    flow_begin(r.v, &f, r.t.program, r.t.program_count, r.v.self.rng)
    while next_record(r, &f):
        op = flow_op(r.v, &f)
        if op.op == DO_EXIT and op.flags & FLAG_IMPLICIT and r.v.cfg.controlled:
            break
        wait_arrival(r, op.t_ns)
        point(r.v.self, PROGRAM_STEP << 8 | OP_LOCAL, op, ACC_LOCAL)
        ret = run_op(r, op, f.pc)
        if ret < 0:
            note_failure(r, op, f.pc, ret)
        flow_done(r.v, &f, ret)
        write64(r.v.self, &r.t.ops_done, f.steps, PROGRAM_STEP)  # partner: the acquire load of the devices
        tell_devices(r, False)
    flow_leave(r.v, r.v.self.slot)
    stay(r)
    # Whatever was left out, a process ends by exiting.
    if not read32(r.v.self, &r.t.exited, PROGRAM_STEP):
        syscall_to_task(r, DO_EXIT, 0, 0, 0, 0, 0)
    write32(r.v.self, &r.t.finished, 1, PROGRAM_STEP)
    tell_devices(r, True)
    bell_ring(r.v.self, crew_actor(r.v.crew, 0), TENANT_SYSCALL)


cdef int tenant_entry(void *r, uint32_t index) noexcept nogil:
    run_program(<runner *>r)
    return 0


def prepare_tenant(Process process not None, uint32_t index, list programs) -> None:
    """Set the entry of tenant ``index``. ``programs``: (first record, count) of every device's program. Raises ValueError, MemoryError."""
    cdef view *v = &process.v
    cdef runner *r
    cdef uint32_t dev
    if index >= v.cfg.tenants:
        raise ValueError(f"tenant {index}: the board has {v.cfg.tenants}")
    r = <runner *>private_alloc(v, sizeof(runner))
    if r == NULL:
        raise MemoryError("no memory for the tenant's own state")
    r.v = v
    r.t = &v.tenants[index]
    r.index = index
    for dev in range(256):
        r.program_first[dev], r.program_count[dev] = programs[dev] if dev < len(programs) else (0, 0)
    process.set_entry(tenant_entry, r, index, PHASE_RUNNING)
