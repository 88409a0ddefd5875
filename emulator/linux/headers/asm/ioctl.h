/* SPDX-License-Identifier: MIT */
#include <asm-generic/ioctl.h> /* the tree's */
