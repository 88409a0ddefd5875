/* SPDX-License-Identifier: MIT
 *
 * Runtime of the machine: the instrumentation's functions, store buffers, and actors on stacks of their own. See `machine.h`;
 * `explore.h` visits the states.
 *
 * An actor leaves its stack before a load, a locked instruction, a fence and a system call, and under SC before a store. Otherwise a
 * store only enters the actor's own buffer, which no other actor can see, so it is no step; the step is the drain. Plain accesses run
 * with the step before them. An actor's own stores are in memory while it runs, as in `stores.h`.
 */
#define MACHINE_RUNTIME
#include "machine.h"

#include <stddef.h>
#include <stdlib.h>

#define PUBLIC __attribute__((visibility("default")))
#define STORES 12
#define STACK 32768
#define STALE 2048 /* cleared below a stack, so that equal states have equal stacks */

enum { READY = 0, ASLEEP, NAPPING, FINISHED };

typedef struct {
    uint64_t where, mask, value, under; /* an aligned word, mask of its stored bytes, their value, their value in memory */
    uint64_t release;                   /* leaves after all earlier stores */
} delayed;

typedef struct {
    void *sp, *back;
    uint64_t where; /* of the pending step */
    const void *pc;
    uint32_t kind, state, timed, result;
    uint64_t since; /* order of the sleepers */
    uint32_t count;
    uint16_t polls, fresh; /* it naps; another actor has changed memory since its last nap */
    delayed store[STORES];
} fiber;

static struct {
    char board[64 + sizeof(iopf_crew) + MACHINE_ACTORS * sizeof(iopf_actor) + MACHINE_ROOM] __attribute__((aligned(64)));
    char stack[MACHINE_ACTORS][STACK] __attribute__((aligned(64)));
    fiber fiber[MACHINE_ACTORS];
    uint32_t actors, current, model, on;
    uint64_t sleeps;
    uint64_t plain, plain_end; /* a plain store that is about to happen */
    uint64_t before[16];
    const char *failure;
    void (*run)(uint32_t);
} m;

PUBLIC int machine_mutant;

PUBLIC iopf_crew *machine_crew(void) { return (iopf_crew *)(m.board + 64); }
PUBLIC void *machine_head(void) { return m.board; }
PUBLIC void *machine_room(void) { return crew_actor(machine_crew(), m.actors); }
PUBLIC void machine_fail(const char *what) {
    if (!m.failure) m.failure = what;
}

/* Whether other actors may read the word. What an actor keeps for itself in its record (counters, held locks) is no shared memory here. */
static int on_board(const volatile void *p, uint64_t size) {
    uint64_t at = (uint64_t)((const char *)p - m.board), actors = 64 + sizeof(iopf_crew);
    if (!m.on || at >= sizeof(m.board) || size > sizeof(m.board) - at) return 0;
    if (at < actors || at >= actors + m.actors * sizeof(iopf_actor)) return 1;
    at = (at - actors) % sizeof(iopf_actor);
    return at == offsetof(iopf_actor, rcu_epoch) || at == offsetof(iopf_actor, searching) || at == offsetof(iopf_actor, bell_seq) ||
           at == offsetof(iopf_actor, state);
}

static uint64_t *word_at(uint64_t where) { return (uint64_t *)(uintptr_t)where; }
static void put(uint64_t where, uint64_t mask, uint64_t value) { *word_at(where) = (*word_at(where) & ~mask) | (value & mask); }

static uint64_t mask_of(uint64_t at, uint64_t size) {
    uint64_t ones = size >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << size * 8) - 1;
    return ones << (at & 7) * 8;
}

/* A change of memory that other actors can see ends their naps, also the nap that an actor is about to begin. */
static void changed(uint32_t by) {
    for (uint32_t i = 0; i < m.actors; i++) {
        fiber *f = &m.fiber[i];
        if (i == by) continue;
        if (f->state == NAPPING)
            f->state = READY;
        else
            f->fresh = f->polls;
    }
}

static void flush(uint32_t actor, uint32_t at) {
    fiber *f = &m.fiber[actor];
    put(f->store[at].where, f->store[at].mask, f->store[at].value);
    f->count--;
    memmove(&f->store[at], &f->store[at + 1], (f->count - at) * sizeof(delayed));
    changed(actor);
}

static void stores_show(fiber *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        f->store[i].under = *word_at(f->store[i].where);
        put(f->store[i].where, f->store[i].mask, f->store[i].value);
    }
}

static void stores_hide(fiber *f) {
    for (uint32_t i = f->count; i > 0; i--) {
        put(f->store[i - 1].where, f->store[i - 1].mask, f->store[i - 1].under);
        f->store[i - 1].under = 0;
    }
}

/* The value is in memory already, as `stores_show` would have put it. */
static void delay(uint64_t where, uint64_t mask, uint64_t under, int release) {
    fiber *f = &m.fiber[m.current];
    if (f->count == STORES) {
        stores_hide(f);
        flush(m.current, 0);
        stores_show(f);
    }
    f->store[f->count++] = (delayed){where, mask, *word_at(where) & mask, under, release || m.model != MACHINE_PSO};
}

/* The plain store of the last call has happened: what it changed is delayed. */
static void settle(void) {
    uint64_t at = m.plain, n = 0;
    m.plain = 0;
    for (; at && at < m.plain_end; at += 8, n++) {
        uint64_t now = *word_at(at), mask = 0;
        for (int i = 0; i < 64; i += 8)
            if ((now ^ m.before[n]) >> i & 0xff) mask |= (uint64_t)0xff << i;
        if (!mask) continue;
        if (m.model == MACHINE_SC)
            changed(m.current);
        else
            delay(at, mask, m.before[n], 0);
    }
}

static void plain_write(const void *p, uint64_t size) {
    settle();
    if (!on_board(p, size)) return;
    m.plain = (uint64_t)(uintptr_t)p & ~(uint64_t)7;
    m.plain_end = (uint64_t)(uintptr_t)p + size;
    for (uint64_t at = m.plain, n = 0; at < m.plain_end && n < 16; at += 8, n++) m.before[n] = *word_at(at);
}

static void leave(fiber *f) {
    settle();
    stores_hide(f);
    iopf_switch(&f->sp, f->back);
}

/* Leaves the stack; returns when the step has been chosen. A step that waits for the buffer finds it empty. */
static void step(uint32_t kind, const volatile void *p, const void *pc) {
    fiber *f = &m.fiber[m.current];
    f->kind = kind, f->where = (uint64_t)(uintptr_t)p, f->pc = pc;
    leave(f);
}

#define PC __builtin_return_address(0)

static int load_step(const volatile void *p, uint64_t size, const void *pc) {
    settle();
    if (on_board(p, size)) step(STEP_LOAD, p, pc);
    return 1;
}

static void locked_step(const volatile void *p, uint64_t size, const void *pc) {
    settle();
    if (on_board(p, size)) step(STEP_LOCKED, p, pc);
}

static void store_step(volatile void *p, uint64_t size, uint64_t value, int release, int total, const void *pc) {
    uint64_t where = (uint64_t)(uintptr_t)p & ~(uint64_t)7, mask = mask_of((uint64_t)(uintptr_t)p, size), under;
    settle();
    if (m.model == MACHINE_SC) step(STEP_STORE, p, pc);
    under = *word_at(where);
    put(where, mask, value << ((uint64_t)(uintptr_t)p & 7) * 8);
    if (m.model == MACHINE_SC) {
        if (*word_at(where) != under) changed(m.current);
        return;
    }
    delay(where, mask, under, release);
    if (total) step(STEP_FENCE, p, pc);
}

PUBLIC int machine_wait(volatile uint32_t *p, uint32_t want, uint64_t timeout_ns) {
    fiber *f = &m.fiber[m.current];
    step(STEP_WAIT, p, PC);
    if (*p != want) return 0;
    f->state = ASLEEP, f->timed = timeout_ns < RQ_FUNCTIONAL_NS, f->since = ++m.sleeps;
    leave(f);
    return -(int)f->result;
}

PUBLIC int machine_wake(volatile uint32_t *p, uint32_t most) {
    int n = 0;
    step(STEP_WAKE, p, PC);
    for (; most > 0; most--, n++) {
        fiber *first = 0;
        for (uint32_t i = 0; i < m.actors; i++) {
            fiber *f = &m.fiber[i];
            if (f->state == ASLEEP && f->where == (uint64_t)(uintptr_t)p && (!first || f->since < first->since)) first = f;
        }
        if (!first) break;
        first->state = READY, first->result = 0, first->timed = 0, first->since = 0;
    }
    return n;
}

PUBLIC void machine_nap(void) {
    fiber *f = &m.fiber[m.current];
    settle();
    f->kind = STEP_NAP, f->where = 0, f->pc = PC;
    f->state = f->polls && !f->fresh ? NAPPING : READY;
    f->polls = 1, f->fresh = 0;
    leave(f);
}

PUBLIC void *machine_memset(void *to, int value, unsigned long n) {
    for (unsigned long i = 0; i < n;) {
        unsigned long part = n - i < 64 ? n - i : 64;
        plain_write((char *)to + i, part);
        memset((char *)to + i, value, part);
        i += part;
    }
    settle();
    return to;
}

PUBLIC void *machine_memcpy(void *to, const void *from, unsigned long n) {
    for (unsigned long i = 0; i < n;) {
        unsigned long part = n - i < 64 ? n - i : 64;
        plain_write((char *)to + i, part);
        memcpy((char *)to + i, (const char *)from + i, part);
        i += part;
    }
    settle();
    return to;
}

PUBLIC void __tsan_init(void) {}
PUBLIC void __tsan_func_entry(void *pc) { (void)pc; }
PUBLIC void __tsan_func_exit(void) {}

#define PLAIN(N)                                                                \
    PUBLIC void __tsan_read##N(void *p) { (void)p, settle(); }                  \
    PUBLIC void __tsan_write##N(void *p) { plain_write(p, N); }                 \
    PUBLIC void __tsan_unaligned_read##N(void *p) { (void)p, settle(); }        \
    PUBLIC void __tsan_unaligned_write##N(void *p) { plain_write(p, N); }       \
    PUBLIC void __tsan_volatile_read##N(void *p) { (void)p, settle(); }         \
    PUBLIC void __tsan_volatile_write##N(void *p) { plain_write(p, N); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

PUBLIC void __tsan_read_range(void *p, unsigned long n) { (void)p, (void)n, settle(); }
PUBLIC void __tsan_write_range(void *p, unsigned long n) { plain_write(p, n < 64 ? n : 64); }

PUBLIC uint32_t points_tally32(volatile uint32_t *p, uint32_t n, int order) {
    (void)order;
    locked_step(p, 4, PC);
    return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST);
}
PUBLIC uint64_t points_tally64(volatile uint64_t *p, uint64_t n, int order) {
    (void)order;
    locked_step(p, 8, PC);
    return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST);
}

#define CHANGE(T, B, NAME, BUILTIN)                                                                                \
    PUBLIC T __tsan_atomic##B##_##NAME(volatile T *p, T v, int mo) {                                               \
        (void)mo;                                                                                                  \
        locked_step(p, B / 8, PC);                                                                                 \
        T old = __atomic_##BUILTIN(p, v, __ATOMIC_SEQ_CST);                                                        \
        if (*p != old && on_board(p, B / 8)) changed(m.current);                                                   \
        return old;                                                                                                \
    }
#define ATOMIC(T, B)                                                                                               \
    PUBLIC T __tsan_atomic##B##_load(const volatile T *p, int mo) {                                                \
        (void)mo;                                                                                                  \
        load_step(p, B / 8, PC);                                                                                   \
        return *p;                                                                                                 \
    }                                                                                                              \
    PUBLIC void __tsan_atomic##B##_store(volatile T *p, T v, int mo) {                                             \
        if (on_board(p, B / 8))                                                                                    \
            store_step(p, B / 8, v, mo != __ATOMIC_RELAXED, mo == __ATOMIC_SEQ_CST, PC);                           \
        else                                                                                                       \
            *p = v;                                                                                                \
    }                                                                                                              \
    PUBLIC int __tsan_atomic##B##_compare_exchange_strong(volatile T *p, T *want, T v, int mo, int fail) {         \
        (void)mo, (void)fail;                                                                                      \
        locked_step(p, B / 8, PC);                                                                                 \
        if (*p != *want) {                                                                                         \
            *want = *p;                                                                                            \
            return 0;                                                                                              \
        }                                                                                                          \
        if (v != *p && on_board(p, B / 8)) changed(m.current);                                                     \
        *p = v;                                                                                                    \
        return 1;                                                                                                  \
    }                                                                                                              \
    CHANGE(T, B, exchange, exchange_n)                                                                             \
    CHANGE(T, B, fetch_add, fetch_add)                                                                             \
    CHANGE(T, B, fetch_sub, fetch_sub)                                                                             \
    CHANGE(T, B, fetch_and, fetch_and)                                                                             \
    CHANGE(T, B, fetch_or, fetch_or)                                                                               \
    CHANGE(T, B, fetch_xor, fetch_xor)
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)

PUBLIC void __tsan_atomic_thread_fence(int mo) {
    settle();
    if (m.on && mo == __ATOMIC_SEQ_CST && m.fiber[m.current].count) step(STEP_FENCE, 0, PC);
}
PUBLIC void __tsan_atomic_signal_fence(int mo) { (void)mo; }

#include "explore.h"
