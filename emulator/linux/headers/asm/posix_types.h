/* SPDX-License-Identifier: MIT */
#include <asm-generic/posix_types.h> /* the tree's */
