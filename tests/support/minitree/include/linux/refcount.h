/* SPDX-License-Identifier: MIT */
#ifndef MINI_REFCOUNT_H
#define MINI_REFCOUNT_H
typedef struct { atomic_t refs; } refcount_t;
#define REFCOUNT_INIT(n) { { n } }
enum refcount_saturation_type { REFCOUNT_ADD_OVF };
void refcount_warn_saturate(refcount_t *r, enum refcount_saturation_type type);
#define refcount_set(r, n) atomic_set(&(r)->refs, n)
#define refcount_inc(r) atomic_inc(&(r)->refs)
#define refcount_dec_and_test(r) atomic_dec_and_test(&(r)->refs)
#endif
