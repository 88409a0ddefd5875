/* SPDX-License-Identifier: MIT
 *
 * A depth-first visit of every state of a program on the machine; part of `machine.c`.
 *
 * A state is the board without statistics, the live part of every stack, and the store buffers. It is kept on the path, and its hash in
 * the set of visited states. A state that was visited before is not entered again, so loops that wait end by themselves.
 *
 * With a bound, only schedules with that many preemptions are visited: steps of another actor although the last one could go on. Drains
 * and timeouts are free. The actor of the last step and the number spent are then part of the state.
 */
enum { MOST_STEPS = 4096, SET_BITS = 23, CHOICES = 64, DRAINS_AT = 8, TIMEOUTS_AT = 60 };
_Static_assert(DRAINS_AT + MACHINE_ACTORS * STORES <= TIMEOUTS_AT, "choices are one word");

typedef struct {
    uint64_t todo, bytes;
    char *saved;
    machine_step step;
} place;

static struct {
    uint64_t *set, used;
    place path[MOST_STEPS];
    machine_step trace[MOST_STEPS];
    char *image;
    uint64_t room;
    uint64_t bound, spent, last; /* 0: no bound, or one more than the preemptions allowed */
} x;

PUBLIC const machine_step *machine_trace(void) { return x.trace; }

/* Parts of the board that decide what happens: without an actor's first line and its counters. */
static uint32_t parts_of_state(char **start, uint64_t *bytes) {
    uint32_t n = 0, i;
    iopf_crew *crew = machine_crew();
    start[n] = m.board, bytes[n++] = 64 + offsetof(iopf_crew, lock_order);
    for (i = 0; i < m.actors; i++) {
        iopf_actor *a = crew_actor(crew, i);
        start[n] = (char *)&a->rcu_epoch, bytes[n++] = offsetof(iopf_actor, sleeps) - offsetof(iopf_actor, rcu_epoch);
    }
    start[n] = machine_room(), bytes[n++] = MACHINE_ROOM;
    for (i = 0; i < m.actors; i++) {
        if (m.fiber[i].state == FINISHED) continue;
        start[n] = m.fiber[i].sp, bytes[n++] = (uint64_t)(m.stack[i] + STACK - (char *)m.fiber[i].sp);
    }
    return n;
}

/* Sleepers are numbered by their order only, so that equal orders are equal states. */
static void renumber(void) {
    uint64_t order[MACHINE_ACTORS];
    for (uint32_t i = 0; i < m.actors; i++) {
        order[i] = m.fiber[i].since != 0;
        for (uint32_t j = 0; j < m.actors; j++) order[i] += m.fiber[j].since && m.fiber[j].since < m.fiber[i].since;
    }
    m.sleeps = 0;
    for (uint32_t i = 0; i < m.actors; i++) m.fiber[i].since = order[i], m.sleeps += order[i] != 0;
}

static uint64_t save(void) {
    char *start[3 * MACHINE_ACTORS];
    uint64_t bytes[3 * MACHINE_ACTORS], at = 0;
    renumber();
    memcpy(x.image + at, &x.spent, 8), at += 8;
    memcpy(x.image + at, &x.last, 8), at += 8;
    for (uint32_t i = 0; i < m.actors; i++) {
        fiber *f = &m.fiber[i];
        if (f->state == FINISHED) f->sp = 0, f->where = 0, f->pc = 0, f->kind = 0;
        f->back = 0;
        uint64_t size = offsetof(fiber, store) + f->count * sizeof(delayed);
        memcpy(x.image + at, f, size), at += size;
    }
    uint32_t n = parts_of_state(start, bytes);
    for (uint32_t i = 0; i < n; i++) memcpy(x.image + at, start[i], bytes[i]), at += bytes[i];
    return at;
}

static void restore(const char *image) {
    char *start[3 * MACHINE_ACTORS];
    uint64_t bytes[3 * MACHINE_ACTORS];
    memcpy(&x.spent, image, 8), image += 8;
    memcpy(&x.last, image, 8), image += 8;
    for (uint32_t i = 0; i < m.actors; i++) {
        fiber *f = &m.fiber[i];
        memcpy(f, image, offsetof(fiber, store)), image += offsetof(fiber, store);
        memcpy(f->store, image, f->count * sizeof(delayed)), image += f->count * sizeof(delayed);
    }
    uint32_t n = parts_of_state(start, bytes);
    for (uint32_t i = 0; i < n; i++) memcpy(start[i], image, bytes[i]), image += bytes[i];
    renumber();
}

/* False when the state was visited before. */
static int enter_state(uint64_t bytes) {
    uint64_t h = 0x9e3779b97f4a7c15u ^ bytes;
    for (uint64_t i = 0; i < bytes; i += 8) {
        uint64_t v;
        memcpy(&v, x.image + i, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    h |= 1;
    for (uint64_t at = h >> (64 - SET_BITS);; at = (at + 1) & (((uint64_t)1 << SET_BITS) - 1)) {
        if (x.set[at] == h) return 0;
        if (!x.set[at]) {
            x.set[at] = h, x.used++;
            return 1;
        }
    }
}

static int may_drain(const fiber *f, uint32_t at) {
    if (f->store[at].release) return at == 0;
    for (uint32_t i = 0; i < at; i++)
        if (f->store[i].where == f->store[at].where) return 0;
    return 1;
}

static uint64_t choices(void) {
    uint64_t mask = 0;
    int kept = x.bound && x.spent + 1 == x.bound && m.fiber[x.last].state == READY; /* no preemption is left */
    for (uint32_t i = 0; i < m.actors; i++) {
        const fiber *f = &m.fiber[i];
        if (f->state == READY && (!kept || i == x.last)) mask |= (uint64_t)1 << i;
        if (f->state == ASLEEP && f->timed) mask |= (uint64_t)1 << (TIMEOUTS_AT + i);
        for (uint32_t at = 0; at < f->count; at++)
            if (may_drain(f, at)) mask |= (uint64_t)1 << (DRAINS_AT + i * STORES + at);
    }
    return mask;
}

static void resume(uint32_t actor) {
    fiber *f = &m.fiber[actor];
    m.current = actor;
    if (f->kind != STEP_LOAD && f->kind != STEP_STORE && f->kind != STEP_NAP)
        while (f->count) flush(actor, 0);
    stores_show(f);
    memset((char *)f->sp - STALE, 0, STALE);
    m.on = 1;
    iopf_switch(&f->back, f->sp);
    m.on = 0;
}

static void take(uint32_t choice, machine_step *said) {
    uint32_t actor = choice;
    if (choice >= TIMEOUTS_AT) {
        actor = choice - TIMEOUTS_AT;
        *said = (machine_step){.actor = actor, .kind = STEP_TIMEOUT, .pc = m.fiber[actor].pc};
        m.fiber[actor].state = READY, m.fiber[actor].timed = 0, m.fiber[actor].since = 0;
        m.fiber[actor].result = ETIMEDOUT;
        if (x.bound) x.last = actor;
        resume(actor);
        return;
    }
    if (choice >= DRAINS_AT) {
        actor = (choice - DRAINS_AT) / STORES;
        uint32_t at = (choice - DRAINS_AT) % STORES;
        uint32_t where = (uint32_t)(m.fiber[actor].store[at].where - (uint64_t)(uintptr_t)m.board);
        *said = (machine_step){.actor = actor, .kind = STEP_DRAIN, .where = where};
        flush(actor, at);
        return;
    }
    const fiber *f = &m.fiber[actor];
    if (x.bound) x.spent += actor != x.last && m.fiber[x.last].state == READY, x.last = actor;
    uint32_t where = f->where ? (uint32_t)(f->where - (uint64_t)(uintptr_t)m.board) : 0;
    *said = (machine_step){.actor = actor, .kind = f->kind, .where = where, .pc = f->pc};
    resume(actor);
}

static const char *judge(uint64_t mask, const char *(*check)(void), machine_result *r) {
    if (m.failure) return m.failure;
    if (machine_crew()->verdict_count) return "a detector fired";
    if (mask) return 0;
    for (uint32_t i = 0; i < m.actors; i++)
        if (m.fiber[i].state != FINISHED) {
            r->failed = i;
            return m.fiber[i].state == ASLEEP ? "lost wake-up" : "no end of a wait";
        }
    r->ends++;
    return check();
}

static void first_step(void) {
    m.run(m.current);
    fiber *f = &m.fiber[m.current];
    f->state = FINISHED;
    leave(f);
    __builtin_trap();
}

static void spawn(uint32_t actor) {
    fiber *f = &m.fiber[actor];
    uint64_t *top = (uint64_t *)(m.stack[actor] + STACK - 64) - RQ_FRAME_WORDS;
    memset(f, 0, sizeof(*f));
    memset(m.stack[actor], 0, STACK);
#if defined(__x86_64__)
    top--; /* a function begins with a return address on its stack */
    top[RQ_FRAME_WORDS - 1] = (uint64_t)(uintptr_t)first_step;
#else
    top[11] = (uint64_t)(uintptr_t)first_step;
#endif
    f->sp = top, f->kind = STEP_LOAD;
}

static void format(void) {
    iopf_crew *crew = machine_crew();
    memset(m.board, 0, sizeof(m.board));
    crew->actors = m.actors;
    crew->rcu_epoch = 1;
    for (uint32_t i = 0; i < m.actors; i++) crew_actor(crew, i)->slot = i, crew_actor(crew, i)->state = ACTOR_RUNNING;
}

static int forward(uint32_t depth, uint64_t mask) {
    uint64_t bytes = save();
    place *p = &x.path[depth];
    if (!enter_state(bytes)) return 0;
    p->todo = mask, p->bytes = bytes;
    p->saved = malloc(bytes);
    memcpy(p->saved, x.image, bytes);
    return 1;
}

static void visit(machine_result *r, const char *(*check)(void), uint64_t most_states) {
    int depth = 0; /* places on the path */
    uint64_t mask = choices();
    if (forward(0, mask)) depth = 1;
    while (depth > 0 && !r->failure && x.used < most_states) {
        place *p = &x.path[depth - 1];
        if (!p->todo) {
            free(p->saved);
            depth--;
            continue;
        }
        uint32_t choice = (uint32_t)__builtin_ctzll(p->todo);
        p->todo &= p->todo - 1;
        restore(p->saved);
        take(choice, &p->step);
        r->failed = p->step.actor;
        mask = choices();
        r->failure = depth == MOST_STEPS ? "step limit reached" : judge(mask, check, r);
        if ((uint32_t)depth > r->depth) r->depth = (uint32_t)depth;
        if (!r->failure && forward((uint32_t)depth, mask)) depth++;
    }
    r->complete = depth == 0;
    if (r->failure) r->steps = (uint32_t)depth;
    for (; depth > 0; depth--) {
        x.trace[depth - 1] = x.path[depth - 1].step;
        free(x.path[depth - 1].saved);
    }
}

PUBLIC machine_result machine_explore(uint32_t actors, void (*setup)(void), void (*run)(uint32_t), const char *(*check)(void),
                                      uint32_t model, uint64_t most_states, int32_t preemptions) {
    machine_result r = {0};
    m.actors = actors, m.model = model, m.run = run, m.failure = 0, m.sleeps = 0, m.on = 0;
    m.plain = 0;
    x.used = x.spent = x.last = 0, x.bound = (uint64_t)(preemptions + 1);
    x.room = sizeof(m.board) + sizeof(m.fiber) + sizeof(m.stack);
    x.image = malloc(x.room);
    x.set = calloc((uint64_t)1 << SET_BITS, 8);
    if (most_states > (uint64_t)3 << (SET_BITS - 2)) most_states = (uint64_t)3 << (SET_BITS - 2);
    format();
    setup();
    for (uint32_t i = 0; i < actors; i++) spawn(i);
    if (x.image && x.set)
        visit(&r, check, most_states);
    else
        r.failure = "no memory";
    free(x.image);
    free(x.set);
    r.states = x.used;
    return r;
}
