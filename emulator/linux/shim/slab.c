/* SPDX-License-Identifier: MIT
 * Allocation and free. */
#include "shim.h"

void *shim_alloc(size_t n, gfp_t flags)
{
    const void *pc = CALLER;
    if (gfpflags_allow_blocking(flags)) shim_sleeps(pc);
    if (rt_alloc_fails()) return NULL;
    return rt_alloc(n, (flags & __GFP_ZERO) != 0, pc);
}
void kfree(const void *p)
{
    const void *pc = CALLER;
    if ((unsigned long)p <= 16) return; /* NULL, and what a zero-sized allocation gives */
    rt_point(RT_FREE, p, pc);
    rt_free(p, 0, pc);
}
void *kmemdup(const void *from, size_t n, gfp_t flags)
{
    void *p = rt_alloc_fails() ? NULL : rt_alloc(n, 0, CALLER);
    if (!p) return NULL;
    rt_touch(from, n, 0, CALLER);
    return __builtin_memcpy(p, from, n);
}
char *kstrdup(const char *s, gfp_t flags) { return s ? kmemdup(s, strlen(s) + 1, flags) : NULL; }
int vsnprintf(char *to, size_t n, const char *fmt, __builtin_va_list args);
char *kasprintf(gfp_t flags, const char *fmt, ...)
{
    __builtin_va_list args;
    char text[256];
    __builtin_va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    __builtin_va_end(args);
    return kstrdup(text, flags);
}
