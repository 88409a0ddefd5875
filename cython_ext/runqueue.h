/* SPDX-License-Identifier: MIT
 *
 * The run queue of a controlled system: one actor runs at a time. At every scheduling point an actor stores its next
 * step and switches away from its stack. The holder of the token then chooses the next actor (`runqueue.pyx`).
 *
 * Every actor has its own stack inside the arena, both as a fiber (all actors in one process) and as a process (each
 * stack is entered only by its actor's process). The processes are forked from one another, so code and arena have the
 * same addresses in all of them. A copy of the arena and of the saved stack pointers is therefore a copy of the whole
 * system, and restoring it restarts a schedule.
 *
 * Writers
 *   runqueue line 0  the holder of the token; `go` passes the token between processes (exchange / acquire)
 *   go, asleep       a waiting process sets `asleep`, then reads `go` again; the releasing process sets `go`, then reads
 *                    `asleep` and wakes if it is set (exchanges on both sides, so one of them sees the other)
 *   slot             its actor, at a scheduling point; the holder of the token otherwise
 *   steps            the holder of the token
 * There is one token, so no field needs more ordering than the hand-over itself.
 *
 * Blocking. A futex wait is two steps: the comparison, which is an access like any other, and then the sleep, which only
 * a wake-up of the same word ends; waiters wake in FIFO order, as with futexes. A timeout of RQ_FUNCTIONAL_NS or more is
 * a safety net against lost wake-ups and never expires here, so a lost wake-up shows as a deadlock. A shorter timeout,
 * or one with RQ_TIMED, is part of the function. It expires on the virtual clock, which counts steps and jumps to the
 * next expiry when no actor is runnable. A strategy may also let it jump to the next expiry earlier: any time may pass
 * between two steps.
 *
 * Memory. Under RQ_TSO a plain store at a scheduling point goes into the actor's store buffer and reaches memory in a
 * step of its own, in order, as on x86. Slot RQ_DRAIN + i drains the buffer of actor i; strategies choose it like an
 * actor. An actor sees its own stores: they are written to memory while it runs a step and removed afterwards. A
 * read-modify-write, a lock, a fence, a wait and a wake-up drain the buffer first. Stores without a scheduling point
 * reach memory at once: announced accesses order them (checked by tools/points), so the difference is not observable.
 */
#ifndef IOPF_RUNQUEUE_H
#define IOPF_RUNQUEUE_H

#include "iopf/cython_ext/atomic.h"

#define RQ_SLOTS 32
#define RQ_DRAIN 16          /* slot that drains the store buffer of actor 0 */
#define RQ_STORES 8          /* capacity of a store buffer; a further store evicts the oldest */
#define RQ_STEP_NS 100
#define RQ_FUNCTIONAL_NS 10000000u
#define RQ_TIMED ((uint64_t)1 << 63) /* flag of a timeout: part of the function, whatever its length */

enum { RQ_ABSENT = 0, RQ_RUNNABLE, RQ_BLOCKED, RQ_EXITED, RQ_DEAD };

typedef struct {
    /* line 0: state of the actor */
    void *sp, *loop_sp;       /* of the actor while it is switched out; of the process while the actor runs */
    uint64_t where;           /* address of the pending access, or of the futex word waited for */
    uint64_t due;             /* virtual time at which the sleep times out; 0: never */
    uint32_t id, kind;        /* of the pending scheduling point */
    uint32_t state, result;   /* result of a sleep: 0, or an errno */
    uint32_t want, pad;       /* value of the futex word when the wait began */
    uint64_t since;           /* step at which the wait began: FIFO order of wake-ups */
    /* line 1: of the schedule */
    uint64_t priority, taken, expected;  /* strategy: priority; steps in this schedule, and in the last one */
    uint64_t low, high;       /* the actor's stack */
    uint64_t pad1[3];
    /* line 2: of the process that runs the actor */
    uint32_t go, asleep;      /* the token, as a futex; set while the process sleeps on it, or is about to */
    uint64_t pad3[7];
} rq_slot;

typedef struct {
    uint32_t id;
    uint32_t where;           /* offset of the access in the arena / 4, 0 outside */
    uint16_t slot, kind;
    uint32_t enabled;         /* mask of runnable slots */
} rq_step;

enum { RQ_SC = 0, RQ_TSO = 1 };

typedef struct {
    uint64_t where, mask, value, under; /* an aligned word, mask of its stored bytes, their new value, their value in memory */
    uint32_t id, pad;
    uint64_t pad1;
} rq_store;

typedef struct {
    uint32_t count, entered;  /* entered: the stores are in memory while their actor runs a step */
    uint64_t wrote, window;   /* the word that the step stores to, and the mask of its bytes; 0: none */
    uint64_t before;          /* value of the word that the actor saw before the step */
    uint32_t id, pad;
    uint64_t pad1[3];
    rq_store store[RQ_STORES];
} rq_buffer;

typedef struct {
    uint64_t now, steps, hash, budget;
    uint64_t arena;           /* address of the arena, base of the recorded offsets */
    uint64_t room;            /* capacity of `step` */
    uint32_t current, actors;
    uint32_t ended, quit;     /* why the schedule ended (enum End); actor processes must exit */
    /* state of the strategy; see emulator/sched/strategies.pxd */
    uint32_t strategy, depth;
    uint64_t rng, max_steps, length;  /* length: expected number of steps */
    uint64_t change[16];      /* PCT: steps at which the running actor loses its priority */
    uint64_t path_steps;      /* replay: steps of the path to follow */
    uint64_t path;            /* offset of the path from the runqueue: one byte per step, the slot */
    uint64_t path_at;         /* position in the path where it differs from the step number */
    uint32_t memory, step_ns; /* RQ_SC or RQ_TSO; virtual time per step */
    uint32_t held;            /* mask of the actors that are stopped until released, as by SIGSTOP */
    uint32_t early;           /* one choice in this many lets a sleep expire early; 0: none */
    /* Masks over all slots, kept by `rq_set_state` and `rq_set_pending`. */
    uint32_t ready, locking;  /* RQ_RUNNABLE; the pending step takes a lock */
    uint32_t timed, buffered; /* RQ_BLOCKED with a timeout; store-buffer drains with stores to drain */
    uint32_t first_due, pad0; /* slots of `timed` that expire next */
    uint64_t pad[5];
    rq_slot slot[RQ_SLOTS];
    rq_buffer buffer[RQ_DRAIN];
    rq_step step[];
} runqueue;

_Static_assert(sizeof(rq_slot) % 64 == 0, "a slot is a whole number of cache lines");

/* Sets the state of an actor. The caller sets `timed` afterwards for a sleep with a timeout. */
static inline void rq_set_state(runqueue *rq, uint32_t slot, uint32_t state) {
    uint32_t bit = (uint32_t)1 << slot;
    rq->slot[slot].state = state;
    rq->ready = state == RQ_RUNNABLE ? rq->ready | bit : rq->ready & ~bit;
    rq->timed &= ~bit;
}

/* Says whether the next step of a runnable actor takes a lock. */
static inline void rq_set_pending(runqueue *rq, uint32_t slot, uint32_t takes_lock) {
    uint32_t bit = (uint32_t)1 << slot;
    rq->locking = takes_lock ? rq->locking | bit : rq->locking & ~bit;
}

/* Ends a sleep: `result` is 0 after a wake-up, or an errno. */
static inline void rq_wake_slot(runqueue *rq, uint32_t slot, uint32_t result) {
    rq->slot[slot].result = result, rq->slot[slot].due = 0;
    rq_set_pending(rq, slot, 0);
    rq_set_state(rq, slot, RQ_RUNNABLE);
}

/* Saves the callee-saved registers and the stack pointer in *save and continues where `load` was saved. It leaves by a
 * jump, because the return predictor would predict the caller on the old stack. */
void iopf_switch(void **save, void *load) __attribute__((visibility("hidden")));
#if defined(__x86_64__)
__asm__(".text\n.p2align 4\n.hidden iopf_switch\n.type iopf_switch,@function\niopf_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\npop %rcx\njmp *%rcx\n"
        ".size iopf_switch,.-iopf_switch\n");
#define RQ_FRAME_WORDS 7
#elif defined(__aarch64__)
__asm__(".text\n.p2align 4\n.hidden iopf_switch\n.type iopf_switch,%function\niopf_switch:\n"
        "sub sp,sp,#160\nstp x19,x20,[sp]\nstp x21,x22,[sp,#16]\nstp x23,x24,[sp,#32]\nstp x25,x26,[sp,#48]\n"
        "stp x27,x28,[sp,#64]\nstp x29,x30,[sp,#80]\nstp d8,d9,[sp,#96]\nstp d10,d11,[sp,#112]\n"
        "stp d12,d13,[sp,#128]\nstp d14,d15,[sp,#144]\n"
        "mov x2,sp\nstr x2,[x0]\nmov sp,x1\n"
        "ldp x19,x20,[sp]\nldp x21,x22,[sp,#16]\nldp x23,x24,[sp,#32]\nldp x25,x26,[sp,#48]\n"
        "ldp x27,x28,[sp,#64]\nldp x29,x30,[sp,#80]\nldp d8,d9,[sp,#96]\nldp d10,d11,[sp,#112]\n"
        "ldp d12,d13,[sp,#128]\nldp d14,d15,[sp,#144]\nadd sp,sp,#160\nret\n"
        ".size iopf_switch,.-iopf_switch\n");
#define RQ_FRAME_WORDS 20
#else
#error "controlled runs need x86-64 or aarch64"
#endif

/* Records the step that runs next. */
static inline void rq_record(runqueue *rq, uint32_t slot, uint32_t enabled) {
    const rq_slot *s = &rq->slot[slot];
    uint64_t off = s->where - rq->arena;
    uint32_t where = off < ((uint64_t)1 << 34) ? (uint32_t)(off >> 2) : 0;
    if (rq->steps < rq->room)
        rq->step[rq->steps] = (rq_step){s->id, where, (uint16_t)slot, (uint16_t)s->kind, enabled};
    rq->steps++;
    rq->now += rq->step_ns;
    rq->hash = (rq->hash ^ (((uint64_t)s->id << 32 | where) + slot * 0x9e3779b97f4a7c15u)) * 0x100000001b3u;
    rq->hash ^= rq->hash >> 29;
}

#endif
