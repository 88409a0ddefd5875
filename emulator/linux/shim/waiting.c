/* SPDX-License-Identifier: MIT
 * Completions and wait queues. */
#include "shim.h"
#define FOR_ALL ~0u

void init_completion(struct completion *c) { c->done = 0; }
void reinit_completion(struct completion *c)
{
    rt_point(RT_WRITE, c, CALLER);
    rt_touch(c, sizeof(*c), 1, CALLER);
    c->done = 0;
}
static void finish(struct completion *c, int all, const void *pc)
{
    rt_point(RT_WAKE, c, pc);
    rt_touch(c, sizeof(*c), 1, pc);
    rt_release(c);
    if (all)
        c->done = FOR_ALL;
    else if (c->done != FOR_ALL)
        c->done++;
    rt_wake(c);
}
void complete(struct completion *c) { finish(c, 0, CALLER); }
void complete_all(struct completion *c) { finish(c, 1, CALLER); }
bool completion_done(struct completion *c)
{
    rt_point(RT_READ, c, CALLER);
    rt_touch(c, sizeof(*c), 0, CALLER);
    return c->done != 0;
}
void wait_for_completion(struct completion *c)
{
    const void *pc = CALLER;
    shim_sleeps(pc);
    rt_point(RT_WAIT, c, pc);
    rt_touch(c, sizeof(*c), 1, pc);
    while (!c->done) {
        rt_block(c, pc);
        rt_touch(c, sizeof(*c), 1, pc);
    }
    if (c->done != FOR_ALL) c->done--;
    rt_acquire(c);
}

void init_waitqueue_head(wait_queue_head_t *q) { q->wakes = 0; }
u32 shim_queue_wakes(wait_queue_head_t *q)
{
    rt_point(RT_WAIT, q, CALLER);
    rt_touch(q, sizeof(*q), 0, CALLER);
    rt_acquire(q);
    return q->wakes;
}
void shim_queue_sleep(wait_queue_head_t *q, u32 seen)
{
    while (q->wakes == seen) {
        rt_block(q, CALLER);
        rt_touch(q, sizeof(*q), 0, CALLER);
    }
}
void wake_up(wait_queue_head_t *q)
{
    rt_point(RT_WAKE, q, CALLER);
    rt_touch(q, sizeof(*q), 1, CALLER);
    rt_release(q);
    q->wakes++;
    rt_wake(q);
}
