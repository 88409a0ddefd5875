/* SPDX-License-Identifier: MIT */
#define __stringify(x) #x
