/* SPDX-License-Identifier: MIT
 * Identifier allocation: 64 of them. */
#ifndef SHIM_IDA_H
#define SHIM_IDA_H
struct ida { u64 used; };
struct idr { void *places; };
#define IDA_INIT(name) { 0 }
#define DEFINE_IDA(name) struct ida name = IDA_INIT(name)
int ida_alloc_range(struct ida *a, unsigned int low, unsigned int high, gfp_t flags);
void ida_free(struct ida *a, unsigned int id);
#define ida_alloc(a, f) ida_alloc_range(a, 0, ~0u, f)
#define ida_alloc_min(a, low, f) ida_alloc_range(a, low, ~0u, f)
#define ida_alloc_max(a, high, f) ida_alloc_range(a, 0, high, f)
#endif
