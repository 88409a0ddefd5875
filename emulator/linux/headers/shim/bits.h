/* SPDX-License-Identifier: MIT
 * Bit operations; those without underscores are atomic. */
#ifndef SHIM_BITS_H
#define SHIM_BITS_H
#include <linux/bits.h> /* the tree's */
#include <linux/sizes.h>
#include <linux/align.h>
#ifndef BITS_PER_BYTE
#define BITS_PER_BYTE 8
#endif
#ifndef BITS_TO_LONGS
#define BITS_TO_LONGS(n) (((n) + 63) / 64)
#endif
#ifndef DIV_ROUND_UP
#define DIV_ROUND_UP(n, d) ((n) / (d) + ((n) % (d) != 0))
#endif
#ifndef round_up
#define round_up(x, y) ALIGN(x, y)
#endif
#define small_const_nbits(n) 0
#ifndef upper_32_bits
#define upper_32_bits(n) ((u32)((n) >> 16 >> 16))
#define lower_32_bits(n) ((u32)(n))
#endif
#define ilog2(n) (63 - __builtin_clzl(n))
#define fls64(n) ((n) ? 64 - __builtin_clzl(n) : 0)
#define __ffs(n) ((unsigned long)__builtin_ctzl(n))
#define __fls(n) ((unsigned long)(63 - __builtin_clzl(n)))
#define ffz(n) __ffs(~(n))
#define hweight_long(n) __builtin_popcountl(n)
#define hweight64(n) __builtin_popcountl(n)
#define SHIM_BIT(n) (1ul << ((n) % 64))
unsigned long fns(unsigned long word, unsigned int n);
static inline bool test_bit(unsigned long n, const volatile unsigned long *p) { return (READ_ONCE(p[n / 64]) & SHIM_BIT(n)) != 0; }
static inline void __set_bit(unsigned long n, volatile unsigned long *p) { p[n / 64] |= SHIM_BIT(n); }
static inline void __clear_bit(unsigned long n, volatile unsigned long *p) { p[n / 64] &= ~SHIM_BIT(n); }
static inline void __assign_bit(unsigned long n, volatile unsigned long *p, bool v)
{
    if (v)
        __set_bit(n, p);
    else
        __clear_bit(n, p);
}
#define set_bit(n, p) ((void)__atomic_fetch_or((unsigned long *)&(p)[(n) / 64], SHIM_BIT(n), __ATOMIC_RELAXED))
#define clear_bit(n, p) ((void)__atomic_fetch_and((unsigned long *)&(p)[(n) / 64], ~SHIM_BIT(n), __ATOMIC_RELAXED))
#define test_and_set_bit(n, p) ((__atomic_fetch_or((unsigned long *)&(p)[(n) / 64], SHIM_BIT(n), __ATOMIC_SEQ_CST) & SHIM_BIT(n)) != 0)
#define test_and_clear_bit(n, p) ((__atomic_fetch_and((unsigned long *)&(p)[(n) / 64], ~SHIM_BIT(n), __ATOMIC_SEQ_CST) & SHIM_BIT(n)) != 0)
#endif
