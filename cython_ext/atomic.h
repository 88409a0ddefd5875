/* SPDX-License-Identifier: MIT
 *
 * Atomics, futexes, time and a few system calls on words of shared memory.
 *
 * Every function names its ordering: `_rlx` relaxed, `_acq` acquire, `_rel` release; a read-modify-write without a
 * suffix is sequentially consistent (on x86 a locked instruction, which costs the same in every ordering).
 * A release store pairs with the acquire load of the same word by its reader; `fence` pairs with another `fence`
 * (the store-buffering pattern of an eventcount and of RCU). Callers name the partner where they use one.
 */
#ifndef IOPF_ATOMIC_H
#define IOPF_ATOMIC_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define iopf_likely(x) __builtin_expect(!!(x), 1)
#define iopf_unlikely(x) __builtin_expect(!!(x), 0)

/* A relaxed addition is a tally: it orders nothing and commutes with other additions; tools/points treats it so. */
#if defined(__SANITIZE_THREAD__)
uint32_t points_tally32(volatile uint32_t *p, uint32_t n, int order);
uint64_t points_tally64(volatile uint64_t *p, uint64_t n, int order);
#define IOPF_TALLY(N) points_tally##N
#else
#define IOPF_TALLY(N) __atomic_fetch_add
#endif

#define IOPF_ATOMICS(T, N)                                                                                        \
    static inline T ld##N##_rlx(const volatile T *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }             \
    static inline T ld##N##_acq(const volatile T *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }             \
    static inline void st##N##_rlx(volatile T *p, T v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }              \
    static inline void st##N##_rel(volatile T *p, T v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }              \
    static inline T xadd##N(volatile T *p, T v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }            \
    static inline T xadd##N##_rlx(volatile T *p, T v) { return IOPF_TALLY(N)(p, v, __ATOMIC_RELAXED); }            \
    static inline T xor_##N(volatile T *p, T v) { return __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST); }            \
    static inline T or_##N(volatile T *p, T v) { return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); }              \
    static inline T and_##N(volatile T *p, T v) { return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); }            \
    static inline T xchg##N(volatile T *p, T v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }           \
    /* 1 when *p held `want` and now holds `v`; else 0. */                                                        \
    static inline int cas##N(volatile T *p, T want, T v) {                                                        \
        return __atomic_compare_exchange_n(p, &want, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                   \
    }

IOPF_ATOMICS(uint32_t, 32)
IOPF_ATOMICS(uint64_t, 64)
#undef IOPF_ATOMICS

_Static_assert(sizeof(uint64_t) == 8 && __atomic_always_lock_free(8, 0), "64-bit words must be lock free");

static inline void fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static inline uint64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t cycle_counter(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return clock_ns();
#endif
}

/* Futexes are shared (no FUTEX_PRIVATE_FLAG): the words are in memory that other processes map.
 * Returns 0 when woken, -EAGAIN when *p was not `want`, -ETIMEDOUT, -EINTR. */
static inline int futex_wait32(volatile uint32_t *p, uint32_t want, uint64_t timeout_ns) {
    struct timespec t = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    return syscall(SYS_futex, p, FUTEX_WAIT, want, &t, (void *)0, 0) == 0 ? 0 : -errno;
}

/* Without a timeout, for a process that dies with its parent: arming a timer costs a tenth of a hand-over. */
static inline int futex_wait32_unbounded(volatile uint32_t *p, uint32_t want) {
    return syscall(SYS_futex, p, FUTEX_WAIT, want, (void *)0, (void *)0, 0) == 0 ? 0 : -errno;
}

static inline int futex_wake32(volatile uint32_t *p, int count) {
    return (int)syscall(SYS_futex, p, FUTEX_WAKE, count, (void *)0, (void *)0, 0);
}

static inline void nap_ns(uint64_t ns) {
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&t, (struct timespec *)0);
}

static inline int leading_zeros64(uint64_t v) { return v ? __builtin_clzll(v) : 64; }
static inline int trailing_zeros64(uint64_t v) { return v ? __builtin_ctzll(v) : 64; }
static inline int bits_set64(uint64_t v) { return __builtin_popcountll(v); }

static inline uint64_t xorshift64(uint64_t *s) {
    uint64_t x = *s ? *s : 0x9e3779b97f4a7c15u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *s = x;
    return x;
}

#endif
