/* SPDX-License-Identifier: MIT
 * Lock order, as lockdep has it: an edge from each held class to the one that is taken; one that closes a cycle is a finding.
 * Classes and edges outlive a schedule, so that two schedules that each take one order are enough. */
#include <string.h>
#include "internal.h"
#define CLASSES 64
#define HELD 16

static struct { int n; const void *key[CLASSES]; const char *name[CLASSES]; uint64_t after[CLASSES]; place seen[CLASSES][CLASSES]; int by[CLASSES][CLASSES]; } l;
static struct { int n; int class[HELD]; } held[RT_ACTORS];

void lock_order_begin(void) { memset(held, 0, sizeof(held)); }
static int class_of(const void *key, const char *name)
{
    for (int i = 0; i < l.n; i++)
        if (l.key[i] == key) return i;
    if (l.n == CLASSES) rt_finding("limit of the runtime", 0, "more than %d lock classes", CLASSES);
    l.key[l.n] = key, l.name[l.n] = name;
    return l.n++;
}
static int reaches(int from, int to, uint64_t seen)
{
    if (from == to) return 1;
    for (uint64_t m = l.after[from] & ~seen; m; m &= m - 1)
        if (reaches(__builtin_ctzl(m), to, seen | 1ul << from)) return 1;
    return 0;
}
static void check(int outer, int inner, const void *pc)
{
    if (l.after[outer] >> inner & 1) return;
    if (reaches(inner, outer, 0)) {
        findings_begin("lock order");
        findings_text("%s is taken inside %s, and elsewhere the other way round", l.name[inner], l.name[outer]);
        findings_place("by", rt_me, fibers_place(pc));
        if (inner != outer && l.after[inner] >> outer & 1) findings_place("the other way round", l.by[inner][outer], l.seen[inner][outer]);
        fibers_end(ENDED_FINDING);
    }
    l.after[outer] |= 1ul << inner, l.seen[outer][inner] = fibers_place(pc), l.by[outer][inner] = rt_me;
}
/* pc 0: does not wait, so it orders nothing. */
void rt_take(const void *class, const char *name, const void *pc)
{
    int c = class_of(class, name), n = held[rt_me].n;
    if (!fibers_step()) return;
    if (n == HELD) rt_finding("limit of the runtime", pc, "more than %d locks held", HELD);
    for (int i = 0; pc && i < n; i++) check(held[rt_me].class[i], c, pc);
    held[rt_me].class[held[rt_me].n++] = c;
}
void rt_drop(const void *class)
{
    int *h = held[rt_me].class, n = held[rt_me].n, c = class_of(class, ""), i = n;
    while (i && h[i - 1] != c) i--;
    if (!i) return;
    memmove(&h[i - 1], &h[i], (size_t)(n - i) * sizeof(*h));
    held[rt_me].n--;
}
