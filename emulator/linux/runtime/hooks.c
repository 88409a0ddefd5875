/* SPDX-License-Identifier: MIT
 * What the instrumented code calls: each access is a point, a check of the shadow, and a step of the race detector. */
#include "internal.h"
#define PC __builtin_return_address(0)

static inline void access_at(const volatile void *p, unsigned long n, int writes, int order, const void *pc)
{
    uint64_t offset = offset_of(p);
    if (__builtin_expect(offset >= WINDOW_BYTES, 0) || !fibers_step()) return;
    if (offset >= STACKS && offset < HEAP) {
        int owner = (int)((offset - STACKS) / STACK_BYTES);
        if (owner == rt_me || owner >= fibers_count()) return;
        if ((uint64_t)p < (uint64_t)fibers_stack(owner)) rt_finding("use of a stack frame that is gone", pc, "of %s", fibers_name(owner));
    }
    rt_count.accesses++;
    rt_point(writes ? RT_WRITE : RT_READ, p, pc);
    heap_check(offset, n, writes, pc);
    races_access(offset, n, writes, order, pc);
}
void __tsan_init(void) {}
void __tsan_func_entry(void *pc) { fibers_enter(pc); }
void __tsan_func_exit(void) { fibers_leave(); }
#define PLAIN(N)                                                                                \
    void __tsan_read##N(void *p) { access_at(p, N, 0, ORDER_PLAIN, PC); }                       \
    void __tsan_write##N(void *p) { access_at(p, N, 1, ORDER_PLAIN, PC); }                      \
    void __tsan_unaligned_read##N(void *p) { access_at(p, N, 0, ORDER_PLAIN, PC); }             \
    void __tsan_unaligned_write##N(void *p) { access_at(p, N, 1, ORDER_PLAIN, PC); }            \
    void __tsan_volatile_read##N(void *p) { access_at(p, N, 0, ORDER_MARKED, PC); }             \
    void __tsan_volatile_write##N(void *p) { access_at(p, N, 1, ORDER_MARKED, PC); }            \
    void __tsan_unaligned_volatile_read##N(void *p) { access_at(p, N, 0, ORDER_MARKED, PC); }   \
    void __tsan_unaligned_volatile_write##N(void *p) { access_at(p, N, 1, ORDER_MARKED, PC); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)
void __tsan_read_range(void *p, unsigned long n) { access_at(p, n, 0, ORDER_PLAIN, PC); }
void __tsan_write_range(void *p, unsigned long n) { access_at(p, n, 1, ORDER_PLAIN, PC); }

static int order_of(int mo, int loads, int stores)
{
    int acquires = mo == __ATOMIC_CONSUME || mo == __ATOMIC_ACQUIRE || mo == __ATOMIC_ACQ_REL || mo == __ATOMIC_SEQ_CST;
    int releases = mo == __ATOMIC_RELEASE || mo == __ATOMIC_ACQ_REL || mo == __ATOMIC_SEQ_CST;
    return ORDER_ATOMIC | (loads && acquires ? ORDER_ACQUIRE : 0) | (stores && releases ? ORDER_RELEASE : 0) | (loads && stores ? ORDER_RMW : 0);
}
#define CHANGE(T, B, NAME, BUILTIN)                              \
    T __tsan_atomic##B##_##NAME(volatile T *p, T v, int mo)      \
    {                                                            \
        access_at(p, B / 8, 1, order_of(mo, 1, 1), PC);          \
        return __atomic_##BUILTIN(p, v, __ATOMIC_SEQ_CST);       \
    }
#define SWAP(T, B, HOW)                                                                                    \
    int __tsan_atomic##B##_compare_exchange_##HOW(volatile T *p, T *want, T v, int mo, int fail)           \
    {                                                                                                      \
        (void)fail;                                                                                        \
        access_at(p, B / 8, 1, order_of(mo, 1, 1), PC);                                                    \
        return __atomic_compare_exchange_n(p, want, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);             \
    }
#define ATOMIC(T, B)                                             \
    T __tsan_atomic##B##_load(const volatile T *p, int mo)       \
    {                                                            \
        access_at(p, B / 8, 0, order_of(mo, 1, 0), PC);          \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);             \
    }                                                            \
    void __tsan_atomic##B##_store(volatile T *p, T v, int mo)    \
    {                                                            \
        access_at(p, B / 8, 1, order_of(mo, 0, 1), PC);          \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                \
    }                                                            \
    SWAP(T, B, strong)                                           \
    SWAP(T, B, weak)                                             \
    CHANGE(T, B, exchange, exchange_n)                           \
    CHANGE(T, B, fetch_add, fetch_add)                           \
    CHANGE(T, B, fetch_sub, fetch_sub)                           \
    CHANGE(T, B, fetch_and, fetch_and)                           \
    CHANGE(T, B, fetch_or, fetch_or)                             \
    CHANGE(T, B, fetch_xor, fetch_xor)
ATOMIC(uint8_t, 8)
ATOMIC(uint16_t, 16)
ATOMIC(uint32_t, 32)
ATOMIC(uint64_t, 64)
void __tsan_atomic_thread_fence(int mo)
{
    if (!fibers_step()) return;
    rt_point(RT_FENCE, 0, PC);
    races_fence(mo);
}
void __tsan_atomic_signal_fence(int mo) { (void)mo; }
