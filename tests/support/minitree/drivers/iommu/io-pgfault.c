// SPDX-License-Identifier: MIT
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mini.h"

void fault_put(struct fault *fault)
{
	if (refcount_dec_and_test(&fault->users))
		kfree(fault);
}

static void fault_handle(struct work_struct *work)
{
	struct fault *fault = container_of(work, struct fault, work);
	struct fault_queue *queue = fault->queue;

	mutex_lock(&queue->lock);
	list_del_init(&fault->list);
	queue->handled++;
	mutex_unlock(&queue->lock);
	fault_put(fault);
}

int fault_report(struct fault_queue *queue, u32 page)
{
	struct fault *fault = kzalloc(sizeof(*fault), GFP_KERNEL);

	if (!fault)
		return -ENOMEM;
	fault->queue = queue;
	fault->page = page;
	refcount_set(&fault->users, 1);
	INIT_WORK(&fault->work, fault_handle);
	mutex_lock(&queue->lock);
	list_add_tail(&fault->list, &queue->faults);
	mutex_unlock(&queue->lock);
	queue_work(queue->wq, &fault->work);
	return 0;
}

void fault_queue_flush(struct fault_queue *queue)
{
	flush_workqueue(queue->wq);
}
