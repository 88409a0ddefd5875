/* SPDX-License-Identifier: MIT
 * Memory and strings of the kernel, and copies from and to user space. */
#include "shim.h"

void *shim_memcpy(void *to, const void *from, size_t n)
{
    rt_touch(from, n, 0, CALLER);
    rt_touch(to, n, 1, CALLER);
    return __builtin_memmove(to, from, n);
}
void *shim_memset(void *to, int value, size_t n)
{
    rt_touch(to, n, 1, CALLER);
    return __builtin_memset(to, value, n);
}
int shim_memcmp(const void *a, const void *b, size_t n)
{
    rt_touch(a, n, 0, CALLER);
    rt_touch(b, n, 0, CALLER);
    return __builtin_memcmp(a, b, n);
}
bool sysfs_streq(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    n -= n && a[n - 1] == '\n', m -= m && b[m - 1] == '\n';
    return n == m && !__builtin_memcmp(a, b, n);
}
unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
    shim_sleeps(CALLER);
    shim_memcpy(to, from, n);
    return 0;
}
unsigned long copy_to_user(void *to, const void *from, unsigned long n)
{
    shim_sleeps(CALLER);
    shim_memcpy(to, from, n);
    return 0;
}
