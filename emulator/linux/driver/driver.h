/* SPDX-License-Identifier: MIT
 * Between the driver's files. */
#ifndef DRIVER_H
#define DRIVER_H
#include "../runtime/runtime.h"
#define DEVICES 2

/* hardware.c: a page request queue, and a function behind each device. */
struct request { u32 device, pasid, group, is_last; u64 address; };
void hardware_respond(int device, u32 pasid, u32 group, u32 code);
bool hardware_next(struct request *r);          /* the oldest request; it stays in the queue */
void hardware_advance(void);                    /* the oldest request leaves the queue */
bool hardware_holds(int device, u32 pasid);     /* whether a request is in the queue */
void hardware_await_request(void);
void hardware_start(int device, u32 pasid);
void hardware_await_stop(int device);
void hardware_function(int device);             /* an actor */
extern struct hardware_program { int groups, pages, torn, waits; } hardware_program;

/* The actors of a program, to the runtime; the name of the last is NULL. */
struct actor_entry { const char *name; void (*f)(int); int argument, is_service; };
#endif
