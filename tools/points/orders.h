/* SPDX-License-Identifier: MIT
 *
 * What the schedule of a check leaves to the memory model; part of `runtime.c`.
 *
 * A store that is still in its actor's buffer may be overtaken by the actor's next loads. That changes an outcome only if the load reads a
 * word that another actor wrote before the store, in the order of conflicting accesses: then the load could have run before that write,
 * although the store came after it (a cycle of the store-buffering pattern; Burckhardt and Musuvathi, CAV 2008, call a schedule without
 * one store-buffer safe). A waiter that announces itself and looks for work, and a notifier that publishes work and looks for waiters, form
 * it in every wake-up, so one schedule that sleeps and wakes is enough to see that the fence between the two is missing.
 *
 *     overtaken   such a load, with neither a fence nor a locked instruction after the store
 *     relaxed     a load with acquire reads a relaxed or plain store of another actor, which publishes nothing
 *
 * `load` of an actor: the last store of each actor that is visible before its next load; `store`: before its next store. They differ by
 * what precedes only its own stores since its last fence.
 */
enum { PENDING = 8 };

typedef struct {
    uint32_t load[SLOTS], store[SLOTS];
    uint32_t time, count; /* its stores so far; those since its last fence */
    struct {
        uint32_t before[SLOTS];
        const void *pc;
    } pending[PENDING];
} actor_order;

typedef struct {
    uint32_t writes[SLOTS], reads[SLOTS]; /* stores visible before the last store to the word; before the loads since */
    uint32_t by, time, relaxed, pad;      /* its last writer, and the number of that store among its own */
    const void *pc;
} word_order;

static actor_order orders[SLOTS];

static void order_fence(uint32_t me) {
    actor_order *a = &orders[me];
    join(a->store, a->load);
    memcpy(a->load, a->store, sizeof(a->load));
    a->count = 0;
}

/* `point`: the kind of the step. Before a compare-and-swap of the word a stale value does no harm. */
static void order_load(word_order *o, uint32_t me, uint32_t point, uint64_t offset, int acquire, const void *pc) {
    actor_order *a = &orders[me];
    if (o->by && o->by != me) {
        if (a->count && point != ACC_RMW && o->time > a->load[o->by] && o->time <= a->store[o->by]) {
            uint32_t i = 0;
            while (i + 1 < a->count && o->time > a->pending[i].before[o->by]) i++;
            report(FOUND_OVERTAKEN, me, offset, pc, READ, o->by, a->pending[i].pc, WRITE, 0);
        }
        if (acquire && o->relaxed) report(FOUND_RELAXED, me, offset, pc, READ, o->by, o->pc, WRITE, 0);
        join(a->load, o->writes);
    }
    join(o->reads, a->load);
}

/* `locked`: the access also waits for the stores before it, and later loads wait for it. */
static void order_store(word_order *o, uint32_t me, int locked, int relaxed, const void *pc) {
    actor_order *a = &orders[me];
    join(a->store, a->load);
    join(a->store, o->writes);
    join(a->store, o->reads);
    a->store[me] = ++a->time;
    memcpy(o->writes, a->store, sizeof(o->writes));
    memset(o->reads, 0, sizeof(o->reads));
    o->by = me, o->time = a->time, o->relaxed = relaxed, o->pc = pc;
    if (locked) {
        order_fence(me);
        return;
    }
    if (a->count == PENDING) memmove(&a->pending[0], &a->pending[1], (PENDING - 1) * sizeof(a->pending[0])), a->count--;
    memcpy(a->pending[a->count].before, a->store, sizeof(a->store));
    a->pending[a->count++].pc = pc;
}
