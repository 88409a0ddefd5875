/* SPDX-License-Identifier: MIT
 * The tree's refcount.h, and its cleanup.h where it has one (6.5 and later), over our locks. */
#ifndef SHIM_GUARDS_H
#define SHIM_GUARDS_H
#include <linux/refcount.h>
#if __has_include(<linux/cleanup.h>)
#include <linux/cleanup.h>
#ifdef DEFINE_GUARD
DEFINE_GUARD(mutex, struct mutex *, mutex_lock(_T), mutex_unlock(_T))
DEFINE_GUARD(spinlock, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_GUARD(rwsem_read, struct rw_semaphore *, down_read(_T), up_read(_T))
DEFINE_GUARD(rwsem_write, struct rw_semaphore *, down_write(_T), up_write(_T))
#endif
#endif
#endif
