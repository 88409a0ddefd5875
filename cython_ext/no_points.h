/* SPDX-License-Identifier: MIT
 *
 * Included before everything else by a module that is to be compiled without scheduling points, to measure what they cost. What
 * `crew.h` itself does at a wait or a nap stays.
 */
#ifndef IOPF_NO_POINTS_H
#define IOPF_NO_POINTS_H

#include "iopf/cython_ext/crew.h"

#define point(self, id, addr, kind) ((void)(self))

#endif
