/* SPDX-License-Identifier: MIT
 *
 * What the kernel's side (shim, driver) calls in the runtime. Free of kernel headers and of the C library's.
 *
 * An actor is a fiber with a stack in the window; one runs at a time. Each function that takes `pc` is told the place in the
 * kernel's code that a finding names. Only rt_point and rt_block let another actor run.
 */
#ifndef RUNTIME_H
#define RUNTIME_H
#define RT_ACTORS 12
enum { RT_READ, RT_WRITE, RT_LOCK, RT_UNLOCK, RT_WAIT, RT_WAKE, RT_RCU, RT_FREE, RT_WORK, RT_FENCE };

/* Of each actor; zero at the start of a schedule. */
typedef struct {
    unsigned rcu_depth, spins;
    unsigned long rcu_since;
} rt_state;

extern int rt_me;              /* the running actor */
extern rt_state rt_states[RT_ACTORS];

/* Scheduling */
void rt_point(int kind, const volatile void *address, const void *pc);
void rt_block(const volatile void *channel, const void *pc); /* until rt_wake; look at the condition again */
void rt_wake(const volatile void *channel);
unsigned long rt_random(void);

/* Memory */
void *rt_alloc(unsigned long n, int zero, const void *pc);
void rt_free(const void *p, const void *after, const void *pc); /* after: a sync object that orders it, or 0 */
int rt_alloc_fails(void);
void rt_forget(const void *p); /* not a leak when it is left */
void rt_touch(const volatile void *p, unsigned long n, int writes, const void *pc); /* checked, ordered by its caller */

/* Order: a release orders what its actor did before with what an actor does after its acquire of the same object. */
void rt_acquire(const volatile void *sync);
void rt_release(const volatile void *sync);

/* Lock order, by class */
void rt_take(const void *class, const char *name, const void *pc);
void rt_drop(const void *class);

/* A finding ends the schedule; warnings do so unless they are only counted. */
int rt_warning_is_counted(void);
void rt_finding(const char *kind, const void *pc, const char *fmt, ...) __attribute__((format(printf, 3, 4), noreturn));
void rt_missing(const char *function, const void *pc) __attribute__((noreturn));
#endif
