/* SPDX-License-Identifier: MIT */
#include <linux/byteorder/little_endian.h> /* the tree's */
