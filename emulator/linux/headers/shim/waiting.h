/* SPDX-License-Identifier: MIT
 * Completions and wait queues. */
#ifndef SHIM_WAITING_H
#define SHIM_WAITING_H
typedef struct wait_queue_head { u32 wakes; } wait_queue_head_t;
struct completion { u32 done; };
#define COMPLETION_INITIALIZER(c) { 0 }
#define DECLARE_COMPLETION(c) struct completion c = COMPLETION_INITIALIZER(c)
void init_completion(struct completion *c);
void reinit_completion(struct completion *c);
void complete(struct completion *c);
void complete_all(struct completion *c);
void wait_for_completion(struct completion *c);
bool completion_done(struct completion *c);
void init_waitqueue_head(wait_queue_head_t *q);
u32 shim_queue_wakes(wait_queue_head_t *q);
void shim_queue_sleep(wait_queue_head_t *q, u32 seen);
void wake_up(wait_queue_head_t *q);
#define wake_up_all(q) wake_up(q)
#define wake_up_interruptible(q) wake_up(q)
#define wake_up_interruptible_all(q) wake_up(q)
#define wake_up_interruptible_poll(q, mask) wake_up(q)
#define wait_event(q, c) do { might_sleep(); for (;;) { u32 seen_ = shim_queue_wakes(&(q)); if (c) break; shim_queue_sleep(&(q), seen_); } } while (0)
#define wait_event_interruptible(q, c) ({ wait_event(q, c); 0; })
#endif
