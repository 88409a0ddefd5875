/* SPDX-License-Identifier: MIT */
#ifndef MINI_XARRAY_H
#define MINI_XARRAY_H
struct xarray { spinlock_t xa_lock; void *xa_head; };
struct xa_limit { u32 max, min; };
typedef unsigned int xa_mark_t;
#define XA_ZERO_ENTRY ((void *)0x406ul)
#define XA_ERROR(n) ((void *)((unsigned long)(n) << 2 | 2))
#define xa_is_err(e) (((unsigned long)(e) & 3) == 2 && (unsigned long)(e) >= (unsigned long)XA_ERROR(-4095))
#define xa_err(e) (xa_is_err(e) ? (int)((long)(e) >> 2) : 0)
#define xa_lock(xa) spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa) spin_unlock(&(xa)->xa_lock)
#endif
