/* SPDX-License-Identifier: MIT
 * Data races by vector clocks, in cells of 4 bytes: the last write and each actor's last read. Marked accesses and atomics race
 * with plain ones only. A free conflicts with every access that is not ordered before it: in another schedule it comes after. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

typedef struct { uint32_t clock[RT_ACTORS]; } vector;
typedef struct { uint32_t schedule, write_clock; uint16_t readers; uint8_t writer, write_is_marked, read_is_marked[RT_ACTORS]; uint32_t write_pc, read_clock[RT_ACTORS], read_pc[RT_ACTORS]; } cell;
typedef struct { uint64_t address; uint32_t schedule; vector v; } sync;
#define SYNCS 4096u

static struct { vector now[RT_ACTORS], fenced[RT_ACTORS], loaded[RT_ACTORS]; uint32_t schedule, filled; cell *cells; sync syncs[SYNCS]; } r;

static void join(vector *a, const vector *b)
{
    for (int i = 0; i < RT_ACTORS; i++)
        if (b->clock[i] > a->clock[i]) a->clock[i] = b->clock[i];
}
static vector *sync_at(const volatile void *p)
{
    uint64_t a = (uint64_t)p;
    for (uint32_t i = (uint32_t)((a * 0x9E3779B97F4A7C15ul) >> 52);; i = (i + 1) % SYNCS) {
        sync *s = &r.syncs[i];
        if (s->schedule == r.schedule && s->address == a) return &s->v;
        if (s->schedule == r.schedule) continue;
        if (++r.filled > SYNCS / 2) rt_finding("limit of the runtime", 0, "more than %u synchronisation objects", SYNCS / 2);
        *s = (sync){.address = a, .schedule = r.schedule};
        return &s->v;
    }
}
void races_begin(void)
{
    if (!r.cells) r.cells = mmap(0, (WINDOW_BYTES >> 2) * sizeof(cell), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    r.schedule++, r.filled = 0;
    memset(r.now, 0, sizeof(r.now));
    memset(r.fenced, 0, sizeof(r.fenced));
    memset(r.loaded, 0, sizeof(r.loaded));
    for (int i = 0; i < RT_ACTORS; i++) r.now[i].clock[i] = 1;
}
void rt_acquire(const volatile void *p)
{
    if (fibers_step()) join(&r.now[rt_me], sync_at(p));
}
void rt_release(const volatile void *p)
{
    if (!fibers_step()) return;
    join(sync_at(p), &r.now[rt_me]);
    r.now[rt_me].clock[rt_me]++;
}
static cell *cell_at(uint64_t offset)
{
    cell *c = &r.cells[offset >> 2];
    if (c->schedule != r.schedule) memset(c, 0, sizeof(*c)), c->schedule = r.schedule;
    return c;
}
void races_fresh(uint64_t offset, unsigned long n)
{
    if (!fibers_step()) return;
    for (uint64_t at = offset; at < offset + n; at += 4) {
        cell *c = &r.cells[at >> 2];
        memset(c, 0, sizeof(*c));
        c->schedule = r.schedule, c->writer = (uint8_t)rt_me, c->write_clock = r.now[rt_me].clock[rt_me];
    }
}
static place single(uint32_t pc)
{
    place p = {{pc}};
    return p;
}
static void report(const char *kind, const char *what, const void *pc, int other, const char *other_what, uint32_t other_pc)
{
    findings_begin(kind);
    findings_text("%s, not ordered with a %s", what, other_what);
    findings_place("by", rt_me, fibers_place(pc));
    findings_place(other_what, other, single(other_pc));
    fibers_end(ENDED_FINDING);
}
void races_access(uint64_t offset, unsigned long n, int writes, int order, const void *pc)
{
    vector *mine = &r.now[rt_me], *s = 0;
    int marked = (order & (ORDER_MARKED | ORDER_ATOMIC)) != 0;
    if (marked) {
        s = sync_at((void *)(WINDOW + offset));
        if (!writes || order & ORDER_RMW) join(order & ORDER_ACQUIRE ? mine : &r.loaded[rt_me], s);
    }
    for (uint64_t at = offset & ~3ul; at < offset + n; at += 4) {
        cell *c = cell_at(at);
        if (c->write_clock > mine->clock[c->writer] && c->writer != rt_me && !(marked && c->write_is_marked) && c->write_pc)
            report("data race", writes ? "a write" : "a read", pc, c->writer, "write", c->write_pc);
        if (!writes) {
            c->readers |= (uint16_t)(1u << rt_me);
            c->read_clock[rt_me] = mine->clock[rt_me], c->read_pc[rt_me] = code_offset(pc), c->read_is_marked[rt_me] = (uint8_t)marked;
            continue;
        }
        for (uint32_t m = c->readers & ~(1u << rt_me); m; m &= m - 1) {
            int q = __builtin_ctz(m);
            if (c->read_clock[q] > mine->clock[q] && !(marked && c->read_is_marked[q]))
                report("data race", "a write", pc, q, "read", c->read_pc[q]);
        }
        c->write_clock = mine->clock[rt_me], c->writer = (uint8_t)rt_me, c->write_is_marked = (uint8_t)marked, c->write_pc = code_offset(pc);
        c->readers = 0;
    }
    if (!marked || !writes) return;
    const vector *shown = order & ORDER_RELEASE ? mine : &r.fenced[rt_me];
    if (order & ORDER_RMW)
        join(s, shown);
    else
        *s = *shown;
    if (order & ORDER_RELEASE) mine->clock[rt_me]++;
}
void races_fence(int order)
{
    if (order != __ATOMIC_RELEASE) join(&r.now[rt_me], &r.loaded[rt_me]);
    if (order != __ATOMIC_ACQUIRE) r.fenced[rt_me] = r.now[rt_me], r.now[rt_me].clock[rt_me]++;
}
void races_free(uint64_t offset, unsigned long n, const void *after, const void *pc)
{
    if (!fibers_step()) return;
    vector before = r.now[rt_me];
    if (after) join(&before, sync_at(after));
    for (uint64_t at = offset & ~3ul; at < offset + n; at += 4) {
        cell *c = cell_at(at);
        if (c->write_clock > before.clock[c->writer] && c->writer != rt_me && c->write_pc)
            report("free without order", "a free", pc, c->writer, "write", c->write_pc);
        for (uint32_t m = c->readers & ~(1u << rt_me); m; m &= m - 1) {
            int q = __builtin_ctz(m);
            if (c->read_clock[q] > before.clock[q]) report("free without order", "a free", pc, q, "read", c->read_pc[q]);
        }
    }
}
