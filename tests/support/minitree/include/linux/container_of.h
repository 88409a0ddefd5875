/* SPDX-License-Identifier: MIT */
#define container_of(p, type, member) ((type *)((char *)(p) - __builtin_offsetof(type, member)))
