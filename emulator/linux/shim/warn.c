/* SPDX-License-Identifier: MIT
 * Warnings, refcount saturation, the log. */
#include "shim.h"

static const char *base(const char *path)
{
    const char *name = path;
    for (const char *p = path; *p; p++)
        if (*p == '/') name = p + 1;
    return name;
}
void shim_warn(const char *what, const char *file, int line)
{
    if (!rt_warning_is_counted()) rt_finding("warning", CALLER, "%s at %s:%d", what, base(file), line);
}
void shim_bug(const char *what, const char *file, int line) { rt_finding("bug", CALLER, "%s at %s:%d", what, base(file), line); }
void shim_log(const char *fmt, ...) { (void)fmt; }

void refcount_warn_saturate(refcount_t *r, enum refcount_saturation_type type)
{
    static const char *const what[] = {"an overflow is not allowed", "an increment overflows", "an increment of 0",
                                       "a decrement below 0", "a decrement to 0 is not allowed"};
    rt_finding("refcount", CALLER, "%s", (unsigned)type < 5 ? what[type] : "saturated");
}
