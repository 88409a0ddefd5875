/* SPDX-License-Identifier: MIT
 * Atomics and barriers as the compiler's builtins, so that the instrumentation sees each with its ordering; the
 * architecture's are inline assembly. The tree's refcount.h is laid over them. */
#ifndef SHIM_ATOMIC_H
#define SHIM_ATOMIC_H
#define mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_mb() mb()
#define smp_rmb() rmb()
#define smp_wmb() wmb()
#define dma_rmb() rmb()
#define dma_wmb() wmb()
#define smp_mb__before_atomic() mb()
#define smp_mb__after_atomic() mb()
#define smp_acquire__after_ctrl_dep() rmb()
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_mb(v, x) __atomic_store_n(&(v), x, __ATOMIC_SEQ_CST)

#define SHIM_CMPXCHG(p, old, new, mo) ({ typeof(*(p)) old_ = (old); __atomic_compare_exchange_n(p, &old_, new, 0, mo, __ATOMIC_RELAXED); old_; })
#define cmpxchg(p, old, new) SHIM_CMPXCHG(p, old, new, __ATOMIC_SEQ_CST)
#define cmpxchg_relaxed(p, old, new) SHIM_CMPXCHG(p, old, new, __ATOMIC_RELAXED)
#define try_cmpxchg(p, oldp, new) __atomic_compare_exchange_n(p, oldp, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define xchg(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

#define SHIM_ADD(v, n, mo) __atomic_fetch_add(&(v)->counter, n, mo)
#define SHIM_SUB(v, n, mo) __atomic_fetch_sub(&(v)->counter, n, mo)
#define SHIM_TRY(v, oldp, new, mo) __atomic_compare_exchange_n(&(v)->counter, oldp, new, 0, mo, __ATOMIC_RELAXED)
#define atomic_read(v) __atomic_load_n(&(v)->counter, __ATOMIC_RELAXED)
#define atomic_read_acquire(v) __atomic_load_n(&(v)->counter, __ATOMIC_ACQUIRE)
#define atomic_set(v, n) __atomic_store_n(&(v)->counter, n, __ATOMIC_RELAXED)
#define atomic_set_release(v, n) __atomic_store_n(&(v)->counter, n, __ATOMIC_RELEASE)
#define atomic_add(n, v) ((void)SHIM_ADD(v, n, __ATOMIC_RELAXED))
#define atomic_sub(n, v) ((void)SHIM_SUB(v, n, __ATOMIC_RELAXED))
#define atomic_inc(v) atomic_add(1, v)
#define atomic_dec(v) atomic_sub(1, v)
#define atomic_inc_return(v) (SHIM_ADD(v, 1, __ATOMIC_SEQ_CST) + 1)
#define atomic_dec_return(v) (SHIM_SUB(v, 1, __ATOMIC_SEQ_CST) - 1)
#define atomic_dec_and_test(v) (SHIM_SUB(v, 1, __ATOMIC_SEQ_CST) == 1)
#define atomic_fetch_add_relaxed(n, v) SHIM_ADD(v, n, __ATOMIC_RELAXED)
#define atomic_fetch_sub_release(n, v) SHIM_SUB(v, n, __ATOMIC_RELEASE)
#define atomic_fetch_sub_relaxed(n, v) SHIM_SUB(v, n, __ATOMIC_RELAXED)
#define atomic_fetch_add(n, v) SHIM_ADD(v, n, __ATOMIC_SEQ_CST)
#define atomic_try_cmpxchg(v, oldp, new) SHIM_TRY(v, oldp, new, __ATOMIC_SEQ_CST)
#define atomic_try_cmpxchg_relaxed(v, oldp, new) SHIM_TRY(v, oldp, new, __ATOMIC_RELAXED)
#define atomic_try_cmpxchg_acquire(v, oldp, new) SHIM_TRY(v, oldp, new, __ATOMIC_ACQUIRE)
#define atomic_try_cmpxchg_release(v, oldp, new) SHIM_TRY(v, oldp, new, __ATOMIC_RELEASE)
#define atomic64_read(v) atomic_read(v)
#define atomic64_set(v, n) atomic_set(v, n)
#define atomic64_inc(v) atomic_inc(v)
#define atomic64_inc_return(v) atomic_inc_return(v)
#define atomic_long_read(v) atomic_read(v)
#define atomic_long_set(v, n) atomic_set(v, n)
static inline bool atomic_inc_not_zero(atomic_t *v)
{
    int old = atomic_read(v);
    do {
        if (!old) return false;
    } while (!atomic_try_cmpxchg(v, &old, old + 1));
    return true;
}
#define cpu_relax() shim_relax()
void shim_relax(void);
#endif
