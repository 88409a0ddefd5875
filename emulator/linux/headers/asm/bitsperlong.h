/* SPDX-License-Identifier: MIT */
#ifndef __BITS_PER_LONG
#define BITS_PER_LONG 64
#define __BITS_PER_LONG 64
#define BITS_PER_LONG_LONG 64
#define __BITS_PER_LONG_LONG 64
#endif
