/* SPDX-License-Identifier: MIT */
#define IS_ERR(p) ((unsigned long)(p) >= -4095ul)
#define IS_ERR_OR_NULL(p) (!(p) || IS_ERR(p))
#define ERR_PTR(n) ((void *)(long)(n))
#define PTR_ERR(p) ((long)(p))
