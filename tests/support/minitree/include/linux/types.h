/* SPDX-License-Identifier: MIT */
#ifndef MINI_TYPES_H
#define MINI_TYPES_H
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long size_t;
typedef long ssize_t;
typedef long long loff_t;
typedef u64 dma_addr_t;
typedef u64 phys_addr_t;
typedef u32 gfp_t;
typedef _Bool bool;
typedef struct { int counter; } atomic_t;
struct list_head { struct list_head *next, *prev; };
struct rcu_head { void *next; };
typedef void (*rcu_callback_t)(struct rcu_head *head);
#endif
