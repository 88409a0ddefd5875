// SPDX-License-Identifier: MIT
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mini.h"

struct fault_queue *fault_queue_alloc(const char *name)
{
	struct fault_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);

	if (!queue)
		return NULL;
	mutex_init(&queue->lock);
	INIT_LIST_HEAD(&queue->faults);
	queue->wq = alloc_workqueue("mini/%s", WQ_UNBOUND, 0, name);
	return queue;
}

void fault_queue_free(struct fault_queue *queue)
{
	WARN_ON(!list_empty(&queue->faults));
	destroy_workqueue(queue->wq);
	kfree(queue);
}
