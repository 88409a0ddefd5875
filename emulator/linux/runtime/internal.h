/* SPDX-License-Identifier: MIT
 * Between the runtime's files. */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H
#include <stdint.h>
#include "runtime.h"

/* The window: the image at its start, as linked; stacks; the heap. A byte of shadow describes 8 bytes of the heap. */
#define WINDOW 0x200000000000ul
#define IMAGE_BYTES (16ul << 20)
#define STACKS IMAGE_BYTES
#define STACK_BYTES (64ul << 10)
#define HEAP (32ul << 20)
#define HEAP_BYTES (32ul << 20)
#define WINDOW_BYTES (HEAP + HEAP_BYTES)
#define FRAMES 8

enum { ORDER_PLAIN = 0, ORDER_MARKED = 1, ORDER_ATOMIC = 2, ORDER_ACQUIRE = 4, ORDER_RELEASE = 8, ORDER_RMW = 16 };
typedef enum { ENDED_DONE, ENDED_FINDING, ENDED_DEADLOCK, ENDED_STEPS } ending;

/* A place with the calls that led to it: offsets in the image, innermost first, 0 at the end. */
typedef struct { uint32_t frame[FRAMES]; } place;

typedef struct { uint64_t schedules, points, accesses, warnings; } counters;
extern counters rt_count;

/* window.c */
void window_open(void);
void *window_load(const char *image);
void window_save(void);    /* the state that schedules start from */
void window_restore(void);
static inline uint64_t offset_of(const volatile void *p) { return (uint64_t)p - WINDOW; }
static inline uint32_t code_offset(const void *pc) { return offset_of(pc) < IMAGE_BYTES ? (uint32_t)offset_of(pc) : 0; }

/* heap.c */
void heap_open(void);
void heap_save(void);
void heap_restore(void);
void heap_check(uint64_t offset, unsigned long n, int writes, const void *pc);
int heap_leaks(void);      /* whether the schedule left something; then it is the finding */

/* fibers.c */
void fibers_actor(const char *name, void (*f)(int), int argument, int is_service);
void fibers_open(void);   /* faults of the processor become findings */
ending fibers_run(uint64_t seed);
void fibers_end(ending why) __attribute__((noreturn));
const char *fibers_name(int actor);
uint64_t fibers_step(void);
int fibers_count(void);
void fibers_enter(const void *pc);
void fibers_leave(void);
place fibers_place(const void *pc);
void *fibers_stack(int actor);  /* its stack pointer while it does not run */
void fibers_describe(void);     /* where each actor is, as findings_detail lines */
extern struct options { uint32_t switch_in, fail_in, counts_warnings; uint64_t most_steps; } rt_options;

/* races.c */
void races_begin(void);
void races_fresh(uint64_t offset, unsigned long n);
void races_access(uint64_t offset, unsigned long n, int writes, int order, const void *pc);
void races_free(uint64_t offset, unsigned long n, const void *after, const void *pc);
void races_fence(int order);

/* locks.c */
void lock_order_begin(void);

/* findings.c: one JSON object a line. */
void findings_begin(const char *kind);
void findings_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void findings_place(const char *what, int actor, place where);
void findings_print(void);
void findings_seed(uint64_t seed);
#endif
