# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The control records of programs. Words and writers: see ``flow.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.wait cimport *
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.program cimport *
from iopf.emulator.board.progress cimport driver_at
from iopf.emulator.spec.roles cimport PHASE_ENDING
from iopf.emulator.spec.sites cimport *

cdef enum:
    ALWAYS_ARRIVED = 0xFFFFFFFF
    ACTOR_TENANT = 1         # kinds of a packed actor name
    ACTOR_DEVICE = 2
    ACTOR_DRIVER = 3


ctypedef void (*jump_call)(view *v, flow *f, prog_op *op, bint stopping) noexcept nogil
ctypedef bint (*wait_call)(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil


cdef void flow_begin(view *v, flow *f, uint64_t first, uint64_t count, uint64_t seed) noexcept nogil:
    cdef uint32_t i
    f.first = first
    f.count = count if first <= v.cfg.programs and count <= v.cfg.programs - first else 0
    f.pc = f.steps = f.due_ns = 0
    f.depth = f.arrived = 0
    f.rng = seed or 1
    for i in range(64):
        f.arrivals[i] = 0


cdef uint32_t slot_of(view *v, uint64_t name) noexcept nogil:
    """Crew slot of a packed actor name (kind << 16 | index); slot 0 for an unknown name."""
    cdef uint32_t kind = <uint32_t>(name >> 16) & 0xFFFF, index = <uint32_t>name & 0xFFFF
    if kind == ACTOR_TENANT and index < v.cfg.tenants:
        return v.tenants[index].actor
    if kind == ACTOR_DEVICE and index < v.cfg.devices:
        return v.devices[index].actor
    if kind == ACTOR_DRIVER and index + 1 < v.cfg.drivers:
        return driver_at(v, index + 1).actor
    return 0


cdef void ring_participants(view *v, uint32_t index) noexcept nogil:
    cdef barrier *b = barrier_at(v, index)
    cdef uint32_t slot
    for slot in range(v.cfg.slots):
        if slot < 512 and b.participants[slot >> 6] >> (slot & 63) & 1 and slot != v.self.slot:
            bell_ring(v.self, crew_actor(v.crew, slot), PROGRAM_WAIT)


cdef bint all_arrived(view *v, flow *f, uint32_t index) noexcept nogil:
    cdef barrier *b = barrier_at(v, index)
    cdef uint32_t slot
    for slot in range(v.cfg.slots):
        if slot < 512 and b.participants[slot >> 6] >> (slot & 63) & 1:
            if read32(v.self, barrier_arrivals(v, index, slot), PROGRAM_WAIT) < f.arrivals[index]:
                return False
    return True


cdef bint barrier_open(view *v, flow *f, uint32_t index) noexcept nogil:
    """Arrives once; returns whether all participants have."""
    if not f.arrived:
        f.arrived = 1
        f.arrivals[index] += 1
        write32(v.self, barrier_arrivals(v, index, v.self.slot), f.arrivals[index], PROGRAM_WAIT)
        fence_at(v.self, PROGRAM_WAIT)  # partner: the fence of another one that arrives; one of the two sees both
        ring_participants(v, index)
    return all_arrived(v, f, index)


cdef void flow_done(view *v, flow *f, int64_t result) noexcept nogil:
    """The current record is done: its result is noted and the next one is current."""
    cdef op_note *note = note_of(v, f.first + f.pc)
    note.runs += 1
    note.errors += result < 0
    st64_rel(<uint64_t *>&note.result, <uint64_t>result)
    f.pc += 1
    f.steps += 1
    f.arrived = 0
    f.due_ns = 0


cdef uint64_t chosen(view *v, flow *f, prog_op *op) noexcept nogil:
    """The first record of a branch, picked by weight."""
    cdef uint64_t n = op.a, i, sum = 0, pick
    cdef prog_op *branch = op + 1
    if n == 0 or n >= f.count - f.pc:
        return f.count
    for i in range(n):
        sum += branch[i].a
    pick = xorshift64(&f.rng) % sum if sum else 0
    for i in range(n):
        if pick < branch[i].a:
            return branch[i].b
        pick -= branch[i].a
    return branch[0].b


cdef void op_repeat(view *v, flow *f, prog_op *op, bint stopping) noexcept nogil:
    if f.depth >= LOOPS:
        f.pc = op.b
        return
    f.left[f.depth] = op.a if op.a else <uint64_t>-1
    f.depth += 1
    f.pc += 1


cdef void op_again(view *v, flow *f, prog_op *op, bint stopping) noexcept nogil:
    if f.depth == 0:
        f.pc += 1
        return
    if f.left[f.depth - 1] != <uint64_t>-1:
        f.left[f.depth - 1] -= 1
    if f.left[f.depth - 1] == 0 or stopping:
        f.depth -= 1
        f.pc += 1
    else:
        f.pc = op.a + 1


cdef void op_choose(view *v, flow *f, prog_op *op, bint stopping) noexcept nogil:
    f.pc = chosen(v, f, op)


cdef void op_goto(view *v, flow *f, prog_op *op, bint stopping) noexcept nogil:
    f.pc = op.a


cdef bint op_turn(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil:
    cdef uint32_t sequence = op.arg
    return stopping or sequence >= SEQUENCES or read64(v.self, sequence_turn(v, sequence), PROGRAM_WAIT) >= op.a


cdef bint op_start(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil:
    return stopping or v.cfg.controlled == 0 or ld32_acq(&v.board.cut) != 0


cdef bint op_barrier(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil:
    cdef uint32_t which = op.arg
    return which >= BARRIERS or barrier_open(v, f, which) or stopping


cdef bint op_pause(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil:
    cdef uint64_t now = actor_clock(v.self)
    if f.due_ns == 0:
        f.due_ns = now + op.a
    if f.due_ns > now and not stopping:
        next_ns[0] = f.due_ns if f.due_ns < next_ns[0] else next_ns[0]
        return False
    return True


cdef bint op_pass(view *v, flow *f, prog_op *op, bint stopping, uint64_t *next_ns) noexcept nogil:
    """Pairs with the load of the actor that waits for its turn. The supervisor opens all turns of a sequence when an actor of it has
    died, at any moment; that stays."""
    cdef uint64_t *turn
    cdef uint64_t seen
    cdef uint32_t sequence = op.arg
    if sequence >= SEQUENCES:
        return True
    turn = sequence_turn(v, sequence)
    seen = read64(v.self, turn, PROGRAM_STEP)
    if seen < op.a:
        try64(v.self, turn, seen, op.a, PROGRAM_STEP)
    fence_at(v.self, PROGRAM_STEP)
    bell_ring(v.self, crew_actor(v.crew, slot_of(v, op.b)), PROGRAM_STEP)
    return True


# Control records by number: a jump sets the next record, a wait says whether the program goes on behind it.
cdef jump_call JUMPS[OPERATIONS]
cdef wait_call WAITS[OPERATIONS]

JUMPS[DO_REPEAT] = op_repeat
JUMPS[DO_AGAIN] = op_again
JUMPS[DO_CHOOSE] = op_choose
JUMPS[DO_GOTO] = op_goto
WAITS[DO_TURN] = op_turn
WAITS[DO_PASS] = op_pass
WAITS[DO_BARRIER] = op_barrier
WAITS[DO_PAUSE] = op_pause
WAITS[DO_START] = op_start


cdef bint is_control(uint32_t number) noexcept nogil:
    return number < OPERATIONS and (JUMPS[number] != NULL or WAITS[number] != NULL)


cdef uint32_t flow_step(view *v, flow *f, uint32_t stop_phase, uint64_t *next_ns) noexcept nogil:
    """Executes a control record, or says that the current one is the caller's. ``next_ns`` gets the end of a pause.

    From ``stop_phase`` on nothing is waited for and nothing is repeated, so every program comes to its end.
    """
    cdef prog_op *op
    cdef uint32_t number
    cdef bint stopping = ld32_acq(&v.board.phase) >= stop_phase
    if f.pc >= f.count:
        return FLOW_END
    op = flow_op(v, f)
    number = op.op
    if not is_control(number):
        return FLOW_OP
    point(v.self, PROGRAM_STEP << 8 | OP_LOCAL, op, ACC_LOCAL)
    if JUMPS[number] != NULL:
        JUMPS[number](v, f, op, stopping)
        return FLOW_MOVED
    if not WAITS[number](v, f, op, stopping, next_ns):
        return FLOW_BLOCKED
    flow_done(v, f, 0)
    return FLOW_MOVED


cdef uint32_t flow_look(view *v, flow *f, uint32_t stop_phase) noexcept nogil:
    """What ``flow_step`` would return, without its effects. A pause counts as blocked: its end rings no bell."""
    cdef prog_op *op
    cdef bint stopping = ld32_acq(&v.board.phase) >= stop_phase
    cdef uint32_t number, which
    cdef uint64_t never = 0
    if f.pc >= f.count:
        return FLOW_END
    op = flow_op(v, f)
    number = op.op
    which = op.arg
    if not is_control(number):
        return FLOW_OP
    if number == DO_BARRIER and which < BARRIERS:
        return FLOW_MOVED if stopping or not f.arrived or all_arrived(v, f, which) else FLOW_BLOCKED
    if number == DO_TURN or number == DO_START:
        return FLOW_MOVED if WAITS[number](v, f, op, stopping, &never) else FLOW_BLOCKED
    return FLOW_BLOCKED if number == DO_PAUSE and not stopping else FLOW_MOVED


cdef void flow_leave(view *v, uint32_t slot) noexcept nogil:
    """An actor will not come to any barrier any more: it has finished, or it is dead."""
    cdef uint32_t i
    st64_rel(&crew_actor(v.crew, slot).program_over, 1)
    for i in range(BARRIERS):
        if slot < 512 and barrier_at(v, i).participants[slot >> 6] >> (slot & 63) & 1:
            write32(v.self, barrier_arrivals(v, i, slot), ALWAYS_ARRIVED, PROGRAM_WAIT)
            ring_participants(v, i)


cdef struct hold_wait:
    view *v
    uint32_t which


cdef uint64_t let_go(void *arg) noexcept nogil:
    cdef hold_wait *h = <hold_wait *>arg
    return not read32(h.v.self, &h.v.board.hold, HELD) & h.which or ld32_acq(&h.v.board.phase) >= PHASE_ENDING


cdef void wait_held(view *v, uint32_t which) noexcept nogil:
    """A program holds this stage: sleeps until it releases it."""
    cdef hold_wait h
    h.v, h.which = v, which
    wait_until(v.self, &v.board.hold_bell, let_go, &h, <uint64_t>-1, HELD)


def operations() -> list:
    """The numbers of the control records."""
    return [op for op in range(OPERATIONS) if is_control(op)]
