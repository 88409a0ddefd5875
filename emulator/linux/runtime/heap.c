/* SPDX-License-Identifier: MIT
 * The heap: red zones behind each object, a byte of shadow for 8, and no reuse within a schedule: what is freed stays poisoned.
 * An object knows who allocated and who freed it, with the calls. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

#define GRAIN 64ul
#define RED_ZONE 16
#define OBJECTS (HEAP_BYTES / GRAIN)
enum { OPEN = 0, RED = 0xfa, FREED = 0xfd, UNUSED = 0xf0 };

typedef struct { uint32_t offset, size; int8_t allocated_by, freed_by; uint8_t is_live, is_forgotten; place allocated, freed; } object;
static struct { uint32_t used, objects, saved_used, saved_objects; uint8_t *shadow, *live_saved; char *copy; } h;
static object objects[OBJECTS];
static uint32_t owner[OBJECTS]; /* by grain */

static uint8_t *shadow_of(uint64_t offset) { return &h.shadow[offset >> 3]; }
static object *object_of(uint64_t offset)
{
    if (offset < HEAP || offset >= HEAP + h.used) return 0;
    return &objects[owner[(offset - HEAP) / GRAIN]];
}
static void mark(uint32_t offset, uint32_t n, uint8_t value) { memset(shadow_of(offset), value, (n + 7) >> 3); }
static void mark_open(const object *o)
{
    mark(o->offset, o->size & ~7u, OPEN);
    if (o->size & 7) *shadow_of(o->offset + o->size) = o->size & 7;
}
void heap_open(void)
{
    h.shadow = mmap(0, WINDOW_BYTES >> 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memset(shadow_of(HEAP), UNUSED, HEAP_BYTES >> 3);
}
void *rt_alloc(unsigned long n, int zero, const void *pc)
{
    uint64_t room = (n + RED_ZONE + GRAIN - 1) & ~(GRAIN - 1);
    if (n >= HEAP_BYTES || h.used + room > HEAP_BYTES) rt_finding("limit of the runtime", pc, "the heap of %lu MB is full", HEAP_BYTES >> 20);
    object *o = &objects[h.objects];
    *o = (object){.offset = (uint32_t)(HEAP + h.used), .size = (uint32_t)n, .allocated_by = (int8_t)rt_me, .is_live = 1, .allocated = fibers_place(pc)};
    for (uint64_t g = 0; g < room / GRAIN; g++) owner[h.used / GRAIN + g] = h.objects;
    h.objects++, h.used += room;
    mark_open(o);
    uint32_t behind = (o->size + 7) & ~7u;
    mark(o->offset + behind, (uint32_t)room - behind, RED);
    void *p = (void *)(WINDOW + o->offset);
    memset(p, zero ? 0 : 0xa5, n);
    races_fresh(o->offset, n);
    return p;
}
static void describe(const object *o)
{
    findings_place("allocated", o->allocated_by, o->allocated);
    if (!o->is_live) findings_place("freed", o->freed_by, o->freed);
}
static void refuse(const char *kind, const object *o, const void *pc)
{
    findings_begin(kind);
    findings_text("object of %u bytes", o->size);
    findings_place("by", rt_me, fibers_place(pc));
    describe(o);
    fibers_end(ENDED_FINDING);
}
void rt_free(const void *p, const void *after, const void *pc)
{
    uint64_t offset = offset_of(p);
    object *o = object_of(offset);
    if (!o || o->offset != offset) {
        int on_stack = offset >= STACKS && offset < STACKS + RT_ACTORS * STACK_BYTES;
        rt_finding("invalid free", pc, "%s", on_stack ? "a pointer into a stack" : "not the start of an object");
    }
    if (!o->is_live) refuse("double free", o, pc);
    races_free(offset, o->size, after, pc);
    o->is_live = 0, o->freed_by = (int8_t)rt_me, o->freed = fibers_place(pc);
    mark(o->offset, o->size, FREED);
    memset((void *)p, 0x6b, o->size);
}
void rt_forget(const void *p) { object_of(offset_of(p))->is_forgotten = 1; }
int rt_alloc_fails(void) { return rt_options.fail_in && fibers_step() && rt_random() % rt_options.fail_in == 0; }

static int is_bad(uint64_t offset, unsigned long n)
{
    uint64_t last = offset + n - 1;
    for (uint64_t a = offset & ~7ul; a <= last; a += 8) {
        uint8_t s = *shadow_of(a);
        if (s == OPEN) continue;
        if (s >= 8 || (last < a + 7 ? last & 7 : 7) >= s) return 1;
    }
    return 0;
}
void heap_check(uint64_t offset, unsigned long n, int writes, const void *pc)
{
    if (offset < HEAP || offset >= WINDOW_BYTES || !n || __builtin_expect(!is_bad(offset, n), 1)) return;
    object *o = object_of(offset);
    const char *what = writes ? "write" : "read";
    if (!o) rt_finding("wild access", pc, "%s of %lu bytes", what, n);
    findings_begin(o->is_live ? "out of bounds" : "use after free");
    findings_text("%s of %lu bytes at offset %ld of an object of %u", what, n, (long)offset - (long)o->offset, o->size);
    findings_place("by", rt_me, fibers_place(pc));
    describe(o);
    fibers_end(ENDED_FINDING);
}
void rt_touch(const volatile void *p, unsigned long n, int writes, const void *pc) { heap_check(offset_of(p), n, writes, pc); }

void heap_save(void)
{
    h.saved_used = h.used, h.saved_objects = h.objects;
    h.copy = realloc(h.copy, h.used + 1), h.live_saved = realloc(h.live_saved, h.objects + 1);
    memcpy(h.copy, (void *)(WINDOW + HEAP), h.used);
    for (uint32_t i = 0; i < h.objects; i++) h.live_saved[i] = objects[i].is_live;
}
void heap_restore(void)
{
    memcpy((void *)(WINDOW + HEAP), h.copy, h.saved_used);
    if (h.used > h.saved_used) memset(shadow_of(HEAP + h.saved_used), UNUSED, (h.used - h.saved_used) >> 3);
    for (uint32_t i = 0; i < h.saved_objects; i++)
        if (objects[i].is_live != h.live_saved[i]) objects[i].is_live = 1, mark_open(&objects[i]);
    h.used = h.saved_used, h.objects = h.saved_objects;
}
int heap_leaks(void)
{
    for (uint32_t i = h.saved_objects; i < h.objects; i++) {
        if (!objects[i].is_live || objects[i].is_forgotten) continue;
        findings_begin("leak");
        findings_text("object of %u bytes left at the end", objects[i].size);
        describe(&objects[i]);
        return 1;
    }
    return 0;
}
