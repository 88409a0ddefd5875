/* SPDX-License-Identifier: MIT
 * Allocation, from the heap of the window: red zones around, quarantine behind. */
#ifndef SHIM_SLAB_H
#define SHIM_SLAB_H
#include <linux/overflow.h> /* the tree's: struct_size */
#define __GFP_NOWARN 0u
#define __GFP_COMP 0u
#define __GFP_ZERO 4u
#define __GFP_DMA 8u
#define __GFP_DMA32 16u
#define __GFP_HIGHMEM 32u
#define __GFP_BITS_SHIFT 22
#define GFP_KERNEL 1u
#define GFP_ATOMIC 2u
#define GFP_NOWAIT GFP_ATOMIC
#define GFP_KERNEL_ACCOUNT GFP_KERNEL
#define gfpflags_allow_blocking(f) (((f) & GFP_ATOMIC) == 0)

void *shim_alloc(size_t n, gfp_t flags);
void kfree(const void *p);
void *kmemdup(const void *from, size_t n, gfp_t flags);
void *krealloc(const void *p, size_t n, gfp_t flags);
char *kstrdup(const char *s, gfp_t flags);
char *kasprintf(gfp_t flags, const char *fmt, ...);
/* Macros, so that the caller is the place of the allocation. */
#define kmalloc(n, f) shim_alloc(n, f)
#define kzalloc(n, f) shim_alloc(n, (f) | __GFP_ZERO)
#define kcalloc(n, size, f) kzalloc((size_t)(n) * (size), f)
#define kmalloc_array(n, size, f) kmalloc((size_t)(n) * (size), f)
#define kvmalloc(n, f) kmalloc(n, f)
#define kvzalloc(n, f) kzalloc(n, f)
#define kvcalloc(n, size, f) kcalloc(n, size, f)
#define kvfree(p) kfree(p)
#define kfree_sensitive(p) kfree(p)
#define SHIM_FLAGS(empty, flags, ...) flags
#define kmalloc_obj(T, ...) ((typeof(T) *)kmalloc(sizeof(typeof(T)), SHIM_FLAGS(, ##__VA_ARGS__, GFP_KERNEL)))
#define kzalloc_obj(T, ...) ((typeof(T) *)kzalloc(sizeof(typeof(T)), SHIM_FLAGS(, ##__VA_ARGS__, GFP_KERNEL)))
#define kzalloc_objs(T, n, ...) ((typeof(T) *)kcalloc(n, sizeof(typeof(T)), SHIM_FLAGS(, ##__VA_ARGS__, GFP_KERNEL)))
#define kvzalloc_objs(T, n, ...) kzalloc_objs(T, n, ##__VA_ARGS__)
#define kzalloc_flex(T, m, n, ...) ((typeof(T) *)kzalloc(sizeof(typeof(T)) + (n) * sizeof(((typeof(T) *)0)->m[0]), \
    SHIM_FLAGS(, ##__VA_ARGS__, GFP_KERNEL)))
#ifdef DEFINE_FREE
DEFINE_FREE(kfree, void *, if (_T && !IS_ERR(_T)) kfree(_T))
#endif
#endif
