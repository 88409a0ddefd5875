/* SPDX-License-Identifier: MIT */
#include <asm-generic/types.h> /* the tree's */
