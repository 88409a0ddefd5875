/* SPDX-License-Identifier: MIT
 * Kobjects with their reference count and release; sysfs shows nothing. */
#ifndef SHIM_KOBJECT_H
#define SHIM_KOBJECT_H
struct kobject;
struct attribute { const char *name; unsigned short mode; };
struct attribute_group { const char *name; struct attribute **attrs; };
struct sysfs_ops {
    ssize_t (*show)(struct kobject *k, struct attribute *a, char *to);
    ssize_t (*store)(struct kobject *k, struct attribute *a, const char *from, size_t n);
};
struct kobj_type { void (*release)(struct kobject *k); const struct sysfs_ops *sysfs_ops; };
struct kset;
struct kobject { const char *name; struct kset *kset; struct kobject *parent; refcount_t users; const struct kobj_type *type; };
struct kset { struct kobject kobj; };
#define __ATTR(n, m, shows, stores) { .attr = { .name = __stringify(n), .mode = m }, .show = shows, .store = stores }
int kobject_init_and_add(struct kobject *k, const struct kobj_type *type, struct kobject *parent, const char *fmt, ...);
struct kobject *kobject_create_and_add(const char *name, struct kobject *parent);
struct kset *kset_create_and_add(const char *name, const void *ops, struct kobject *parent);
struct kobject *kobject_get(struct kobject *k);
void kobject_put(struct kobject *k);
const char *kobject_name(const struct kobject *k);
int sysfs_create_file(struct kobject *k, const struct attribute *a);
void sysfs_remove_file(struct kobject *k, const struct attribute *a);
int sysfs_create_link(struct kobject *k, struct kobject *target, const char *name);
int sysfs_create_link_nowarn(struct kobject *k, struct kobject *target, const char *name);
void sysfs_remove_link(struct kobject *k, const char *name);
extern struct kobject *kernel_kobj;
#endif
