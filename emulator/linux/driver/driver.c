/* SPDX-License-Identifier: MIT
 * An IOMMU driver of our own around the tree's io-pgfault.c, iommu-sva.c and iommu.c, and the programs of its users: tasks that
 * bind, let a function run, and unbind. Until 6.15 the users enable page faults of a device, from 6.16 attaching a domain does. */
#include <linux/iommu.h>
#include <linux/workqueue.h>
#include "driver.h"

#ifdef TREE_ATTACH_HANDLE
#include "iommu-priv.h"
void shim_work(void);

struct my_device { struct device dev; struct dev_iommu param; int enabled; };
static struct { struct iommu_device iommu; struct iopf_queue *queue; struct mutex lock; struct completion scanned; int tasks; } unit;
static struct my_device devices[DEVICES];
static struct mm_struct *mm;
static int leaves_early;
#define to_my(d) container_of(d, struct my_device, dev)

static int enable_faults(struct my_device *d)
{
    if (d->enabled++) return 0;
    int failed = iopf_queue_add_device(unit.queue, &d->dev);
    if (failed) d->enabled--;
    return failed;
}
static void disable_faults(struct my_device *d)
{
    if (!--d->enabled) iopf_queue_remove_device(unit.queue, &d->dev);
}
/* Until the queue holds no request of this PASID, and then until the workers have handled what they got. */
static void drain(struct my_device *d, u32 pasid)
{
    if (!d->enabled) return;
    for (;;) {
        reinit_completion(&unit.scanned);
        if (!hardware_holds(d->dev.id, pasid)) break;
        wait_for_completion(&unit.scanned);
    }
    iopf_queue_flush_dev(&d->dev);
}

/* Hardware expects an answer for the last request of a group; the core answers any that it refuses. */
static void page_response(struct device *dev, struct iopf_fault *fault, struct iommu_page_response *r)
{
    if (!(fault->fault.prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)) return;
    hardware_respond(dev->id, r->pasid, r->grpid, r->code);
}
#ifdef TREE_SET_DEV_PASID_OLD
#define OLD_DOMAIN , struct iommu_domain *old
#else
#define OLD_DOMAIN
#endif
static int set_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid OLD_DOMAIN)
{
#ifdef TREE_DEV_FEATURES
    return 0;
#else
    return domain->iopf_handler ? enable_faults(to_my(dev)) : 0;
#endif
}
static void free_domain(struct iommu_domain *domain) { kfree(domain); }
static const struct iommu_domain_ops domain_ops = {.set_dev_pasid = set_dev_pasid, .free = free_domain};

#ifdef TREE_REMOVE_DEV_PASID
static void remove_dev_pasid(struct device *dev, ioasid_t pasid, struct iommu_domain *domain) { drain(to_my(dev), pasid); }
#else
static int block_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid, struct iommu_domain *old)
{
    drain(to_my(dev), pasid);
#ifndef TREE_DEV_FEATURES
    if (old && old->iopf_handler) disable_faults(to_my(dev));
#endif
    return 0;
}
static const struct iommu_domain_ops blocked_ops = {.set_dev_pasid = block_dev_pasid};
static struct iommu_domain blocked = {.type = IOMMU_DOMAIN_BLOCKED, .ops = &blocked_ops};
#endif

static struct iommu_domain *domain_alloc_sva(struct device *dev, struct mm_struct *m)
{
    struct iommu_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL);
    if (!domain) return ERR_PTR(-ENOMEM);
    domain->ops = &domain_ops;
    return domain;
}
static const struct iommu_ops ops = {
    .page_response = page_response,
    .domain_alloc_sva = domain_alloc_sva,
    .default_domain_ops = &domain_ops,
#ifdef TREE_REMOVE_DEV_PASID
    .remove_dev_pasid = remove_dev_pasid,
#else
    .blocked_domain = &blocked,
#endif
};

/* The interrupt thread: reports what is in the queue, and lets drains scan it again. */
static void report(const struct request *r)
{
    struct iopf_fault fault = {};
    fault.fault.type = IOMMU_FAULT_PAGE_REQ;
    fault.fault.prm.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID | (r->is_last ? IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0);
    fault.fault.prm.pasid = r->pasid;
    fault.fault.prm.grpid = r->group;
    fault.fault.prm.perm = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE;
    fault.fault.prm.addr = r->address;
    mutex_lock(&unit.lock);
    iommu_report_device_fault(&devices[r->device].dev, &fault);
    mutex_unlock(&unit.lock);
}
static void interrupt_thread(int unused)
{
    struct request r;
    for (;;) {
        hardware_await_request();
        while (hardware_next(&r)) {
            report(&r);
            hardware_advance();
        }
        if (!completion_done(&unit.scanned)) complete(&unit.scanned);
    }
}
static void worker(int unused) { shim_work(); }

static void leave(void)
{
    mutex_lock(&unit.lock);
    bool last = --unit.tasks == 0;
    mutex_unlock(&unit.lock);
#ifdef TREE_DEV_FEATURES
    for (int i = 0; last && i < DEVICES; i++) disable_faults(&devices[i]);
#endif
    if (last) mmdrop(mm);
}
/* Binds, lets the function run until it stops, unbinds. */
static void task(int device)
{
    struct iommu_sva *bond = iommu_sva_bind_device(&devices[device].dev, mm);
    if (IS_ERR(bond)) {
        /* Without memory for its identifier, a PASID is reported as used up. */
        if (PTR_ERR(bond) != -ENOMEM && PTR_ERR(bond) != -ENOSPC) rt_finding("bind failed", 0, "error %ld", PTR_ERR(bond));
        hardware_start(device, 63); /* no such PASID: every request is refused */
        hardware_await_stop(device);
    } else {
        u32 pasid = iommu_sva_get_pasid(bond);
        if (leaves_early) mmput(mm);
        hardware_start(device, pasid);
        hardware_await_stop(device);
        iommu_sva_unbind_device(bond);
    }
    if (!leaves_early || IS_ERR(bond)) mmput(mm);
    leave();
}
/* A second user of the first device's bond. */
static void sharer(int device)
{
    struct iommu_sva *bond = iommu_sva_bind_device(&devices[device].dev, mm);
    if (!IS_ERR(bond)) iommu_sva_unbind_device(bond);
    mmput(mm);
    leave();
}

/* A domain of user space: its handler hands each group to a work item, which answers. */
static void user_work(struct work_struct *work)
{
    struct iopf_group *group = container_of(work, struct iopf_group, work);
    iopf_group_response(group, IOMMU_PAGE_RESP_SUCCESS);
    iopf_free_group(group);
}
static int user_handler(struct iopf_group *group)
{
    INIT_WORK(&group->work, user_work);
    return queue_work(group->fault_param->queue->wq, &group->work) ? 0 : -EBUSY;
}
/* Attaches such a domain to a PASID, lets the function run until it stops, detaches. */
static void user(int device)
{
    const u32 pasid = 5;
    struct iommu_attach_handle *handle = kzalloc(sizeof(*handle), GFP_KERNEL);
    struct iommu_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL);
    int failed = handle && domain ? 0 : -ENOMEM;
    if (!failed) {
        domain->type = IOMMU_DOMAIN_UNMANAGED, domain->ops = &domain_ops, domain->owner = &ops, domain->iopf_handler = user_handler;
        failed = iommu_attach_device_pasid(domain, &devices[device].dev, pasid, handle);
    }
    if (failed && failed != -ENOMEM) rt_finding("attach failed", 0, "error %d", failed);
    hardware_start(device, pasid);
    hardware_await_stop(device);
    if (!failed) iommu_detach_device_pasid(domain, &devices[device].dev, pasid);
    kfree(handle);
    kfree(domain);
    mmput(mm);
    leave();
}

#define SERVICES {"irq", interrupt_thread, 0, 1}, {"worker0", worker, 0, 1}, {"worker1", worker, 1, 1}, {NULL}
#define ONE {"task0", task, 0, 0}, {"device0", hardware_function, 0, 0}
static const struct program {
    const char *name;
    struct hardware_program hardware;
    int tasks, leaves_early;
    struct actor_entry actors[10];
} programs[] = {
    {"life-cycle", {.groups = 1, .pages = 2, .waits = 1}, 1, 0, {ONE, SERVICES}},
    {"no-wait", {.groups = 2, .pages = 2, .waits = 0}, 1, 0, {ONE, SERVICES}},
    {"torn", {.groups = 2, .pages = 2, .torn = 1}, 1, 0, {ONE, SERVICES}},
    {"exit", {.groups = 1, .pages = 2, .waits = 0}, 1, 1, {ONE, SERVICES}},
    {"share", {.groups = 1, .pages = 2, .waits = 0}, 2, 0, {ONE, {"sharer", sharer, 0, 0}, SERVICES}},
    {"user", {.groups = 2, .pages = 2, .waits = 0}, 1, 0, {{"task0", user, 0, 0}, {"device0", hardware_function, 0, 0}, SERVICES}},
    {"two-devices", {.groups = 1, .pages = 2, .waits = 0}, 2, 0, {ONE, {"task1", task, 1, 0}, {"device1", hardware_function, 1, 0}, SERVICES}},
};

static bool add_device(int i)
{
    struct my_device *d = &devices[i];
    d->dev.id = i, d->dev.init_name = i ? "device1" : "device0", d->dev.iommu = &d->param;
    mutex_init(&d->param.lock);
    d->param.iommu_dev = &unit.iommu, d->param.max_pasids = 8;
    struct iommu_group *g = iommu_group_alloc();
    if (IS_ERR(g) || iommu_group_add_device(g, &d->dev)) return false;
#ifdef TREE_DEV_FEATURES
    return !enable_faults(d);
#else
    return true;
#endif
}
/* The actors of a program, or NULL if there is none of this name. */
const struct actor_entry *driver_set_up(const char *name)
{
    const struct program *p = NULL;
    for (unsigned int i = 0; i < ARRAY_SIZE(programs); i++)
        if (!strcmp(programs[i].name, name)) p = &programs[i];
    if (!p) return NULL;
    hardware_program = p->hardware, leaves_early = p->leaves_early, unit.tasks = p->tasks;
    mutex_init(&unit.lock);
    init_completion(&unit.scanned);
    unit.iommu.ops = &ops;
    unit.queue = iopf_queue_alloc("unit");
    mm = kzalloc(sizeof(*mm), GFP_KERNEL);
    atomic_set(&mm->mm_users, p->tasks);
    atomic_set(&mm->mm_count, 2); /* the users' and the world's */
    init_rwsem(&mm->mmap_lock);
    mm->areas = 1;
    mm->area[0] = (struct vm_area_struct){0x100000, 0x200000, VM_READ | VM_WRITE};
    for (int i = 0; i < DEVICES; i++)
        if (!add_device(i)) return NULL;
    return p->actors;
}
#endif
