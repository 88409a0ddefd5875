/* SPDX-License-Identifier: MIT
 *
 * Included first by a module that is compiled without scheduling points, to measure their cost. The code of `crew.h` for waits and naps
 * is unchanged.
 */
#ifndef IOPF_NO_POINTS_H
#define IOPF_NO_POINTS_H

#include "iopf/cython_ext/crew.h"

#define point(self, id, addr, kind) ((void)(self))

#endif
