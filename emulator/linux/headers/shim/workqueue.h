/* SPDX-License-Identifier: MIT
 * Work items and queues: any worker takes the oldest item. */
#ifndef SHIM_WORKQUEUE_H
#define SHIM_WORKQUEUE_H
struct workqueue_struct;
struct work_struct;
typedef void (*work_func_t)(struct work_struct *work);
struct work_struct { unsigned long data; struct list_head entry; work_func_t func; struct workqueue_struct *queue; u64 number; };
enum { WQ_UNBOUND = 2, WQ_FREEZABLE = 4, WQ_MEM_RECLAIM = 8, WQ_HIGHPRI = 16 };
#define INIT_WORK(w, f) do { (w)->data = 0; INIT_LIST_HEAD(&(w)->entry); (w)->func = (f); } while (0)
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int most, ...);
#define alloc_ordered_workqueue(fmt, flags, ...) alloc_workqueue(fmt, flags, 1, ##__VA_ARGS__)
void destroy_workqueue(struct workqueue_struct *q);
void flush_workqueue(struct workqueue_struct *q);
bool queue_work(struct workqueue_struct *q, struct work_struct *w);
bool flush_work(struct work_struct *w);
bool cancel_work_sync(struct work_struct *w);
#endif
