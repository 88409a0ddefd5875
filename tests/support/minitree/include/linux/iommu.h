/* SPDX-License-Identifier: MIT */
#ifndef MINI_IOMMU_H
#define MINI_IOMMU_H
struct fault_queue { struct mutex lock; struct list_head faults; struct workqueue_struct *wq; u32 handled; };
struct fault { struct list_head list; struct work_struct work; struct fault_queue *queue; refcount_t users; u32 page; };
struct fault_queue *fault_queue_alloc(const char *name);
int fault_report(struct fault_queue *queue, u32 page);
void fault_queue_flush(struct fault_queue *queue);
void fault_queue_free(struct fault_queue *queue);
#endif
