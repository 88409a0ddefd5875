/* SPDX-License-Identifier: MIT
 * The xarray behind the tree's header: 64 places in one table, which the first store allocates. */
#include "shim.h"
#define PLACES 64

typedef struct { void *at[PLACES]; } table;

static void *entry_at(const struct xarray *xa, unsigned long i)
{
    const table *t = xa->xa_head;
    return t && i < PLACES ? t->at[i] : NULL;
}
static void *shown(void *entry) { return entry == XA_ZERO_ENTRY ? NULL : entry; }
/* The old entry, or an error as an entry. */
static void *put(struct xarray *xa, unsigned long i, void *entry, const void *pc)
{
    if (i >= PLACES) rt_finding("limit of the shim", pc, "an xarray has %d places here, index %lu", PLACES, i);
    if (!xa->xa_head) {
        if (!entry) return NULL;
        if (rt_alloc_fails()) return XA_ERROR(-ENOMEM);
        xa->xa_head = rt_alloc(sizeof(table), 1, pc);
        rt_forget(xa->xa_head);
    }
    table *t = xa->xa_head;
    void *old = t->at[i];
    rt_release(&xa->xa_head);
    t->at[i] = entry;
    return old;
}
void *xa_load(struct xarray *xa, unsigned long i)
{
    rt_point(RT_READ, xa, CALLER);
    rt_touch(xa, sizeof(*xa), 0, CALLER);
    rt_acquire(&xa->xa_head);
    return shown(entry_at(xa, i));
}
void *xa_store(struct xarray *xa, unsigned long i, void *entry, gfp_t flags)
{
    xa_lock(xa);
    void *old = put(xa, i, entry, CALLER);
    xa_unlock(xa);
    return xa_is_err(old) ? old : shown(old);
}
void *__xa_store(struct xarray *xa, unsigned long i, void *entry, gfp_t flags) { return shown(put(xa, i, entry, CALLER)); }
void *xa_erase(struct xarray *xa, unsigned long i)
{
    xa_lock(xa);
    void *old = put(xa, i, NULL, CALLER);
    xa_unlock(xa);
    return shown(old);
}
void *__xa_erase(struct xarray *xa, unsigned long i) { return shown(put(xa, i, NULL, CALLER)); }
int __xa_insert(struct xarray *xa, unsigned long i, void *entry, gfp_t flags)
{
    if (entry_at(xa, i)) return -EBUSY;
    return xa_err(put(xa, i, entry ? entry : XA_ZERO_ENTRY, CALLER));
}
void *__xa_cmpxchg(struct xarray *xa, unsigned long i, void *old, void *entry, gfp_t flags)
{
    void *seen = entry_at(xa, i); /* a reservation is compared as what it is: releasing one depends on it */
    if (seen != old) return shown(seen);
    void *was = put(xa, i, entry, CALLER);
    return xa_is_err(was) ? was : shown(seen);
}
int __xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t flags)
{
    for (u32 i = limit.min; i <= limit.max && i < PLACES; i++) {
        if (entry_at(xa, i)) continue;
        void *was = put(xa, i, entry ? entry : XA_ZERO_ENTRY, CALLER);
        if (xa_is_err(was)) return xa_err(was);
        rt_touch(id, sizeof(*id), 1, CALLER);
        *id = i;
        return 0;
    }
    return -EBUSY;
}
static void *next_from(struct xarray *xa, unsigned long *i, unsigned long from, unsigned long most)
{
    void *found = NULL;
    xa_lock(xa);
    for (unsigned long k = from; k < PLACES && k <= most && !found; k++)
        if ((found = shown(entry_at(xa, k)))) *i = k;
    xa_unlock(xa);
    return found;
}
void *xa_find(struct xarray *xa, unsigned long *i, unsigned long most, xa_mark_t mark) { return next_from(xa, i, *i, most); }
void *xa_find_after(struct xarray *xa, unsigned long *i, unsigned long most, xa_mark_t mark) { return next_from(xa, i, *i + 1, most); }
void xa_destroy(struct xarray *xa)
{
    xa_lock(xa);
    if (xa->xa_head) rt_free(xa->xa_head, 0, CALLER);
    xa->xa_head = NULL;
    xa_unlock(xa);
}
