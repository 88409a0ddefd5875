/* SPDX-License-Identifier: MIT
 *
 * The stage: one actor at a time. Under control every scheduling point stores what the actor is about to do and leaves
 * the actor's stack; whoever has the token then chooses who goes on (`cython_ext/runqueue.pyx`).
 *
 * Actors run on stacks of their own inside the arena, in fibers (all in one process) as in processes (each actor's
 * stack is entered only by its own process). Processes of a system are forked from one another, so code and arena have
 * the same addresses in all of them, and a stack is a piece of the arena like any other: a copy of the arena and of the
 * saved stack pointers is a copy of the whole system, which is how a schedule starts over.
 *
 * Who writes what
 *   stage line 0     whoever has the token; the token goes from process to process by `go` (exchange / acquire)
 *   go, asleep       a process says that it sleeps, then looks once more; who hands over sets `go`, then looks whether it has to
 *                    wake (exchanges on both sides, so one of them sees the other)
 *   slot             its actor, at a point; whoever has the token, otherwise
 *   steps            whoever has the token
 * There is never more than one with the token, so nothing here needs more ordering than the hand-over itself.
 *
 * Sleeping. A futex wait is two steps: the comparison, which is an access like any other, and then sleep, from which
 * only a wake-up of the same word brings the actor back, first come first served, as the futex does. A bound of
 * STAGE_FUNCTIONAL_NS or more guards against lost wake-ups and never ends a sleep here, so that a lost wake-up shows as
 * a deadlock; a shorter one, and one with STAGE_TIMED, is part of the function and ends it on the virtual clock, which counts
 * steps and leaps forward when nobody else can go on. It may also leap earlier, by choice, to the end of the sleep that ends first:
 * between two steps any time may pass.
 *
 * Memory. Under STAGE_TSO a plain store of a point goes into a buffer of its actor and reaches memory by a step of its own,
 * in order: what x86 does. Actor i has its buffer drained by the player STAGE_DRAIN + i, whom a strategy chooses like any other. An
 * actor sees its own stores: they are put into memory while it makes a step and taken out after it. A read-modify-write, a lock, a
 * fence, a wait and a wake-up drain the buffer first. What no point announces is in memory at once: it is ordered by what
 * points announce (tools/points), so nobody can tell.
 */
#ifndef IOPF_STAGE_H
#define IOPF_STAGE_H

#include "iopf/cython_ext/atomic.h"

#define STAGE_SLOTS 32
#define STAGE_DRAIN 16       /* the player that drains the buffer of actor 0 */
#define STAGE_STORES 8       /* in a buffer; more push the oldest out */
#define STAGE_STEP_NS 100
#define STAGE_FUNCTIONAL_NS 10000000u
#define STAGE_TIMED ((uint64_t)1 << 63) /* of a bound: it is part of the function, however long it is */

enum { PLAY_ABSENT = 0, PLAY_READY, PLAY_ASLEEP, PLAY_OVER, PLAY_DEAD };

typedef struct {
    /* line 0: where the actor stands */
    void *sp, *loop_sp;       /* of the actor while it is off; of the process while the actor is on */
    uint64_t where;           /* address of the pending access, or of the word slept on */
    uint64_t due;             /* virtual time at which a sleep ends by itself; 0: never */
    uint32_t id, kind;        /* the pending point */
    uint32_t state, result;   /* result of a sleep: 0, or the errno of its end */
    uint32_t want, pad;       /* what the word was that is slept on */
    uint64_t since;           /* step of falling asleep: who came first wakes first */
    /* line 1: of the schedule */
    uint64_t priority, taken, expected;  /* strategy: priority; steps made, and made by the last schedule */
    uint64_t low, high;       /* the actor's stack */
    uint64_t pad1[3];
    /* line 2: of the process that plays it */
    uint32_t go, asleep;      /* the token, as a futex; set while its process sleeps on it, or is about to */
    uint64_t pad3[7];
} stage_slot;

typedef struct {
    uint32_t id;
    uint32_t where;           /* offset of the access in the arena / 4, 0 outside */
    uint16_t slot, kind;
    uint32_t enabled;         /* mask of those who could have gone */
} stage_step;

enum { STAGE_SC = 0, STAGE_TSO = 1 };

typedef struct {
    uint64_t where, mask, value, under; /* an aligned word, which of its bytes, what they become, and what they are in memory */
    uint32_t id, pad;
    uint64_t pad1;
} stage_store;

typedef struct {
    uint32_t count, entered;  /* entered: the stores are in memory while their actor makes a step */
    uint64_t wrote, window;   /* the word that the step stores to, and which of its bytes; 0: none */
    uint64_t before;          /* the word as the actor saw it before */
    uint32_t id, pad;
    uint64_t pad1[3];
    stage_store store[STAGE_STORES];
} stage_buffer;

typedef struct {
    uint64_t now, steps, hash, budget;
    uint64_t arena;           /* address of the arena: what makes offsets of addresses */
    uint64_t room;            /* steps that can be recorded */
    uint32_t current, players;
    uint32_t ended, quit;     /* why the schedule is over (enum End); the processes may go */
    /* the strategy's; see emulator/sched/strategies.pxd */
    uint32_t strategy, depth;
    uint64_t rng, max_steps, length;  /* length: steps that the schedule is expected to have */
    uint64_t change[16];      /* PCT: steps at which the one who runs loses its priority */
    uint64_t path_steps;      /* replay: how much of the path below is to be followed */
    uint64_t path;            /* offset of the path from the stage: a byte per step, the slot */
    uint64_t path_at;         /* place in the path, where that is not the step */
    uint32_t memory, step_ns; /* STAGE_SC or STAGE_TSO; what a step takes on the virtual clock */
    uint32_t held;            /* mask of the actors that make no step until they are let go, as if stopped by a signal */
    uint32_t early;           /* one in so many choices leaps to the end of a sleep; 0: none */
    /* Masks that say of all slots at once what each slot says of itself: by `stage_stand` and `stage_pend`. */
    uint32_t ready, locking;  /* PLAY_READY; their pending step takes a lock */
    uint32_t timed, buffered; /* PLAY_ASLEEP with a time; players of STAGE_DRAIN and up with something to drain */
    uint32_t first_due, pad0; /* who would be next on the virtual clock, with `timed` */
    uint64_t pad[5];
    stage_slot slot[STAGE_SLOTS];
    stage_buffer buffer[STAGE_DRAIN];
    stage_step step[];
} stage;

_Static_assert(sizeof(stage_slot) % 64 == 0, "slots are lines");

/* What becomes of an actor; that it sleeps to a time is said behind this, in `timed`. */
static inline void stage_stand(stage *st, uint32_t slot, uint32_t state) {
    uint32_t bit = (uint32_t)1 << slot;
    st->slot[slot].state = state;
    st->ready = state == PLAY_READY ? st->ready | bit : st->ready & ~bit;
    st->timed &= ~bit;
}

/* What an actor that is ready will do next. */
static inline void stage_pend(stage *st, uint32_t slot, uint32_t takes_lock) {
    uint32_t bit = (uint32_t)1 << slot;
    st->locking = takes_lock ? st->locking | bit : st->locking & ~bit;
}

/* The end of a sleep: woken with 0, or an errno. */
static inline void stage_rise(stage *st, uint32_t slot, uint32_t result) {
    st->slot[slot].result = result, st->slot[slot].due = 0;
    stage_pend(st, slot, 0);
    stage_stand(st, slot, PLAY_READY);
}

/* Saves the callee-saved registers and the stack pointer in *save, and goes on where `load` was saved. It leaves by a jump: what the
 * processor predicts for a return is the caller on the stack that is being left. */
void iopf_switch(void **save, void *load) __attribute__((visibility("hidden")));
#if defined(__x86_64__)
__asm__(".text\n.p2align 4\n.hidden iopf_switch\n.type iopf_switch,@function\niopf_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\npop %rcx\njmp *%rcx\n"
        ".size iopf_switch,.-iopf_switch\n");
#define STAGE_FRAME_WORDS 7
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
#define STAGE_FRAME_WORDS 20
#else
#error "controlled running needs x86-64 or aarch64"
#endif

/* Notes the step that is about to be made. */
static inline void stage_note(stage *st, uint32_t slot, uint32_t enabled) {
    const stage_slot *s = &st->slot[slot];
    uint64_t off = s->where - st->arena;
    uint32_t where = off < ((uint64_t)1 << 34) ? (uint32_t)(off >> 2) : 0;
    if (st->steps < st->room)
        st->step[st->steps] = (stage_step){s->id, where, (uint16_t)slot, (uint16_t)s->kind, enabled};
    st->steps++;
    st->now += st->step_ns;
    st->hash = (st->hash ^ (((uint64_t)s->id << 32 | where) + slot * 0x9e3779b97f4a7c15u)) * 0x100000001b3u;
    st->hash ^= st->hash >> 29;
}

#endif
