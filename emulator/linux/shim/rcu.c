/* SPDX-License-Identifier: MIT
 * RCU. What is handed over is freed or called at the earliest moment that the rules allow: at the end of the last read section
 * that was open, or at once. */
#include "shim.h"
#define DEFERRED 256

typedef struct { void *object; rcu_callback_t call; unsigned long period; const void *pc; } deferred_t;
static struct { unsigned long period; u32 n; deferred_t deferred[DEFERRED]; } rcu;

static bool has_passed(unsigned long period)
{
    for (int i = 0; i < RT_ACTORS; i++)
        if (rt_states[i].rcu_since && rt_states[i].rcu_since <= period) return false;
    return true;
}
static void reap(void)
{
    for (u32 i = 0; i < rcu.n;) {
        deferred_t d = rcu.deferred[i];
        if (!has_passed(d.period)) {
            i++;
            continue;
        }
        rcu.deferred[i] = rcu.deferred[--rcu.n];
        if (d.call) {
            rt_acquire(&rcu);
            d.call(d.object);
        } else {
            rt_free(d.object, &rcu, d.pc);
        }
        i = 0; /* the call may have changed the list */
    }
}
void rcu_read_lock(void)
{
    rt_state *s = &rt_states[rt_me];
    rt_point(RT_RCU, &rcu, CALLER);
    if (s->rcu_depth++ == 0) s->rcu_since = rcu.period + 1;
}
void rcu_read_unlock(void)
{
    rt_state *s = &rt_states[rt_me];
    rt_point(RT_RCU, &rcu, CALLER);
    if (!s->rcu_depth) rt_finding("RCU", CALLER, "unlock outside of a read section");
    if (--s->rcu_depth) return;
    rt_release(&rcu);
    s->rcu_since = 0;
    rt_wake(&rcu);
    reap();
}
bool rcu_read_lock_held(void) { return rt_states[rt_me].rcu_depth != 0; }
void shim_rcu_check(bool held, const char *file, int line)
{
    if (!held) rt_finding("RCU", CALLER, "pointer read outside of a read section at %s:%d", file, line);
}
static void defer(void *object, rcu_callback_t call, const void *pc)
{
    rt_point(RT_FREE, object, pc);
    rt_release(&rcu);
    if (rcu.n == DEFERRED) rt_finding("RCU", pc, "more than %d deferred frees", DEFERRED);
    rcu.deferred[rcu.n++] = (deferred_t){object, call, ++rcu.period, pc};
    reap();
}
void shim_kfree_rcu(void *object)
{
    if (object) defer(object, NULL, CALLER);
}
void call_rcu(struct rcu_head *head, rcu_callback_t f) { defer(head, f, CALLER); }
void synchronize_rcu(void)
{
    const void *pc = CALLER;
    unsigned long period = ++rcu.period;
    shim_sleeps(pc);
    rt_point(RT_WAIT, &rcu, pc);
    while (!has_passed(period)) rt_block(&rcu, pc);
    rt_acquire(&rcu);
}
