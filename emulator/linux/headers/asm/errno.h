/* SPDX-License-Identifier: MIT */
#include <asm-generic/errno.h> /* the tree's */
