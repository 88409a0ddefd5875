# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The device engine: drives a PRI function with a replayed program or a synthetic workload.

Runs concurrently with all actors; the shared words it writes are those named in ``pri.pxd``. After its workload
the process stays to answer invalidations and stop requests until the machine ends, as a function in a slot does.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.link cimport link_waiting
from iopf.cython_ext.wait cimport *
from iopf.device_procs.atc cimport atc_drop_all, atc_entry, atc_fill, atc_lookup
from iopf.device_procs.interleave cimport begin_batch, send_batch
from iopf.device_procs.posted cimport land_posted
from iopf.device_procs.pri cimport *
from iopf.device_procs.responses cimport receive
from iopf.device_procs.script cimport script_owed, script_step
from iopf.device_procs.stale cimport check_cache, check_use
from iopf.device_procs.stop cimport serve_stop
from iopf.device_procs.workload cimport *
from iopf.emulator.mm.pgtable cimport walk_begin, walk_grants, walker
from iopf.emulator.board.board cimport view
from iopf.emulator.board.flow cimport flow_begin, program
from iopf.emulator.board.layout cimport GROUP_MAX
from iopf.emulator.board.process cimport Process
from iopf.emulator.spec.program cimport *
from iopf.emulator.spec.roles cimport PHASE_ENDING, PHASE_RELEASING, PHASE_RUNNING, PHASE_STOPPING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.board.tenants cimport tenant, tenant_bound, tenant_refused

cdef enum:
    FULL_NS = 50000
    BURST = 64                   # groups started before responses are looked at again


cdef bint tenant_gone(function *f, uint32_t ten) noexcept nogil:
    """The tenant will never come so far: dead, exited, or the run releases everything."""
    cdef tenant *t = &f.v.tenants[ten]
    return read32(f.v.self, &t.dead, DEV_SEND) or read32(f.v.self, &t.exited, DEV_SEND) or read32(f.v.self, &t.finished, DEV_SEND)


cdef uint64_t due_ns(function *f, uint64_t t_ns) noexcept nogil:
    """When a replayed arrival is due on the monotonic clock; 0: at once."""
    if f.v.cfg.pace == 0:
        return 0
    return f.v.board.start_ns + t_ns * 1000 // f.v.cfg.pace


cdef bint send_replay(function *f, uint64_t now_ns, uint64_t *next_ns) noexcept nogil:
    """The next group of the program, if its time has come, its tenant is so far, and it fits; true when one was sent or skipped."""
    cdef prog_op *op = program(f.v, f.program)
    cdef uint64_t address[64]
    cdef uint8_t rwx[64]
    cdef uint64_t at = f.next_op, due
    cdef uint32_t n = 0, ten, pasid, flags = 0
    cdef bint ready
    if at >= f.program_count:
        f.over = 1
        return False
    ten = op[at].arg
    if ten >= f.v.cfg.tenants:
        f.next_op = f.program_count
        return True
    due = due_ns(f, op[at].t_ns)
    if due > now_ns:
        if due < next_ns[0]:
            next_ns[0] = due
        return False
    while n < GROUP_MAX and at + n < f.program_count:
        address[n] = op[at + n].a
        rwx[n] = <uint8_t>(op[at + n].flags & 7)
        n += 1
        flags = op[at + n - 1].flags
        if flags & (FLAG_LAST | FLAG_OPEN):
            break
    # The bound bit before the PASID: the task publishes them in the other order.
    ready = read64(f.v.self, &f.v.tenants[ten].ops_done, DEV_SEND) >= op[at].b
    ready = ready and tenant_bound(f.v.self, &f.v.tenants[ten], f.dev, DEV_SEND)
    pasid = read32(f.v.self, &f.v.tenants[ten].pasid, DEV_SEND)
    if not ready or f.stopping == pasid + 1:
        if not tenant_gone(f, ten) and not tenant_refused(f.v.self, &f.v.tenants[ten], f.dev, DEV_SEND):
            return False
        f.d.dev.abandoned += n
        f.next_op += n
        if not flags & FLAG_OPEN:
            count_done(f, ten)
        return True
    if not group_fits(f, n):
        return False
    f.d.dev.accesses += n
    f.next_op += n
    return group_start(f, ten, 0 if flags & FLAG_RID else pasid, address, rwx, n, flags)


cdef uint32_t keep_absent(function *f, uint32_t pasid, uint32_t n) noexcept nogil:
    """Of the staged accesses, keeps those that need a request: neither in the ATC nor granted by a translation."""
    cdef uint32_t i, kept = 0
    cdef walker w
    cdef atc_entry *hit
    cdef bint bound = walk_begin(f.v, &w, f.dev, pasid)
    for i in range(n):
        hit = atc_lookup(f.atc, f.atc_mask, pasid, f.staged_address[i], f.staged_rwx[i])
        if hit != NULL:
            check_use(f, pasid, f.staged_address[i], f.staged_rwx[i], hit.mm_id)
            f.d.dev.atc_hits += 1
        elif bound and walk_grants(f.v, &w, f.staged_address[i], f.staged_rwx[i]):
            atc_fill(f.atc, f.atc_mask, pasid, f.staged_address[i], f.staged_rwx[i], w.mm_id)
            f.d.dev.present += 1
        else:
            f.staged_address[kept] = f.staged_address[i]
            f.staged_rwx[kept] = f.staged_rwx[i]
            kept += 1
    return kept


cdef bint send_synthetic(function *f, uint64_t now_ns, uint64_t *next_ns) noexcept nogil:
    cdef tenant *t = &f.v.tenants[f.tenant]
    cdef uint32_t pasid, n
    cdef bint bound
    if read64(f.v.self, &t.ops_done, DEV_SEND) < f.ready_epoch:
        if tenant_gone(f, f.tenant):
            f.over = 1
        return False
    bound = tenant_bound(f.v.self, t, f.dev, DEV_SEND)
    pasid = read32(f.v.self, &t.pasid, DEV_SEND)
    if not bound or f.stopping == pasid + 1:
        if tenant_gone(f, f.tenant) or tenant_refused(f.v.self, t, f.dev, DEV_SEND):
            f.over = 1
        return False
    if f.work.interleave > 1:
        return begin_batch(f, pasid, now_ns, next_ns)
    if f.staged == 0:
        if f.work.pattern == PATTERN_CHASE and f.open_groups + f.retry_count:
            return False
        n = workload_next(&f.work, now_ns, f.staged_address, f.staged_rwx)
        if n == 0:
            if workload_over(&f.work):
                f.over = 1
            elif f.work.not_before_ns < next_ns[0]:
                next_ns[0] = f.work.not_before_ns
            return False
        f.d.dev.accesses += n
        f.staged = n if f.work.always else keep_absent(f, pasid, n)
        if f.staged == 0:
            return True
    if not group_fits(f, f.staged):
        return False
    n = f.staged
    f.staged = 0
    return group_start(f, f.tenant, pasid, f.staged_address, f.staged_rwx, n, 0)


cdef void finish(function *f) noexcept nogil:
    """The workload has finished and nothing is open: tells the supervisor's count and every waiting tenant, once."""
    cdef uint32_t ten
    if f.d.dev.stopped or f.open_groups or f.retry_count or f.staged:
        return
    check_cache(f)
    write32(f.v.self, &f.d.dev.stopped, 1, DEV_RECEIVE)
    st64_rel(&f.v.self.program_over, 1)
    for ten in range(f.v.cfg.tenants):
        bell_ring(f.v.self, crew_actor(f.v.crew, f.v.tenants[ten].actor), DEV_RECEIVE)
    bell_ring(f.v.self, crew_actor(f.v.crew, 0), DEV_RECEIVE)


cdef bint device_step(function *f, uint64_t *next_ns) noexcept nogil:
    """One round: responses, stop requests, retries, new groups. True when anything moved."""
    cdef uint32_t n = 0, phase = ld32_acq(&f.v.board.phase), resets = read32(f.v.self, &f.d.resets, DEV_WAIT)
    cdef bint moved = land_posted(f)
    cdef uint64_t now_ns = 0
    moved |= receive(f)
    if resets != f.resets:
        # Plugged in (again): whatever was answered before has been received above, the rest never will be.
        f.resets = resets
        forget_all(f)
        atc_drop_all(f.atc, f.atc_mask)
        write32(f.v.self, &f.d.dev.failed, 0, DEV_WAIT)
    if iopf_unlikely(f.open_groups != 0 and not read32(f.v.self, &f.d.link_up, DEV_WAIT)):
        forget_all(f)  # pulled: nothing comes any more
    moved |= serve_stop(f)
    if f.work.pattern == PATTERN_PROGRAM:
        while not f.over and n < BURST and script_step(f, next_ns):
            moved = True
            n += 1
    elif phase >= PHASE_STOPPING and not f.over:
        f.over = 1
    if phase >= PHASE_RELEASING:
        f.over = 2
    if f.retry_count or f.work.gap_ns or f.v.cfg.pace:
        now_ns = actor_clock(f.v.self)
    if f.retry_count:
        moved |= send_retries(f, now_ns, next_ns)
    if f.batch_count:
        moved |= send_batch(f)
    if (not read32(f.v.self, &f.d.pri_enabled, DEV_SEND) or f.work.pattern == PATTERN_PROGRAM) and not f.over:
        publish(f)
        return moved
    while not f.over and n < BURST:
        if not (send_replay(f, now_ns, next_ns) if f.work.pattern == PATTERN_REPLAY else send_synthetic(f, now_ns, next_ns)):
            break
        moved = True
        n += 1
    publish(f)
    if f.over:
        f.d.dev.abandoned += f.staged
        f.staged = 0
        if (f.work.pattern == PATTERN_PROGRAM and not f.d.dev.stopped) or f.unfinished:
            forget_hopeless(f, 0)
        finish(f)
    return moved


cdef struct device_wait:
    function *f
    uint64_t next_ns


cdef uint64_t device_look(void *arg) noexcept nogil:
    """Serves what is there. What waits for room on the uplink is looked at again soon: the IOMMU does not ring when it makes room."""
    cdef device_wait *a = <device_wait *>arg
    cdef function *f = a.f
    a.next_ns = <uint64_t>-1
    if link_waiting(f.v.self, &f.down, DEV_WAIT) or device_step(f, &a.next_ns) or ld32_acq(&f.v.board.phase) >= PHASE_ENDING:
        return THERE
    if f.owed or f.batch_count or read32(f.v.self, &f.d.stop_request, DEV_WAIT) != f.d.stop_done:
        a.next_ns = min(a.next_ns, actor_clock(f.v.self) + FULL_NS)
    return NOTHING


cdef bint tenant_came(function *f) noexcept nogil:
    """Nothing is open, and the tenant's task has made possible what the workload sends next."""
    cdef prog_op *op
    cdef uint32_t ten = f.tenant, pasid
    cdef uint64_t epoch = f.ready_epoch
    if f.over or f.open_groups or f.retry_count or f.work.gap_ns or f.v.cfg.pace or not read32(f.v.self, &f.d.pri_enabled, DEV_WAIT):
        return False
    if f.work.pattern == PATTERN_REPLAY:
        if f.next_op >= f.program_count:
            return False
        op = program(f.v, f.program) + f.next_op
        ten, epoch = op.arg, op.b
    if ten >= f.v.cfg.tenants or read64(f.v.self, &f.v.tenants[ten].ops_done, DEV_WAIT) < epoch:
        return False
    if not tenant_bound(f.v.self, &f.v.tenants[ten], f.dev, DEV_WAIT):
        return False
    pasid = read32(f.v.self, &f.v.tenants[ten].pasid, DEV_WAIT)
    return f.stopping != pasid + 1


cdef uint64_t device_owed(void *arg) noexcept nogil:
    """Responses, a stop request not seen yet, a new plug, the next phase, and what the program or the workload waits for."""
    cdef function *f = (<device_wait *>arg).f
    cdef uint32_t phase = ld32_acq(&f.v.board.phase)
    if phase >= PHASE_ENDING or link_waiting(f.v.self, &f.down, DEV_WAIT) or read32(f.v.self, &f.d.resets, DEV_WAIT) != f.resets:
        return THERE
    if read32(f.v.self, &f.d.stop_request, DEV_WAIT) != f.d.stop_done and f.stopping != f.d.stop_pasid + 1:
        return THERE
    if phase >= PHASE_RELEASING and f.over < 2:
        return THERE
    if f.work.pattern == PATTERN_PROGRAM:
        return not f.over and script_owed(f)
    return (phase >= PHASE_STOPPING and not f.over) or tenant_came(f)


cdef int device_main(function *f) noexcept nogil:
    cdef view *v = f.v
    cdef device_wait a
    cdef waiter w
    a.f = f
    waiter_reset(&w)
    f.resets = ld32_acq(&f.d.resets)  # the first probe came before the first step
    while ld32_acq(&v.board.phase) < PHASE_ENDING:
        v.self.heartbeat += 1
        a.next_ns = <uint64_t>-1
        if device_step(f, &a.next_ns):
            waiter_reset(&w)
            continue
        if waiter_spin(v.self, &w):
            continue
        wait_work(v.self, bell_of(v.self), device_look, device_owed, &a, &a.next_ns, DEV_WAIT, &w)
    return 0


cdef int device_entry(void *f, uint32_t dev) noexcept nogil:
    return device_main(<function *>f)


def prepare(Process process not None, uint32_t dev, dict p) -> None:
    """Set the entry of device ``dev``; ``p`` holds the workload (see tools/supervisor). Raises MemoryError, ValueError."""
    cdef function *f
    cdef workload *w
    if dev >= process.v.cfg.devices:
        raise ValueError(f"device {dev}: the board has {process.v.cfg.devices}")
    f = function_make(&process.v, dev, p["groups_in_flight"], p["atc_entries"])
    if f == NULL:
        raise MemoryError("no memory for the device's own state")
    f.max_retries = p["max_retries"]
    f.program = p["program"]
    f.program_count = p["program_count"]
    f.tenant = p["tenant"]
    f.ready_epoch = p["ready_epoch"]
    flow_begin(&process.v, &f.script, f.program, f.program_count, process.v.self.rng)
    w = &f.work
    w.pattern = p["pattern"]
    w.group_pages = p["group_pages"]
    w.groups = p["groups"]
    w.pages = p["pages"]
    w.vma_pages = p["vma_pages"]
    w.stride_pages = p["stride_pages"]
    w.burst_groups = p["burst_groups"]
    w.gap_ns = p["gap_ns"]
    w.zipf_s = p["zipf_s"]
    w.write_permille = p["write_permille"]
    w.exec_permille = p["exec_permille"]
    w.invalid_permille = p["invalid_permille"]
    w.always = p["always"]
    w.interleave = p["interleave"]
    w.private_permille = p["private_permille"]
    w.rng = p["seed"]
    w.cursor = p["start_page"]
    process.set_entry(device_entry, f, dev, PHASE_RUNNING)
