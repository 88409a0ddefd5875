/* SPDX-License-Identifier: MIT
 * Locks. A lock's memory is looked at again after each sleep: it may have been freed, which must not look like a deadlock. */
#include "shim.h"

static const void *class_of(const struct shim_lock *l) { return l->key ? (const void *)l->key : (const void *)l; }
static const char *name_of(const struct shim_lock *l) { return l->name ? l->name : "a lock that was never initialised"; }

void shim_sleeps(const void *pc)
{
    const rt_state *s = &rt_states[rt_me];
    if (s->rcu_depth) rt_finding("sleeping in an RCU read section", pc, "%u sections are open", s->rcu_depth);
    if (s->spins) rt_finding("sleeping under a spinlock", pc, "%u spinlocks are held", s->spins);
}
void shim_might_sleep(void) { shim_sleeps(CALLER); }
void shim_relax(void) { rt_point(RT_READ, 0, CALLER); }

static void own(struct shim_lock *l, int spins)
{
    l->word = 1, l->owner = rt_me + 1;
    rt_states[rt_me].spins += spins;
    rt_acquire(l);
}

void shim_lock(struct shim_lock *l, int spins)
{
    const void *pc = CALLER;
    if (!spins) shim_sleeps(pc);
    rt_point(RT_LOCK, l, pc);
    rt_touch(l, sizeof(*l), 1, pc);
    if (l->owner == rt_me + 1) rt_finding("recursive lock", pc, "%s", name_of(l));
    rt_take(class_of(l), name_of(l), pc);
    while (l->word) {
        rt_block(l, pc);
        rt_touch(l, sizeof(*l), 1, pc);
    }
    own(l, spins);
}

bool shim_trylock(struct shim_lock *l, int spins)
{
    const void *pc = CALLER;
    rt_point(RT_LOCK, l, pc);
    rt_touch(l, sizeof(*l), 1, pc);
    if (l->word) return false;
    rt_take(class_of(l), name_of(l), 0); /* cannot wait: closes no cycle */
    own(l, spins);
    return true;
}

void shim_unlock(struct shim_lock *l, int spins)
{
    const void *pc = CALLER;
    rt_point(RT_UNLOCK, l, pc);
    rt_touch(l, sizeof(*l), 1, pc);
    if (l->owner != rt_me + 1) rt_finding("unlock of a lock that is not held", pc, "%s", name_of(l));
    rt_drop(class_of(l));
    rt_states[rt_me].spins -= spins;
    rt_release(l);
    l->word = l->owner = 0;
    rt_wake(l);
}

bool shim_is_held(const struct shim_lock *l) { return l->owner == rt_me + 1; }
void shim_assert_held(const struct shim_lock *l, const char *file, int line)
{
    if (!shim_is_held(l)) rt_finding("a lock must be held here", CALLER, "%s at %s:%d", name_of(l), file, line);
}

void shim_down(struct rw_semaphore *s, int writes)
{
    const void *pc = CALLER;
    shim_sleeps(pc);
    rt_point(RT_LOCK, s, pc);
    rt_touch(s, sizeof(*s), 1, pc);
    if (s->l.owner == rt_me + 1) rt_finding("recursive lock", pc, "%s", name_of(&s->l));
    rt_take(class_of(&s->l), name_of(&s->l), pc);
    while (s->l.word || (writes && s->readers)) {
        rt_block(s, pc);
        rt_touch(s, sizeof(*s), 1, pc);
    }
    if (writes)
        s->l.word = 1, s->l.owner = rt_me + 1;
    else
        s->readers++;
    rt_acquire(s);
}

void shim_up(struct rw_semaphore *s, int writes)
{
    const void *pc = CALLER;
    rt_point(RT_UNLOCK, s, pc);
    rt_touch(s, sizeof(*s), 1, pc);
    if (writes ? s->l.owner != rt_me + 1 : !s->readers)
        rt_finding("unlock of a lock that is not held", pc, "%s", name_of(&s->l));
    rt_drop(class_of(&s->l));
    rt_release(s);
    if (writes)
        s->l.word = s->l.owner = 0;
    else
        s->readers--;
    rt_wake(s);
}
bool shim_rwsem_is_held(const struct rw_semaphore *s) { return s->readers || s->l.owner == rt_me + 1; }
