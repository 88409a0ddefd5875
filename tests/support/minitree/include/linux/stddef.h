/* SPDX-License-Identifier: MIT */
#ifndef NULL
#define NULL ((void *)0)
#define true 1
#define false 0
#endif
