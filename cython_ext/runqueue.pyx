# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Spawning actors, choosing the next step, passing the token. See ``runqueue.h``."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport LOCK_OWNER, RW_WAITING, RW_WRITER

cdef enum:
    ETIMEDOUT = 110
    NO_SLOT = 0              # the supervisor's slot, which has no entry function
    YIELDS = 2               # before an actor process sleeps

FIRST_DRAIN = <int>RQ_DRAIN    # slot FIRST_DRAIN + i drains the store buffer of actor i
KIND_DRAIN = <int>ACC_DRAIN       # the kind of its steps

cdef extern from "iopf/cython_ext/stores.h" nogil:
    void stores_enter(runqueue *rq, uint32_t slot)
    void stores_leave(runqueue *rq)
    void stores_drain(runqueue *rq, uint32_t slot)

cdef extern from *:
    """
    /* The outermost frame of every actor's stack, after main(arg, index) has returned: leaves for good. */
    static void iopf_bottom(iopf_actor *self) {
        rq_slot *s = &rq_of(self)->slot[self->slot & (RQ_SLOTS - 1)];
        for (;;) {
            rq_set_state(rq_of(self), self->slot & (RQ_SLOTS - 1), RQ_EXITED);
            iopf_switch(&s->sp, s->loop_sp);
        }
    }
    void iopf_enter(void) __attribute__((visibility("hidden")));
    #if defined(__x86_64__)
    __asm__(".text\\n.p2align 4\\n.hidden iopf_enter\\n.type iopf_enter,@function\\niopf_enter:\\n"
            "mov %r12,%rdi\\nmov %r13,%rsi\\ncall *%rbx\\nmov %r14,%rdi\\ncall *%r15\\nud2\\n"
            ".size iopf_enter,.-iopf_enter\\n");
    #else
    __asm__(".text\\n.p2align 4\\n.hidden iopf_enter\\n.type iopf_enter,%function\\niopf_enter:\\n"
            "mov x0,x20\\nmov x1,x21\\nblr x19\\nmov x0,x22\\nblr x23\\nbrk #1\\n"
            ".size iopf_enter,.-iopf_enter\\n");
    #endif
    static void *iopf_frame(char *top, void *main, void *arg, uint64_t index, iopf_actor *self) {
        uint64_t *f = (uint64_t *)((uintptr_t)top & ~(uintptr_t)63);
    #if defined(__x86_64__)
        *--f = 0; /* keeps the stack aligned after the return into iopf_enter */
        *--f = 0;
        *--f = (uint64_t)(uintptr_t)iopf_enter;
        *--f = 0;                                /* rbp */
        *--f = (uint64_t)(uintptr_t)main;        /* rbx */
        *--f = (uint64_t)(uintptr_t)arg;         /* r12 */
        *--f = index;                            /* r13 */
        *--f = (uint64_t)(uintptr_t)self;        /* r14 */
        *--f = (uint64_t)(uintptr_t)iopf_bottom; /* r15 */
    #else
        f -= RQ_FRAME_WORDS;
        memset(f, 0, RQ_FRAME_WORDS * 8);
        f[0] = (uint64_t)(uintptr_t)main, f[1] = (uint64_t)(uintptr_t)arg, f[2] = index;
        f[3] = (uint64_t)(uintptr_t)self, f[4] = (uint64_t)(uintptr_t)iopf_bottom;
        f[11] = (uint64_t)(uintptr_t)iopf_enter;
    #endif
        return f;
    }
    """
    void *iopf_frame(char *top, void *main, void *arg, uint64_t index, iopf_actor *self) nogil


cdef void rq_spawn(runqueue *rq, iopf_actor *actor, char *stack, uint64_t stack_bytes, actor_entry main, void *arg,
                   uint32_t index) noexcept nogil:
    """Set up the actor to call ``main(arg, index)`` in its first step. Nothing runs yet."""
    cdef rq_slot *s = &rq.slot[actor.slot & (RQ_SLOTS - 1)]
    memset(s, 0, sizeof(rq_slot))
    memset(stack, 0, stack_bytes)
    s.low = <uint64_t>stack
    s.high = <uint64_t>stack + stack_bytes
    s.sp = iopf_frame(stack + stack_bytes, <void *>main, arg, index, actor)
    s.kind = ACC_LOCAL
    rq_set_pending(rq, actor.slot & (RQ_SLOTS - 1), 0)
    rq_set_state(rq, actor.slot & (RQ_SLOTS - 1), RQ_RUNNABLE)
    actor.mode = POINT_CONTROLLED
    if actor.slot >= rq.actors:
        rq.actors = actor.slot + 1


cdef void rq_begin(runqueue *rq, uint64_t max_steps) noexcept nogil:
    """Reset step counts and store buffers before the first step of a schedule."""
    cdef uint32_t i
    rq.steps = rq.budget = 0
    rq.buffered = 0
    for i in range(RQ_DRAIN):
        rq.buffer[i].count = rq.buffer[i].entered = 0
        rq.slot[RQ_DRAIN + i].taken = 0
    rq.hash = <uint64_t>0xcbf29ce484222325
    rq.ended = END_NONE
    rq.max_steps = max_steps


cdef bint lock_free(iopf_crew *crew, rq_slot *s) noexcept nogil:
    """Whether the pending acquisition of a lock can succeed. A lock of a dead owner can be taken."""
    cdef uint32_t word = ld32_acq(<uint32_t *>s.where), owner = word & LOCK_OWNER
    if s.id & 0xFF == OP_READ_LOCK:
        return not word & (RW_WRITER | RW_WAITING)
    if s.id & 0xFF == OP_WRITE_LOCK and owner and not word & RW_WRITER:
        return False  # readers hold it
    return owner == 0 or (owner <= crew.actors and ld32_acq(&crew_actor(crew, owner - 1).state) == ACTOR_DEAD)


cdef uint32_t rq_enabled(runqueue *rq, iopf_crew *crew) noexcept nogil:
    """Mask of runnable slots: actors whose pending step can run or whose sleep has timed out, and drains of non-empty store buffers.
    Sets ``first_due`` to the slots that time out next."""
    cdef uint32_t i, mask = (rq.ready & ~rq.locking | rq.buffered) & ~rq.held, rest = rq.ready & rq.locking & ~rq.held
    cdef uint64_t due = <uint64_t>-1
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if lock_free(crew, &rq.slot[i]):
            mask |= <uint32_t>1 << i
    rest = rq.timed & ~rq.held
    rq.first_due = 0
    while rest:
        i = trailing_zeros64(rest)
        rest &= rest - 1
        if rq.slot[i].due <= rq.now:
            mask |= <uint32_t>1 << i
        elif rq.slot[i].due < due:
            due = rq.slot[i].due
            rq.first_due = <uint32_t>1 << i
        elif rq.slot[i].due == due:
            rq.first_due |= <uint32_t>1 << i
    return mask


cdef uint32_t rq_pick(runqueue *rq, iopf_crew *crew, chooser choose) noexcept nogil:
    """Choose and record the next step; NO_SLOT at the end of the schedule, with the reason in ``ended``."""
    cdef uint32_t slot
    if iopf_likely(rq.memory == RQ_SC):
        return pick(rq, crew, choose)
    stores_leave(rq)
    slot = pick(rq, crew, choose)
    while slot >= RQ_DRAIN:
        stores_drain(rq, slot)
        slot = pick(rq, crew, choose)
    if slot != NO_SLOT:
        stores_enter(rq, slot)
    rq.budget = 0  # every step has to leave the stack
    return slot


cdef uint32_t pick(runqueue *rq, iopf_crew *crew, chooser choose) noexcept nogil:
    """Choose the slot of the next step: an actor, or a store-buffer drain."""
    cdef uint32_t enabled, slot
    rq.budget = 0
    if iopf_unlikely(ld32_acq(&crew.verdict_count) != 0):
        rq.ended = END_VERDICT
        return NO_SLOT
    if iopf_unlikely(rq.steps >= rq.max_steps):
        rq.ended = END_STEPS
        return NO_SLOT
    enabled = rq_enabled(rq, crew)
    if enabled == 0:
        enabled = rq.first_due
        rq.first_due = 0
    if enabled == 0:
        rq.ended = END_QUIET
        return NO_SLOT
    slot = choose(rq, enabled)
    if slot >= RQ_SLOTS or not (enabled | rq.first_due) >> slot & 1:
        rq.ended = END_CUT if slot == CUT else END_DIVERGED
        return NO_SLOT
    if rq.timed >> slot & 1:
        if rq.slot[slot].due > rq.now:
            rq.now = rq.slot[slot].due
        rq_wake_slot(rq, slot, ETIMEDOUT)
    rq_record(rq, slot, enabled)
    if slot < RQ_DRAIN or rq.memory == RQ_SC:
        rq.current = slot
    return slot


cdef inline bint stack_good(rq_slot *s) noexcept nogil:
    return s.low < <uint64_t>s.sp < s.high


cdef void rq_run_fibers(runqueue *rq, iopf_crew *crew, chooser choose) noexcept nogil:
    """Run the schedule to its end in this process."""
    cdef uint32_t slot = rq_pick(rq, crew, choose)
    cdef rq_slot *s
    while slot != NO_SLOT:
        s = &rq.slot[slot]
        if iopf_unlikely(not stack_good(s)):
            rq.ended = END_LOST
            return
        s.taken += 1
        iopf_switch(&s.loop_sp, s.sp)
        slot = rq_pick(rq, crew, choose)


cdef void give(runqueue *rq, uint32_t slot) noexcept nogil:
    """Pass the token. Pairs with ``token`` and ``await_token``, which announce their sleep before they check again."""
    xchg32(&rq.slot[slot].go, 1)
    if ld32_acq(&rq.slot[slot].asleep):
        futex_wake32(&rq.slot[slot].go, 1)


cdef bint token(runqueue *rq, uint32_t slot, uint64_t bound_ns) noexcept nogil:
    """Wait for the token; false at the timeout."""
    cdef rq_slot *s = &rq.slot[slot]
    cdef bint there = True
    xchg32(&s.asleep, 1)
    while there and ld32_acq(&s.go) == 0:
        there = futex_wait32(&s.go, 0, bound_ns) != -ETIMEDOUT or ld32_acq(&s.go) != 0
    st32_rlx(&s.asleep, 0)
    if there:
        st32_rlx(&s.go, 0)
    return there


cdef void await_token(runqueue *rq, uint32_t slot) noexcept nogil:
    """Wait for the token in an actor process, which also gets it to exit, and dies with its parent. Actor processes share a core, so
    another one runs while this one yields; a token that returns soon needs no wake-up."""
    cdef rq_slot *s = &rq.slot[slot]
    cdef uint32_t yields = 0
    while ld32_acq(&s.go) == 0 and yields < YIELDS:
        sched_yield()
        yields += 1
    if ld32_acq(&s.go) == 0:
        xchg32(&s.asleep, 1)
        while ld32_acq(&s.go) == 0:
            futex_wait32_unbounded(&s.go, 0)
        st32_rlx(&s.asleep, 0)
    st32_rlx(&s.go, 0)


cdef void rq_run_actor(runqueue *rq, iopf_crew *crew, chooser choose, uint32_t me, follower follow, void *arg) noexcept nogil:
    """Run one actor whenever the token arrives, until ``quit``. The process of the last step of a schedule starts the next one."""
    cdef rq_slot *s = &rq.slot[me]
    cdef uint32_t slot
    while True:
        await_token(rq, me)
        if ld32_acq(&rq.quit):
            return
        slot = me
        while slot == me:
            if iopf_unlikely(not stack_good(s)):
                rq.ended = END_LOST
                slot = NO_SLOT
                break
            s.taken += 1
            iopf_switch(&s.loop_sp, s.sp)
            slot = rq_pick(rq, crew, choose)
            if slot == NO_SLOT:
                slot = follow(arg)
        give(rq, slot)


cdef bint rq_run_processes(runqueue *rq, iopf_crew *crew, chooser choose, uint64_t bound_ns) noexcept nogil:
    """Run the schedule with processes in ``rq_run_actor``; false when the token does not return in time."""
    cdef uint32_t slot = rq_pick(rq, crew, choose)
    if slot == NO_SLOT:
        return True
    give(rq, slot)
    return token(rq, NO_SLOT, bound_ns)


cdef bint rq_relay(runqueue *rq, uint32_t slot, const uint64_t *progress, uint64_t bound_ns) noexcept nogil:
    """Pass the token to ``slot`` and wait for the end of the exploration; false without ``progress`` within the timeout."""
    cdef uint64_t seen
    give(rq, slot)
    while True:
        seen = ld64_acq(progress)
        if token(rq, NO_SLOT, bound_ns):
            return True
        if ld64_acq(progress) == seen:
            return False


cdef void rq_quit(runqueue *rq) noexcept nogil:
    cdef uint32_t i
    st32_rel(&rq.quit, 1)
    for i in range(1, rq.actors):
        give(rq, i)


cdef void rq_recheck(runqueue *rq) noexcept nogil:
    """Wake actors whose futex word was changed from outside the schedule."""
    cdef uint32_t i
    cdef rq_slot *s
    for i in range(1, rq.actors):
        s = &rq.slot[i]
        if s.state == RQ_BLOCKED and s.kind == ACC_WAIT and ld32_acq(<uint32_t *>s.where) != s.want:
            rq_wake_slot(rq, i, 0)
