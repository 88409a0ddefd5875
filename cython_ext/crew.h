/* SPDX-License-Identifier: MIT
 *
 * The crew: one record per actor (a process of the system), and the scheduling point.
 *
 * Writers
 *   crew header      its creator, before the start; `rcu_epoch`, `lock_order`, `verdicts`: any actor, atomically; `drop`: a test
 *                    before the start, and 0 by the waiter that has counted the loss
 *   actor line 0     the owner at every point; `mode` and the noise odds: the creator
 *   actor line 1     the owner (RCU epoch, held locks); read by actors that wait for a grace period
 *   actor line 2     the doorbell: `seq` by ringing actors, `waiters` by the owner
 *   actor line 3     identity: the owner when it starts; `state`: the supervisor after a death
 *   actor line 4..   counters, owner only
 * Readers (supervisor, `iopf top`) read each word independently; they never need two words to agree.
 *
 * A scheduling point costs a store to the owner's own line and one predicted branch. `mode` selects what happens in
 * the slow path: noise (random yields and short sleeps), or control, where the actor switches away (`runqueue.h`).
 * Every sleep, nap, wake-up and clock read of an actor uses the functions here.
 */
#ifndef IOPF_CREW_H
#define IOPF_CREW_H

#include "iopf/cython_ext/atomic.h"
#include "iopf/cython_ext/runqueue.h"

#define CREW_MAX_CLASSES 32  /* lock classes and pools, each */
#define CREW_VERDICTS 16
#define CREW_MAGAZINES 16
#define CREW_HELD 8

enum { POINT_NORMAL = 0, POINT_NOISE = 1, POINT_CONTROLLED = 2 };
/* The kind of access that a point precedes; explorers derive dependence from it. */
enum { ACC_LOCAL = 0, ACC_READ, ACC_WRITE, ACC_RMW, ACC_LOCK, ACC_UNLOCK, ACC_WAIT, ACC_WAKE, ACC_NAP, ACC_FENCE, ACC_DRAIN };

enum {
    ACTOR_UNUSED = 0, ACTOR_STARTING, ACTOR_READY, ACTOR_RUNNING, ACTOR_STOPPING, ACTOR_DONE, ACTOR_DEAD
};

typedef struct {
    uint32_t kind, actor, site, cls;
    uint64_t object, generation, detail;
    uint32_t other_actor, ready;  /* ready: written last, so that readers see complete verdicts */
} iopf_verdict;

typedef struct {
    uint32_t head, count;     /* free list of this actor: index + 1 of its first object, length */
    uint64_t allocs, frees;   /* totals of this actor */
    uint64_t fails, pad;
} iopf_magazine;

typedef struct {
    /* line 0 */
    uint32_t last_point, mode;
    uint64_t heartbeat, rng, points;
    uint32_t noise_yield_in, noise_sleep_in;
    uint32_t wait_site, pad0;
    uint64_t wait_since_ns;
    uint32_t armed_site, armed_at; /* where and on which eventcount (offset from the crew / 8) it last prepared to sleep */
    /* line 1 */
    uint64_t rcu_epoch;
    uint32_t rcu_nest, held_count;
    uint32_t held[CREW_HELD];
    uint64_t searching, pad1; /* counted in a work ring as searching */
    /* line 2 */
    uint32_t bell_seq, bell_waiters;
    uint64_t pad2[7];
    /* line 3 */
    uint32_t slot, role, index, pid;
    uint64_t start_time;
    uint32_t state, exit_status;
    uint64_t program_over;    /* the actor's program has finished */
    uint64_t lost_site;       /* where the last lost wake-up was counted */
    uint64_t pad3[2];
    /* lines 4, 5: waiting, counted by the owner */
    uint64_t sleeps, wakes, wait_timeouts, timeouts_with_work, yields, lock_waits, owner_deaths, steps;
    uint64_t work[8];         /* meaning by role; the last one: CPU time in ns, written at exit */
    /* lines 6.. */
    iopf_magazine magazine[CREW_MAGAZINES];
} iopf_actor;

typedef struct {
    uint32_t actors, stop;
    uint64_t rcu_epoch;
    uint64_t tick_mult;       /* nanoseconds = (ticks * tick_mult) >> 24; 0: ticks are clock_ns() */
    uint32_t spins, yields;   /* wait policy: pauses, then yields, then sleep */
    uint32_t lockdep, poison;
    uint32_t verdict_count;
    uint32_t ref_limit;       /* a reference count that reaches it is a verdict; 0: only saturation is */
    uint64_t runqueue;        /* offset of the run queue from the crew; 0: no control */
    uint32_t drop, dropped;   /* for tests: lose the wake-ups of site | (role + 1) << 16; how many were lost. See `wait.pxd` */
    uint32_t lock_order[CREW_MAX_CLASSES];
    iopf_verdict verdicts[CREW_VERDICTS];
} iopf_crew;

_Static_assert(sizeof(iopf_actor) % 64 == 0, "actors must not share cache lines");
_Static_assert(__builtin_offsetof(iopf_actor, rcu_epoch) == 64, "actor line 1");
_Static_assert(__builtin_offsetof(iopf_actor, bell_seq) == 128, "actor line 2");
_Static_assert(__builtin_offsetof(iopf_actor, slot) == 192, "actor line 3");
_Static_assert(__builtin_offsetof(iopf_actor, sleeps) == 256, "actor line 4");
_Static_assert(sizeof(iopf_crew) % 64 == 0, "the first actor starts a line");

/* The actors follow the crew header directly, so an actor can compute the address of the crew. */
static inline iopf_crew *crew_of(const iopf_actor *self) {
    return (iopf_crew *)((char *)(self - self->slot) - sizeof(iopf_crew));
}
static inline iopf_actor *crew_actor(iopf_crew *crew, uint32_t slot) {
    return (iopf_actor *)((char *)crew + sizeof(iopf_crew)) + slot;
}

static inline runqueue *rq_of(const iopf_actor *self) {
    iopf_crew *crew = crew_of(self);
    return (runqueue *)((char *)crew + crew->runqueue);
}

/* Switches away with `kind` at `addr` pending; returns when the step is chosen. Within a budget of plain accesses no choice is
 * made. No other actor runs here, and only its own process enters the actor's stack. */
static __attribute__((noinline, unused)) void rq_point(iopf_actor *self, uint32_t id, const volatile void *addr,
                                                          uint32_t kind) {
    runqueue *rq = rq_of(self);
    uint32_t slot = self->slot & (RQ_SLOTS - 1);
    rq_slot *s = &rq->slot[slot];
    s->id = id, s->kind = kind, s->where = (uint64_t)(uintptr_t)addr;
    if (rq->budget && kind <= ACC_RMW) {
        rq->budget--;
        rq_record(rq, slot, 0);
        return;
    }
    rq_set_pending(rq, slot, kind == ACC_LOCK);
    iopf_switch(&s->sp, s->loop_sp);
}

static __attribute__((noinline, unused)) void point_slow(iopf_actor *self, uint32_t id, const volatile void *addr,
                                                         uint32_t kind) {
    if (self->mode == POINT_CONTROLLED) {
        rq_point(self, id, addr, kind);
        return;
    }
    if (self->mode != POINT_NOISE) return;
    self->points++;
    uint64_t r = xorshift64(&self->rng);
    if (self->noise_sleep_in && (uint32_t)(r >> 32) % self->noise_sleep_in == 0)
        nap_ns(1000 + (r & 0xffff) % 50000);
    else if (self->noise_yield_in && (uint32_t)r % self->noise_yield_in == 0)
        sched_yield();
}

/* Blocks until a wake-up or a time of the virtual clock; 0 or -ETIMEDOUT. */
static __attribute__((noinline, unused)) int rq_futex_wait(iopf_actor *self, uint32_t want, uint64_t timeout_ns) {
    runqueue *rq = rq_of(self);
    uint32_t slot = self->slot & (RQ_SLOTS - 1);
    rq_slot *s = &rq->slot[slot];
    s->due = timeout_ns < RQ_FUNCTIONAL_NS || timeout_ns & RQ_TIMED ? rq->now + (timeout_ns & ~RQ_TIMED) + 1 : 0;
    s->since = rq->steps;
    s->want = want;
    rq_set_state(rq, slot, RQ_BLOCKED);
    if (s->due) rq->timed |= (uint32_t)1 << slot;
    iopf_switch(&s->sp, s->loop_sp);
    return -(int)s->result;
}

static __attribute__((noinline, unused)) void rq_futex_wake(iopf_actor *self, const volatile void *word, uint32_t most) {
    runqueue *rq = rq_of(self);
    while (most--) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < rq->actors; i++) {
            const rq_slot *s = &rq->slot[i];
            if (s->state == RQ_BLOCKED && s->kind == ACC_WAIT && s->where == (uint64_t)(uintptr_t)word &&
                (!first || s->since < rq->slot[first].since))
                first = i;
        }
        if (!first) return;
        rq_wake_slot(rq, first, 0);
    }
}

/* id = site << 8 | operation of the primitive. The volatile store keeps every point visible to an observer. */
static inline void point(iopf_actor *self, uint32_t id, const volatile void *addr, uint32_t kind) {
    *(volatile uint32_t *)&self->last_point = id;
    if (iopf_unlikely(self->mode != POINT_NORMAL)) point_slow(self, id, addr, kind);
}

/* Sleeps while *p is `want`; 0 when woken or *p differs, -ETIMEDOUT at the timeout. The point is the comparison. */
static inline int point_wait(iopf_actor *self, uint32_t id, volatile uint32_t *p, uint32_t want, uint64_t timeout_ns) {
    *(volatile uint32_t *)&self->last_point = id;
    if (iopf_unlikely(self->mode != POINT_NORMAL)) {
        point_slow(self, id, p, ACC_WAIT);
        if (self->mode == POINT_CONTROLLED) return ld32_acq(p) != want ? 0 : rq_futex_wait(self, want, timeout_ns);
    }
    int ret = futex_wait32(p, want, timeout_ns);
    return ret == -ETIMEDOUT ? ret : 0;
}

/* Wakes up to `most` waiters of *p. The point is the caller's, before it changed the word. */
static inline void point_wake(iopf_actor *self, volatile uint32_t *p, uint32_t most) {
    if (iopf_unlikely(self->mode == POINT_CONTROLLED))
        rq_futex_wake(self, p, most);
    else
        futex_wake32(p, most < 0x7fffffff ? (int)most : 0x7fffffff);
}

/* A short sleep of a polling actor. */
static inline void point_nap(iopf_actor *self, uint32_t id, uint64_t ns) {
    *(volatile uint32_t *)&self->last_point = id;
    if (iopf_likely(self->mode != POINT_CONTROLLED)) {
        nap_ns(ns);
        return;
    }
    rq_slot *s = &rq_of(self)->slot[self->slot & (RQ_SLOTS - 1)];
    s->id = id, s->kind = ACC_NAP, s->where = 0;
    rq_futex_wait(self, 0, ns < RQ_FUNCTIONAL_NS ? ns : RQ_FUNCTIONAL_NS - 1);
}

/* Timeout of an idle wait that ends after `ns` at the latest: under control the whole time passes on the virtual clock; otherwise an
 * actor wakes up after `idle_ns` for its heartbeat. UINT64_MAX: no such time. */
static inline uint64_t timed_ns(const iopf_actor *self, uint64_t ns, uint64_t idle_ns) {
    if (iopf_unlikely(self->mode == POINT_CONTROLLED) && ns < RQ_TIMED >> 1) return ns | RQ_TIMED;
    return ns < idle_ns ? ns : idle_ns;
}

/* The actor's clock: virtual under control. */
static inline uint64_t actor_clock(const iopf_actor *self) {
    return iopf_likely(self->mode != POINT_CONTROLLED) ? clock_ns() : rq_of(self)->now;
}

static inline uint64_t crew_ticks(const iopf_crew *crew) {
    if (iopf_likely(crew->tick_mult != 0)) return cycle_counter();
    return crew->runqueue ? ((runqueue *)((char *)crew + crew->runqueue))->now : clock_ns();
}
static inline uint64_t crew_ticks_ns(const iopf_crew *crew, uint64_t ticks) {
    return crew->tick_mult ? (uint64_t)(((unsigned __int128)ticks * crew->tick_mult) >> 24) : ticks;
}

/* Records a verdict once per slot; the first one ends the run. Never blocks. */
static __attribute__((noinline, unused)) void verdict_raise(iopf_actor *self, uint32_t kind, uint32_t cls,
                                                            uint64_t object, uint64_t generation,
                                                            uint32_t other_actor, uint64_t detail, uint32_t site) {
    iopf_crew *crew = crew_of(self);
    uint32_t n = xadd32(&crew->verdict_count, 1);
    if (n >= CREW_VERDICTS) return;
    iopf_verdict *v = &crew->verdicts[n];
    v->kind = kind, v->actor = self->slot, v->site = site, v->cls = cls;
    v->object = object, v->generation = generation, v->other_actor = other_actor, v->detail = detail;
    st32_rel(&v->ready, 1); /* pairs with the supervisor's acquire load of `ready` */
}

#endif
