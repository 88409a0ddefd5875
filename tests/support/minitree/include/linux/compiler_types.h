/* SPDX-License-Identifier: MIT */
#define __user
#define __must_check
#define __maybe_unused __attribute__((unused))
#define __printf(a, b) __attribute__((format(printf, a, b)))
