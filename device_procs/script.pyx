# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The operations of device programs. See ``script.pxd``."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from iopf.device_procs.atc cimport atc_drop_all, atc_entry, atc_fill, atc_lookup
from iopf.device_procs.pri cimport *
from iopf.device_procs.stale cimport check_use
from iopf.device_procs.stop cimport send_marker
from iopf.emulator.mm.pgtable cimport walk_begin, walk_grants, walker
from iopf.emulator.board.board cimport note_event
from iopf.emulator.board.flow cimport *
from iopf.emulator.board.iommus cimport iommu_regs, regs_of
from iopf.emulator.board.layout cimport GROUP_MAX
from iopf.emulator.spec.pci cimport PRGI_COUNT
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport label_at, label_note
from iopf.emulator.spec.roles cimport PHASE_RELEASING, PHASE_STOPPING
from iopf.emulator.spec.sites cimport *
from iopf.emulator.board.tenants cimport tenant, tenant_bound, tenant_refused
from iopf.emulator.spec.errno cimport E2BIG, EFAULT, EINVAL, ENODEV, ENOSPC, EPROTO

cdef enum:
    LOOK_NS = 50000
    NOT_YET = 1                  # the operation has to be tried again
    SKIPPED = 2                  # the run ends before it could go on
    UNLABELLED = 62


cdef inline uint64_t min_u64(uint64_t a, uint64_t b) noexcept nogil:
    return a if a < b else b


cdef bint tenant_gone(function *f, uint32_t ten) noexcept nogil:
    cdef tenant *t = &f.v.tenants[ten]
    return read32(f.v.self, &t.dead, DEV_SEND) or read32(f.v.self, &t.finished, DEV_SEND) or tenant_refused(f.v.self, t, f.dev, DEV_SEND)


cdef int64_t not_ready(function *f, prog_op *op) noexcept nogil:
    """What cannot be done now is waited for, unless the program only tries it or the run ends."""
    if ld32_acq(&f.v.board.phase) >= PHASE_STOPPING:
        return SKIPPED
    return ENODEV if op.flags & FLAG_TRY else NOT_YET


cdef int64_t pasid_for(function *f, prog_op *op, uint32_t *pasid) noexcept nogil:
    """0 with the PASID to send under; NOT_YET, SKIPPED, or -ENODEV when its tenant will not bind the device any more."""
    cdef uint32_t ten = op.arg - 1
    if op.flags & FLAG_RID:
        pasid[0] = 0
    elif op.b != 0:
        pasid[0] = <uint32_t>(op.b - 1)
    elif op.arg == 0 or ten >= f.v.cfg.tenants:
        return EINVAL
    else:
        # The bound bit before the PASID: the task publishes them in the other order.
        if not tenant_bound(f.v.self, &f.v.tenants[ten], f.dev, DEV_SEND):
            return ENODEV if tenant_gone(f, ten) else not_ready(f, op)
        pasid[0] = read32(f.v.self, &f.v.tenants[ten].pasid, DEV_SEND)
    return not_ready(f, op) if f.stopping == pasid[0] + 1 else 0


cdef uint16_t continued(function *f, uint32_t label) noexcept nogil:
    """The open group of this name that has no last request yet."""
    cdef uint32_t i
    if label < UNLABELLED:
        for i in range(f.window):
            if f.groups[i].state == GROUP_OPEN and f.groups[i].label == label and not f.groups[i].closed:
                return <uint16_t>i
    return NO_GROUP


cdef uint16_t begin(function *f, prog_op *op, uint32_t label, uint32_t pasid) noexcept nogil:
    """A fresh group; NO_GROUP when every record or index is in use."""
    cdef uint32_t prgi1 = <uint32_t>(op.c >> 32), prgi
    cdef uint16_t index
    cdef group *g
    if f.free_count == 0 or f.open_groups >= PRGI_COUNT:
        return NO_GROUP
    prgi = prgi1 - 1 if prgi1 != 0 else take_prgi(f)
    if prgi >= PRGI_COUNT:
        return NO_GROUP
    f.free_count -= 1
    index = f.free_list[f.free_count]
    g = &f.groups[index]
    g.tenant = op.arg - 1
    g.pasid = pasid
    g.rid = (op.flags & FLAG_RID) != 0
    g.retries = g.ignored = g.shared = g.unfinished = 0
    g.label = label
    g.again = 0
    f.label_by_prgi[prgi] = <uint8_t>(label + 1 if label < UNLABELLED else 0)
    open_group(f, index, prgi, crew_ticks(f.v.crew))
    return index


cdef int64_t send(function *f, prog_op *op) noexcept nogil:
    """The requests of one operation, all or none of them now."""
    cdef uint32_t pages = <uint32_t>op.c & 0xFFFF, label = <uint32_t>(op.c >> 16) & 63, pasid = 0, i, rwx = op.flags & 15
    cdef uint64_t now = crew_ticks(f.v.crew)
    cdef uint16_t index
    cdef group *g
    cdef int64_t ret
    if not read32(f.v.self, &f.d.pri_enabled, DEV_SEND) or f.d.dev.failed:
        return not_ready(f, op)
    ret = pasid_for(f, op, &pasid)
    if ret != 0:
        return ret
    if pages > f.credits:
        return E2BIG
    index = continued(f, label)
    if index != NO_GROUP and f.groups[index].count + pages > GROUP_MAX:
        return E2BIG
    if not may_send(f, pages):
        return not_ready(f, op)
    if index == NO_GROUP:
        index = begin(f, op, label, pasid)
    if index == NO_GROUP:
        return not_ready(f, op)
    g = &f.groups[index]
    g.again |= op.flags & FLAG_RETRY
    f.d.dev.accesses += pages
    for i in range(pages):
        send_request(f, g, op.a + <uint64_t>i * 4096, rwx, i + 1 == pages and op.flags & FLAG_LAST, now)
    note_event(f.v, now, DEV_SEND, f.next_uid - pages, <uint64_t>f.dev << 32 | pages << 16 | g.prgi
               | (CONTINUED if g.count > pages else 0))
    st64_rlx(&f.d.dev.open_requests, f.open_requests)
    st64_rlx(&f.d.dev.open_groups, f.open_groups)
    publish(f)
    return 0


cdef int64_t await_answers(function *f, prog_op *op) noexcept nogil:
    """Until the named group, or every group with a last request, is answered or hopeless."""
    cdef uint32_t i
    cdef group *g
    for i in range(f.window):
        g = &f.groups[i]
        if g.state == GROUP_OPEN and g.closed and (op.arg == 0 or g.label == op.arg - 1):
            if fate_unanswered(f, g):
                forget_group(f, <uint16_t>i)
            elif ld32_acq(&f.v.board.phase) < PHASE_RELEASING:
                return NOT_YET
        elif g.state == GROUP_RETRY and (op.arg == 0 or g.label == op.arg - 1) and ld32_acq(&f.v.board.phase) < PHASE_RELEASING:
            return NOT_YET
    return expected(f, op)


cdef int64_t expected(function *f, prog_op *op) noexcept nogil:
    """-EPROTO when the named group got another answer than the program says, or none."""
    cdef label_note *note
    if op.b == 0 or op.arg == 0 or op.arg > LABELS:
        return 0
    note = label_at(f.v, f.dev, <uint32_t>op.arg - 1)
    return 0 if note.answers != 0 and note.codes[min_u64(note.answers, 6) - 1] == op.b - 1 else EPROTO


cdef int64_t translate(function *f, prog_op *op) noexcept nogil:
    """Accesses to ``op.c`` pages through the function's cache, with a translation request where it has none; -EFAULT when one is not
    granted. They raise no page request."""
    cdef uint32_t pasid = 0, i, rwx = op.flags & 7
    cdef uint64_t address
    cdef atc_entry *hit
    cdef walker w
    cdef bint bound
    cdef int64_t ret = pasid_for(f, op, &pasid)
    if ret != 0:
        return ret
    if read32(f.v.self, &f.d.resets, DEV_SEND) != f.resets:
        return NOT_YET  # plugged in again: the cache is emptied first
    bound = walk_begin(f.v, &w, f.dev, pasid)
    for i in range(<uint32_t>op.c):
        address = op.a + <uint64_t>i * 4096
        hit = atc_lookup(f.atc, f.atc_mask, pasid, address, rwx)
        if hit != NULL:
            check_use(f, pasid, address, rwx, hit.mm_id)
        elif bound and walk_grants(f.v, &w, address, rwx):
            atc_fill(f.atc, f.atc_mask, pasid, address, rwx, w.mm_id)
        else:
            return EFAULT
    return 0


cdef int64_t marker(function *f, prog_op *op) noexcept nogil:
    cdef uint32_t pasid = 0
    cdef int64_t ret = pasid_for(f, op, &pasid)
    if ret != 0:
        return ret
    if not send_marker(f, pasid):
        return not_ready(f, op)
    publish(f)
    return 0


cdef int64_t wait_bound(function *f, prog_op *op) noexcept nogil:
    if op.arg >= f.v.cfg.tenants:
        return EINVAL
    if tenant_bound(f.v.self, &f.v.tenants[op.arg], f.dev, DEV_SEND):
        return 0
    return ENODEV if tenant_gone(f, op.arg) else not_ready(f, op)


cdef int64_t overflow(function *f, prog_op *op) noexcept nogil:
    """Whole groups, as large as the credits allow, until the queue of the function's IOMMU has overflowed once more; -ENOSPC when its
    credits are used up while the queue is not read, so it never will."""
    cdef iommu_regs *regs = regs_of(f.v, f.dev)
    cdef uint32_t room = f.credits - f.open_requests
    cdef prog_op more = op[0]
    cdef int64_t ret
    if f.overflows == 0:
        f.overflows = read64(f.v.self, &regs.overflows, DEV_SEND) + 1
    if read64(f.v.self, &regs.overflows, DEV_SEND) >= f.overflows:
        f.overflows = 0
        return 0
    if (room == 0 and read32(f.v.self, &f.v.board.hold, DEV_SEND) & HOLD_IRQ
            and read64(f.v.self, &f.d.hw.received, DEV_SEND) == f.d.dev.sent):
        f.overflows = 0
        return ENOSPC
    more.c = (room if room < GROUP_MAX else GROUP_MAX) | <uint64_t>UNLABELLED << 16
    more.flags = FLAG_READ | FLAG_LAST
    ret = send(f, &more) if room != 0 else not_ready(f, &more)
    if ret != 0 and ret != NOT_YET:
        f.overflows = 0
    return ret if ret != 0 else NOT_YET


cdef bint asks_again(function *f) noexcept nogil:
    """Groups with `retry` are not finished. The end of the program waits for them, since it gives open groups up, whose indices these could
    then take while the kernel still has requests of the old ones."""
    cdef uint32_t i
    cdef group *g
    if ld32_acq(&f.v.board.phase) >= PHASE_RELEASING:
        return False
    for i in range(f.window):
        g = &f.groups[i]
        if g.state == GROUP_RETRY or (g.state == GROUP_OPEN and g.again and g.closed and not fate_unanswered(f, g)):
            return True
    return False


cdef bint script_owed(function *f) noexcept nogil:
    """Whether others have made possible what the program waits for; changes nothing. An `await` waits for responses, which the link
    tells, and an overflow polls."""
    cdef uint32_t state = flow_look(f.v, &f.script, PHASE_STOPPING), pasid = 0
    cdef prog_op *op
    if state == FLOW_END:
        return not asks_again(f)
    if state != FLOW_OP:
        return state != FLOW_BLOCKED
    op = flow_op(f.v, &f.script)
    if op.op == DO_AWAIT or op.op == DO_OVERFLOW:
        return False
    if op.op == DO_WAIT_BOUND:
        return wait_bound(f, op) != NOT_YET
    if op.op == DO_SEND and (not read32(f.v.self, &f.d.pri_enabled, DEV_SEND) or f.d.dev.failed or f.open_groups):
        return False
    return pasid_for(f, op, &pasid) != NOT_YET


cdef int64_t reset(function *f, prog_op *op) noexcept nogil:
    forget_all(f)
    atc_drop_all(f.atc, f.atc_mask)
    return 0


ctypedef int64_t (*device_call)(function *f, prog_op *op) noexcept nogil

cdef device_call CALLS[OPERATIONS]

CALLS[DO_SEND] = send
CALLS[DO_AWAIT] = await_answers
CALLS[DO_TRANSLATE] = translate
CALLS[DO_MARKER] = marker
CALLS[DO_RESET] = reset
CALLS[DO_WAIT_BOUND] = wait_bound
CALLS[DO_OVERFLOW] = overflow


cdef int64_t device_op(function *f, prog_op *op) noexcept nogil:
    """One operation; -EINVAL for a number that is none of a device's."""
    cdef uint32_t number = op.op
    return CALLS[number](f, op) if number < OPERATIONS and CALLS[number] != NULL else EINVAL


def operations() -> list:
    """The numbers that have a function."""
    return [op for op in range(OPERATIONS) if CALLS[op] != NULL]


cdef bint script_step(function *f, uint64_t *next_ns) noexcept nogil:
    """One record of the program; false when it has to wait. At its end the function abandons what will not be answered."""
    cdef uint32_t state = flow_step(f.v, &f.script, PHASE_STOPPING, next_ns)
    cdef prog_op *op
    cdef int64_t ret
    if state == FLOW_MOVED:
        return True
    if state == FLOW_END and asks_again(f):
        return False
    if state == FLOW_END:
        forget_hopeless(f, 0)
        flow_leave(f.v, f.v.self.slot)
        f.over = 1
        return True
    if state == FLOW_BLOCKED:
        return False
    op = flow_op(f.v, &f.script)
    point(f.v.self, PROGRAM_STEP << 8 | OP_LOCAL, op, ACC_LOCAL)
    ret = device_op(f, op)
    if ret == NOT_YET and op.op == DO_OVERFLOW:
        next_ns[0] = min_u64(next_ns[0], actor_clock(f.v.self) + LOOK_NS)  # the hardware does not ring when it takes or loses a request
    if ret == NOT_YET:
        return False
    flow_done(f.v, &f.script, ret)
    return True
