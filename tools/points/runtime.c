/* SPDX-License-Identifier: MIT
 *
 * Runtime for the compiler's thread-sanitizer instrumentation: a check of scheduling points, not of threads.
 *
 * The extensions are compiled with -fsanitize=thread and call these functions instead of the sanitizer's. A schedule runs
 * as fibers in one thread; the run queue gives the current actor and its announced access. An access to the word of the
 * point is *announced*: explorers of schedules know it. Every other access to the board is *silent*. Announced accesses must
 * order it with the accesses of other actors to the same bytes: a silent access without such an order could race, but no
 * schedule reorders it.
 *
 * Order is kept as vector clocks, with C11's orderings. An announced write with release stores the clock of its actor with the
 * word, an announced read with acquire merges the clock of the word; a read-modify-write does both. Relaxed accesses do so
 * through a fence only. Reads order nothing after them, so the check also holds for delayed stores; what those may do to the
 * outcome is in `orders.h`. A point announces one access: a further access of its step to the word is silent again.
 *
 * Findings: two accesses by program counter, the offset of the word, and the kind; each pair once. Besides races, locked
 * instructions and fences without a point are reported: with delayed stores they matter to explorers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "iopf/cython_ext/crew.h"

#define PUBLIC __attribute__((visibility("default")))
#define SLOTS RQ_SLOTS
#define GRAIN_SHIFT 2 /* granularity: 4 bytes */
#define FINDINGS 4096

enum { READ = 0, WRITE = 1, TALLY = 2, KINDS = 3, RMW = 3 };
enum { FOUND_RACE = 1, FOUND_LOCKED = 2, FOUND_FENCE = 3, FOUND_OVERTAKEN = 4, FOUND_RELAXED = 5 };
enum { NO_ORDER = -1 }; /* of a plain access; otherwise __ATOMIC_... */

static void join(uint32_t *into, const uint32_t *from) {
    for (int i = 0; i < SLOTS; i++)
        if (from[i] > into[i]) into[i] = from[i];
}

static void report(uint32_t what, uint32_t actor, uint64_t offset, const void *pc, uint32_t write, uint32_t other, const void *other_pc,
                   uint32_t other_write, uint32_t announced);
#include "iopf/tools/points/orders.h"

typedef struct {
    uint32_t schedule, pad;
    word_order order;
    uint32_t silent[KINDS][SLOTS], announced[KINDS][SLOTS]; /* [kind][actor]: the actor's clock at its last such access */
    const void *silent_pc[KINDS][SLOTS], *announced_pc[KINDS][SLOTS];
    uint32_t clock[SLOTS]; /* clock of the last announced write */
} cell;

typedef struct {
    uint32_t what, point, other_actor, other_announced;
    uint32_t actor, other_write, write, pad;
    uint64_t offset;
    const void *pc, *other_pc;
} finding;

static struct {
    runqueue *rq;
    char *arena;
    uint64_t length; /* checked bytes of the board: up to the stacks */
    uint64_t analysis, analysis_end; /* lock-order data and verdicts: not checked */
    cell *cells;
    uint64_t mapped;
    int on;
    uint32_t schedule;
    uint64_t last_step, accesses, silent;
    uint32_t clock[SLOTS][SLOTS];
    uint32_t read[SLOTS][SLOTS], fenced[SLOTS][SLOTS]; /* what relaxed loads have read; the clock at the last fence */
    uint64_t step; /* the last step with an announced access, and the number of those */
    uint32_t looks;
    finding findings[FINDINGS];
    uint32_t found, blind; /* blind: an operation whose points are ignored */
    uint32_t weak;         /* an operation whose fences, locked instructions and orderings are ignored */
} w;

PUBLIC int points_watch(char *arena, uint64_t length, uint64_t crew, runqueue *rq) {
    w.mapped = (length >> GRAIN_SHIFT) * sizeof(cell);
    w.cells = mmap(0, w.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (w.cells == MAP_FAILED) return -1;
    w.arena = arena, w.length = length, w.rq = rq;
    w.analysis = crew + __builtin_offsetof(iopf_crew, lock_order), w.analysis_end = crew + sizeof(iopf_crew);
    w.schedule = 0, w.last_step = (uint64_t)-1;
    return 0;
}

PUBLIC void points_on(int on) { w.on = on, w.last_step = (uint64_t)-1; }
/* Ignores the points of one operation, as if a test had removed them. 0: none. */
PUBLIC void points_blind(uint32_t operation) { w.blind = operation; }
/* Takes the fences of one operation for none, its locked instructions for a load and a store, and its accesses for relaxed ones. */
PUBLIC void points_weaken(uint32_t operation) { w.weak = operation; }

PUBLIC void points_unwatch(void) {
    if (w.cells) munmap(w.cells, w.mapped);
    w.cells = 0, w.on = 0;
}

PUBLIC uint32_t points_found(void) { return w.found < FINDINGS ? w.found : FINDINGS; }
PUBLIC const finding *points_finding(uint32_t i) { return &w.findings[i]; }
PUBLIC uint64_t points_accesses(void) { return w.accesses; }
PUBLIC uint64_t points_silent(void) { return w.silent; }

static void report(uint32_t what, uint32_t actor, uint64_t offset, const void *pc, uint32_t write, uint32_t other,
                   const void *other_pc, uint32_t other_write, uint32_t announced) {
    for (uint32_t i = 0; i < w.found && i < FINDINGS; i++) {
        const finding *f = &w.findings[i];
        if (f->what == what && f->pc == pc && f->other_pc == other_pc) return;
    }
    if (w.found >= FINDINGS) return;
    w.findings[w.found++] = (finding){.what = what, .point = w.rq->slot[actor].id, .other_actor = other,
                                      .other_announced = announced, .actor = actor, .other_write = other_write,
                                      .write = write, .offset = offset, .pc = pc, .other_pc = other_pc};
}

static void begin_schedule(void) {
    w.schedule++;
    memset(w.clock, 0, sizeof(w.clock));
    for (int i = 0; i < SLOTS; i++) w.clock[i][i] = 1;
    memset(w.read, 0, sizeof(w.read));
    memset(w.fenced, 0, sizeof(w.fenced));
    w.step = w.looks = 0;
    memset(orders, 0, sizeof(orders));
}

/* Masks of the kinds that do not commute with a kind. */
static const uint32_t conflicts[KINDS] = {1 << WRITE | 1 << TALLY, 1 << READ | 1 << WRITE | 1 << TALLY, 1 << READ | 1 << WRITE};

/* Whether the conflicting accesses of other actors happen before this one. */
static void compare(cell *c, uint32_t me, int kind, int announced, uint64_t offset, const void *pc) {
    for (uint32_t q = 1; q < w.rq->actors && q < SLOTS; q++) {
        if (q == me) continue;
        for (int k = 0; k < KINDS; k++) {
            if (!(conflicts[kind] >> k & 1)) continue;
            if (c->silent[k][q] > w.clock[me][q]) {
                report(FOUND_RACE, me, offset, pc, kind, q, c->silent_pc[k][q], k, 0);
            } else if (!announced && c->announced[k][q] > w.clock[me][q]) {
                report(FOUND_RACE, me, offset, pc, kind, q, c->announced_pc[k][q], k, 1);
            }
        }
    }
}

static void note(cell *c, int kind, int announced, uint32_t me, const void *pc) {
    (announced ? c->announced : c->silent)[kind][me] = w.clock[me][me];
    (announced ? c->announced_pc : c->silent_pc)[kind][me] = pc;
}

static cell *cell_at(uint64_t offset) {
    cell *c = &w.cells[offset >> GRAIN_SHIFT];
    if (c->schedule != w.schedule) {
        memset(c, 0, sizeof(*c));
        c->schedule = w.schedule;
    }
    return c;
}

static void touch(uint64_t offset, int kind, int order, int announced, uint32_t me, const void *pc) {
    cell *c = cell_at(offset);
    if (announced && kind != WRITE) join(order >= __ATOMIC_ACQUIRE ? w.clock[me] : w.read[me], c->clock);
    compare(c, me, kind == RMW ? WRITE : kind, announced, offset, pc);
    note(c, kind == RMW ? WRITE : kind, announced, me, pc);
    if (!announced || kind == READ) return;
    const uint32_t *shown = order >= __ATOMIC_RELEASE ? w.clock[me] : w.fenced[me];
    if (kind == RMW)
        join(c->clock, shown);
    else
        memcpy(c->clock, shown, sizeof(c->clock));
}

/* A point announces one access: a load, a store, or a load and the compare-and-swap that follows it. */
static int is_announced(const rq_slot *s, uint64_t offset, int kind) {
    if (s->kind == ACC_LOCAL || s->kind == ACC_NAP || s->kind == ACC_FENCE) return 0;
    if (w.blind && (s->id & 0xff) == w.blind) return 0;
    if (offset != s->where - (uint64_t)(uintptr_t)w.arena) return 0;
    if (w.step != w.rq->steps) w.step = w.rq->steps, w.looks = 0;
    if (w.looks == 2 || (w.looks == 1 && kind == READ)) return 0;
    w.looks = kind == READ ? 1 : 2;
    return 1;
}

static void access_at(const volatile void *p, uint64_t size, int kind, int order, const void *pc) {
    if (!w.on) return;
    uint64_t offset = (uint64_t)((const char *)p - w.arena);
    if (offset >= w.length || size > w.length - offset) return;
    if (offset >= w.analysis && offset < w.analysis_end) return;
    runqueue *rq = w.rq;
    uint32_t me = rq->current;
    int locked = kind == RMW || (kind == WRITE && order == __ATOMIC_SEQ_CST);
    if (me == 0 || me >= SLOTS) return;
    if (rq->steps < w.last_step) begin_schedule();
    w.last_step = rq->steps;
    const rq_slot *s = &rq->slot[me];
    int announced = is_announced(s, offset, kind);
    w.accesses++;
    w.silent += !announced;
    if (locked && !announced) report(FOUND_LOCKED, me, offset, pc, kind, 0, 0, 0, 0);
    if (w.weak && (s->id & 0xff) == w.weak) order = __ATOMIC_RELAXED, locked = 0;
    if (announced || locked) {
        word_order *o = &cell_at(offset)->order;
        if (locked) order_fence(me);
        if (kind != WRITE) order_load(o, me, s->kind, offset, order == __ATOMIC_ACQUIRE || order == __ATOMIC_SEQ_CST, pc);
        if (kind != READ) order_store(o, me, locked, order < __ATOMIC_RELEASE, pc);
    }
    for (uint64_t at = offset & ~(uint64_t)3; at < offset + size; at += 1 << GRAIN_SHIFT) touch(at, kind, order, announced, me, pc);
    if (announced && kind != READ) w.clock[me][me]++;
}

#define PC __builtin_return_address(0)

PUBLIC void __tsan_init(void) {}
PUBLIC void __tsan_func_entry(void *pc) { (void)pc; }
PUBLIC void __tsan_func_exit(void) {}

#define PLAIN(N)                                                                                                   \
    PUBLIC void __tsan_read##N(void *p) { access_at(p, N, READ, NO_ORDER, PC); }                                          \
    PUBLIC void __tsan_write##N(void *p) { access_at(p, N, WRITE, NO_ORDER, PC); }                                        \
    PUBLIC void __tsan_unaligned_read##N(void *p) { access_at(p, N, READ, NO_ORDER, PC); }                                \
    PUBLIC void __tsan_unaligned_write##N(void *p) { access_at(p, N, WRITE, NO_ORDER, PC); }                              \
    PUBLIC void __tsan_volatile_read##N(void *p) { access_at(p, N, READ, NO_ORDER, PC); }                                 \
    PUBLIC void __tsan_volatile_write##N(void *p) { access_at(p, N, WRITE, NO_ORDER, PC); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

PUBLIC void __tsan_read_range(void *p, unsigned long n) { access_at(p, n, READ, NO_ORDER, PC); }
PUBLIC void __tsan_write_range(void *p, unsigned long n) { access_at(p, n, WRITE, NO_ORDER, PC); }

/* Library functions are not instrumented: an include of every module redirects them here (build.py). */
PUBLIC void *points_memcpy(void *to, const void *from, unsigned long n) {
    access_at(from, n, READ, NO_ORDER, PC);
    access_at(to, n, WRITE, NO_ORDER, PC);
    return memcpy(to, from, n);
}
PUBLIC void *points_memset(void *to, int value, unsigned long n) {
    access_at(to, n, WRITE, NO_ORDER, PC);
    return memset(to, value, n);
}

/* A tally that no behaviour depends on (atomic.h). */
#define TALLIES(T, B)                                                    \
    PUBLIC T points_tally##B(volatile T *p, T n, int order) {            \
        access_at(p, B / 8, TALLY, order, PC);                           \
        return __atomic_fetch_add(p, n, __ATOMIC_SEQ_CST);               \
    }
TALLIES(uint32_t, 32)
TALLIES(uint64_t, 64)

#define ATOMIC(T, B)                                                                                               \
    PUBLIC T __tsan_atomic##B##_load(const volatile T *p, int mo) {                                                \
        access_at(p, B / 8, READ, mo, PC);                                                                         \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                               \
    }                                                                                                              \
    PUBLIC void __tsan_atomic##B##_store(volatile T *p, T v, int mo) {                                             \
        access_at(p, B / 8, WRITE, mo, PC);                                                                        \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                  \
    }                                                                                                              \
    PUBLIC int __tsan_atomic##B##_compare_exchange_strong(volatile T *p, T *want, T v, int mo, int fail) {         \
        (void)fail;                                                                                                \
        access_at(p, B / 8, RMW, mo, PC);                                                                          \
        return __atomic_compare_exchange_n(p, want, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                     \
    }                                                                                                              \
    PUBLIC int __tsan_atomic##B##_compare_exchange_weak(volatile T *p, T *want, T v, int mo, int fail) {           \
        (void)fail;                                                                                                \
        access_at(p, B / 8, RMW, mo, PC);                                                                          \
        return __atomic_compare_exchange_n(p, want, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                     \
    }                                                                                                              \
    CHANGE(T, B, exchange, exchange_n)                                                                             \
    CHANGE(T, B, fetch_add, fetch_add)                                                                             \
    CHANGE(T, B, fetch_sub, fetch_sub)                                                                             \
    CHANGE(T, B, fetch_and, fetch_and)                                                                             \
    CHANGE(T, B, fetch_or, fetch_or)                                                                               \
    CHANGE(T, B, fetch_xor, fetch_xor)
#define CHANGE(T, B, NAME, BUILTIN)                                                                                \
    PUBLIC T __tsan_atomic##B##_##NAME(volatile T *p, T v, int mo) {                                               \
        access_at(p, B / 8, RMW, mo, PC);                                                                          \
        return __atomic_##BUILTIN(p, v, __ATOMIC_SEQ_CST);                                                         \
    }
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)

PUBLIC void __tsan_atomic_thread_fence(int mo) {
    runqueue *rq = w.rq;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!w.on || mo != __ATOMIC_SEQ_CST || !rq || rq->current == 0 || rq->current >= SLOTS) return;
    const rq_slot *s = &rq->slot[rq->current];
    if (w.weak && (s->id & 0xff) == w.weak) return;
    order_fence(rq->current);
    join(w.clock[rq->current], w.read[rq->current]);
    memcpy(w.fenced[rq->current], w.clock[rq->current], sizeof(w.clock[0]));
    if (s->kind != ACC_FENCE && s->kind != ACC_WAKE && s->kind != ACC_RMW)
        report(FOUND_FENCE, rq->current, s->where - (uint64_t)(uintptr_t)w.arena, PC, READ, 0, 0, 0, 0);
}
PUBLIC void __tsan_atomic_signal_fence(int mo) { (void)mo; }
