/* SPDX-License-Identifier: MIT */
#include <generated/autoconf.h>
#define IS_ENABLED(option) 1
