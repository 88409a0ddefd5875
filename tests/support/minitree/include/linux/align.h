/* SPDX-License-Identifier: MIT */
#define ALIGN(x, a) (((x) + (a) - 1) & ~((a) - 1))
