/* SPDX-License-Identifier: MIT
 * Common to the shim's files. They are compiled with the tree's headers and not instrumented: each function reports what it
 * touches (rt_touch), what it orders (rt_acquire, rt_release), and where another actor may run (rt_point). */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H
#include "../runtime/runtime.h"
#define CALLER __builtin_return_address(0)
void shim_sleeps(const void *pc);
#endif
