/* SPDX-License-Identifier: MIT
 *
 * A machine for small programs over one primitive: every atomic instruction is a step, and stores are delayed as the memory model
 * allows. Included first by each module of the copy (`tests/support/order.py`); it is compiled with -fsanitize=thread, and `machine.c`
 * is the runtime of that instrumentation.
 *
 * Scheduling points do nothing here: what orders two accesses is the instruction itself, so a fence that is missing is missed.
 *
 *     SC      a store reaches memory at once
 *     TSO     stores reach memory later, in order (x86); a locked instruction, a fence and a system call wait for them
 *     PSO     stores to different words reach memory in any order, a release store after all earlier ones (as on Arm; loads stay in order)
 *
 * A sleep of RQ_FUNCTIONAL_NS or more never times out, so a lost wake-up is a deadlock; a shorter one may time out at any step. A nap
 * ends when another actor has changed memory.
 */
#ifndef IOPF_ORDER_MACHINE_H
#define IOPF_ORDER_MACHINE_H

#include "iopf/cython_ext/crew.h"

enum { MACHINE_SC = 0, MACHINE_TSO = 1, MACHINE_PSO = 2 };
enum { MACHINE_ACTORS = 4, MACHINE_ROOM = 1024 };

typedef struct {
    uint64_t states, ends; /* distinct states; those in which every actor has finished */
    uint32_t complete, depth; /* all states were visited; steps of the longest path */
    const char *failure;   /* NULL, or what failed in the schedule of `machine_trace` */
    uint32_t failed, steps;  /* the actor of the last step; length of the trace */
} machine_result;

typedef struct {
    uint32_t actor, kind; /* kind: enum machine_kind */
    uint32_t where, pad;  /* offset in the board */
    const void *pc;
} machine_step;

enum machine_kind { STEP_LOAD = 0, STEP_STORE, STEP_LOCKED, STEP_FENCE, STEP_WAIT, STEP_WAKE, STEP_NAP, STEP_DRAIN, STEP_TIMEOUT };

/* The text of a mutant replaces the original while its number is set; 0: none. */
extern int machine_mutant;
static inline int machine_off(int number) { return machine_mutant == number; }
/* What mutants put in the place of a locked instruction; 1. */
static inline int store_instead(volatile uint64_t *p, uint64_t v) { return st64_rlx(p, v), 1; }
static inline int store_instead32(volatile uint32_t *p, uint32_t v) { return st32_rlx(p, v), 1; }

iopf_crew *machine_crew(void);
void *machine_head(void); /* the cache line before the crew */
void *machine_room(void); /* MACHINE_ROOM bytes behind the last actor: the objects of the program, shared and private */
/* Visits every state of `actors` actors in `run`, from a board that `setup` has filled, or with `preemptions` not below 0 those within that
 * bound. `check` returns NULL or what is wrong at an end. */
machine_result machine_explore(uint32_t actors, void (*setup)(void), void (*run)(uint32_t), const char *(*check)(void), uint32_t model,
                               uint64_t most_states, int32_t preemptions);
const machine_step *machine_trace(void);
void machine_fail(const char *what); /* called by an actor: the schedule fails here */

int machine_wait(volatile uint32_t *p, uint32_t want, uint64_t timeout_ns);
int machine_wake(volatile uint32_t *p, uint32_t most);
void machine_nap(void);
void *machine_memcpy(void *to, const void *from, unsigned long n);
void *machine_memset(void *to, int value, unsigned long n);

#ifndef MACHINE_RUNTIME
#define point(self, id, addr, kind) ((void)(self))
#define point_wait(self, id, p, want, ns) machine_wait(p, want, ns)
#define point_wake(self, p, most) ((void)machine_wake(p, most))
#define point_nap(self, id, ns) machine_nap()
#define actor_clock(self) ((uint64_t)0)
#define futex_wait32(p, want, ns) machine_wait(p, want, ns)
#define futex_wait32_unbounded(p, want) machine_wait(p, want, RQ_FUNCTIONAL_NS)
#define futex_wake32(p, most) machine_wake(p, most)
#define sched_yield() 0
#define memcpy(to, from, n) machine_memcpy(to, from, n)
#define memset(to, value, n) machine_memset(to, value, n)
#endif

#endif
