/* SPDX-License-Identifier: MIT
 * A finding as one line of JSON: kind, text, seed, step, and places as offsets in the image. The text is made here and has no
 * character that JSON escapes, but for quotes in what a source asserts. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

static struct { char text[512], places[4096]; const char *kind; uint64_t seed, step; int actor; } f;

void findings_seed(uint64_t seed) { f.seed = seed; }
void findings_begin(const char *kind)
{
    f.kind = kind, f.step = fibers_step(), f.actor = rt_me;
    f.text[0] = f.places[0] = 0;
}
static void put(const char *fmt, va_list args)
{
    size_t n = strlen(f.text);
    vsnprintf(f.text + n, sizeof(f.text) - n, fmt, args);
}
void findings_text(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    put(fmt, args);
    va_end(args);
}
void findings_place(const char *what, int actor, place where)
{
    char *at = f.places + strlen(f.places), *end = f.places + sizeof(f.places);
    at += snprintf(at, end - at, "%s{\"what\": \"%s\", \"actor\": \"%s\", \"frames\": [", at == f.places ? "" : ", ", what,
                   fibers_name(actor));
    for (int i = 0; i < FRAMES && where.frame[i] && end - at > 32; i++)
        at += snprintf(at, end - at, "%s%u", i ? ", " : "", where.frame[i]);
    if (end - at > 4) snprintf(at, end - at, "]}");
}
void findings_print(void)
{
    printf("{\"finding\": \"%s\", \"seed\": %lu, \"step\": %lu, \"text\": \"", f.kind, f.seed, f.step);
    for (const char *c = f.text; *c; c++) {
        if (*c == '"' || *c == '\\') putchar('\\');
        putchar(*c < ' ' ? ' ' : *c);
    }
    printf("\", \"places\": [%s]}\n", f.places);
    fflush(stdout);
}
void rt_finding(const char *kind, const void *pc, const char *fmt, ...)
{
    va_list args;
    findings_begin(kind);
    va_start(args, fmt);
    put(fmt, args);
    va_end(args);
    findings_place("by", rt_me, fibers_place(pc));
    fibers_end(ENDED_FINDING);
}
int rt_warning_is_counted(void)
{
    rt_count.warnings += rt_options.counts_warnings;
    return (int)rt_options.counts_warnings;
}
void rt_missing(const char *function, const void *pc) { rt_finding("missing function", pc, "%s", function); }
