/* SPDX-License-Identifier: MIT
 * Identifiers: 64 in a word, under a lock that nobody sees. */
#include "shim.h"

int ida_alloc_range(struct ida *a, unsigned int low, unsigned int high, gfp_t flags)
{
    if (gfpflags_allow_blocking(flags)) shim_sleeps(CALLER);
    rt_point(RT_WRITE, a, CALLER);
    rt_touch(a, sizeof(*a), 1, CALLER);
    if (rt_alloc_fails()) return -ENOMEM;
    for (unsigned int i = low; i <= high && i < 64; i++)
        if (!(a->used >> i & 1)) {
            a->used |= 1ull << i;
            return (int)i;
        }
    return -ENOSPC;
}
void ida_free(struct ida *a, unsigned int id)
{
    rt_point(RT_WRITE, a, CALLER);
    rt_touch(a, sizeof(*a), 1, CALLER);
    if (id >= 64 || !(a->used >> id & 1)) rt_finding("invalid free", CALLER, "identifier %u is not in use", id);
    a->used &= ~(1ull << id);
}
