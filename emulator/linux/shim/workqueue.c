/* SPDX-License-Identifier: MIT
 * Work queues: a list of items each, and any worker takes the oldest. An item's pending bit is cleared before its function runs,
 * which may free it: nothing of the item is touched after. Flushing waits for the numbers handed out before. */
#include "shim.h"
#define RUNNING RT_ACTORS
#define PENDING 1ul

struct workqueue_struct {
    struct list_head items;
    struct workqueue_struct *next;
    u64 numbers, running[RUNNING]; /* by actor: the number of its item */
};
static struct workqueue_struct *queues;
static const char work_class[] = "work item"; /* what an item takes is taken inside of it, and a flush waits for it */

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int most, ...)
{
    struct workqueue_struct *q = rt_alloc_fails() ? NULL : rt_alloc(sizeof(*q), 1, CALLER);
    if (!q) return NULL;
    INIT_LIST_HEAD(&q->items);
    q->next = queues, queues = q;
    return q;
}
static void append(struct workqueue_struct *q, struct list_head *item)
{
    struct list_head *last = q->items.prev;
    item->prev = last, item->next = &q->items;
    last->next = q->items.prev = item;
}
static void take_out(struct list_head *item)
{
    item->prev->next = item->next, item->next->prev = item->prev;
    item->next = item->prev = item;
}
bool queue_work(struct workqueue_struct *q, struct work_struct *w)
{
    const void *pc = CALLER;
    rt_point(RT_WORK, w, pc);
    rt_touch(w, sizeof(*w), 1, pc);
    rt_touch(q, sizeof(*q), 1, pc);
    if (w->data & PENDING) return false;
    rt_release(w);
    w->data |= PENDING, w->queue = q, w->number = ++q->numbers;
    append(q, &w->entry);
    rt_wake(&queues);
    return true;
}
static struct work_struct *oldest(struct workqueue_struct *q)
{
    return q->items.next == &q->items ? NULL : container_of(q->items.next, struct work_struct, entry);
}
static void run(struct workqueue_struct *q, struct work_struct *w, const void *pc)
{
    rt_touch(w, sizeof(*w), 1, pc);
    take_out(&w->entry);
    work_func_t f = w->func;
    q->running[rt_me] = w->number;
    rt_acquire(w);
    w->data &= ~PENDING;
    rt_take(work_class, work_class, 0);
    f(w);
    rt_drop(work_class);
    rt_touch(q, sizeof(*q), 1, pc);
    rt_release(q);
    q->running[rt_me] = 0;
    rt_wake(q);
}
static struct workqueue_struct *with_work(void)
{
    struct workqueue_struct *q = queues;
    while (q && !oldest(q)) q = q->next;
    return q;
}
/* What a worker does for ever. It looks again after the point: another may have taken the item, and freed the queue. */
void shim_work(void)
{
    const void *pc = CALLER;
    for (;;) {
        while (!with_work()) rt_block(&queues, pc);
        rt_point(RT_WORK, &queues, pc);
        struct workqueue_struct *q = with_work();
        if (q) run(q, oldest(q), pc);
    }
}
static bool is_busy(struct workqueue_struct *q, u64 from, u64 to)
{
    for (struct list_head *i = q->items.next; i != &q->items; i = i->next) {
        u64 n = container_of(i, struct work_struct, entry)->number;
        if (n >= from && n <= to) return true;
    }
    for (int i = 0; i < RUNNING; i++)
        if (q->running[i] >= from && q->running[i] <= to) return true;
    return false;
}
static void await(struct workqueue_struct *q, u64 from, u64 to, const void *pc)
{
    shim_sleeps(pc);
    rt_point(RT_WAIT, q, pc);
    rt_touch(q, sizeof(*q), 0, pc);
    rt_take(work_class, work_class, pc);
    while (is_busy(q, from, to)) {
        rt_block(q, pc);
        rt_touch(q, sizeof(*q), 0, pc);
    }
    rt_drop(work_class);
    rt_acquire(q);
}
void flush_workqueue(struct workqueue_struct *q)
{
    rt_touch(q, sizeof(*q), 0, CALLER);
    await(q, 1, q->numbers, CALLER);
}
bool flush_work(struct work_struct *w)
{
    rt_touch(w, sizeof(*w), 0, CALLER);
    if (!w->queue || !is_busy(w->queue, w->number, w->number)) return false;
    await(w->queue, w->number, w->number, CALLER);
    return true;
}
bool cancel_work_sync(struct work_struct *w)
{
    bool was = w->data & PENDING;
    rt_touch(w, sizeof(*w), 1, CALLER);
    if (was) {
        take_out(&w->entry);
        w->data &= ~PENDING;
    }
    if (w->queue) await(w->queue, w->number, w->number, CALLER);
    return was;
}
void destroy_workqueue(struct workqueue_struct *q)
{
    await(q, 1, ~0ull, CALLER);
    struct workqueue_struct **at = &queues;
    while (*at != q) at = &(*at)->next;
    *at = q->next;
    rt_free(q, 0, CALLER);
}
