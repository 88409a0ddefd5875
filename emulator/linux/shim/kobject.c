/* SPDX-License-Identifier: MIT
 * Kobjects: counted, with a reference of each to its parent, released by their type. Files and links of sysfs are not kept. */
#include "shim.h"

static struct kobject kernel_root = {.name = "kernel", .users = REFCOUNT_INIT(1 << 20)};
struct kobject *kernel_kobj = &kernel_root;

struct kobject *kobject_get(struct kobject *k)
{
    if (!k) return NULL;
    rt_point(RT_WRITE, k, CALLER);
    rt_touch(k, sizeof(*k), 1, CALLER);
    k->users.refs.counter++;
    return k;
}
void kobject_put(struct kobject *k)
{
    if (!k || k == kernel_kobj) return;
    rt_point(RT_WRITE, k, CALLER);
    rt_touch(k, sizeof(*k), 1, CALLER);
    rt_release(k);
    if (--k->users.refs.counter) return;
    rt_acquire(k);
    struct kobject *parent = k->parent;
    if (k->type && k->type->release) k->type->release(k);
    kobject_put(parent);
}
int kobject_init_and_add(struct kobject *k, const struct kobj_type *type, struct kobject *parent, const char *fmt, ...)
{
    rt_touch(k, sizeof(*k), 1, CALLER);
    k->type = type, k->name = fmt, k->users.refs.counter = 1;
    k->parent = kobject_get(parent ? parent : k->kset ? &k->kset->kobj : NULL);
    return 0;
}
static void free_kobject(struct kobject *k) { rt_free(k, 0, CALLER); }
static const struct kobj_type created = {.release = free_kobject};
struct kobject *kobject_create_and_add(const char *name, struct kobject *parent)
{
    struct kobject *k = rt_alloc_fails() ? NULL : rt_alloc(sizeof(*k), 1, CALLER);
    if (k) kobject_init_and_add(k, &created, parent, "%s", name);
    return k;
}
struct kset *kset_create_and_add(const char *name, const void *ops, struct kobject *parent)
{
    struct kset *s = rt_alloc_fails() ? NULL : rt_alloc(sizeof(*s), 1, CALLER);
    if (s) kobject_init_and_add(&s->kobj, NULL, parent, "%s", name);
    return s;
}
const char *kobject_name(const struct kobject *k) { return k->name ? k->name : "device"; }
int sysfs_create_file(struct kobject *k, const struct attribute *a) { return 0; }
void sysfs_remove_file(struct kobject *k, const struct attribute *a) {}
int sysfs_create_link(struct kobject *k, struct kobject *target, const char *name) { return 0; }
int sysfs_create_link_nowarn(struct kobject *k, struct kobject *target, const char *name) { return 0; }
void sysfs_remove_link(struct kobject *k, const char *name) {}
