/* SPDX-License-Identifier: MIT
 *
 * Store buffers of actors under RQ_TSO; see `runqueue.h`. Only the holder of the token runs these functions.
 */
#ifndef IOPF_STORES_H
#define IOPF_STORES_H

#include "iopf/cython_ext/crew.h"

static inline void store_put(const rq_store *e, uint64_t value) {
    uint64_t *word = (uint64_t *)(uintptr_t)e->where;
    *word = (*word & ~e->mask) | (value & e->mask);
}

/* Mask of the bytes in which two words differ. */
static inline uint64_t store_changed(uint64_t a, uint64_t b) {
    uint64_t mask = 0;
    for (int i = 0; i < 64; i += 8)
        if ((a ^ b) >> i & 0xff) mask |= (uint64_t)0xff << i;
    return mask;
}

/* Called after every change of the first store: sets the pending step of the drain slot. */
static inline void store_first(runqueue *rq, uint32_t slot) {
    const rq_buffer *b = &rq->buffer[slot];
    const rq_store *e = &b->store[0];
    rq_slot *s = &rq->slot[RQ_DRAIN + slot];
    uint32_t bit = (uint32_t)1 << (RQ_DRAIN + slot);
    rq->buffered = b->count ? rq->buffered | bit : rq->buffered & ~bit;
    s->kind = ACC_DRAIN, s->where = e->where + (e->mask & 0xffffffff ? 0 : 4);
    s->id = (e->id >> 8) << 8 | 44; /* OP_DRAIN */
}

/* Writes the oldest store to memory. */
static inline void store_flush_first(runqueue *rq, uint32_t slot) {
    rq_buffer *b = &rq->buffer[slot];
    store_put(&b->store[0], b->store[0].value);
    b->count--;
    memmove(&b->store[0], &b->store[1], b->count * sizeof(rq_store));
    store_first(rq, slot);
}

/* Before a step: make the actor's own stores visible to it. A draining step makes them visible to all. */
static inline void stores_enter(runqueue *rq, uint32_t slot) {
    rq_buffer *b = &rq->buffer[slot];
    const rq_slot *s = &rq->slot[slot];
    for (uint32_t i = 0; i < b->count; i++) {
        b->store[i].under = *(uint64_t *)(uintptr_t)b->store[i].where;
        store_put(&b->store[i], b->store[i].value);
    }
    b->entered = 1, b->wrote = 0;
    switch (s->kind) {
    case ACC_LOCAL:
    case ACC_READ:
    case ACC_NAP:
        return;
    case ACC_WRITE:
        b->wrote = s->where & ~(uint64_t)7;
        b->window = s->where & 7 ? (uint64_t)0xffffffff << 32 : ~(uint64_t)0;
        b->before = *(uint64_t *)(uintptr_t)b->wrote;
        b->id = s->id;
        return;
    default:
        b->count = 0;
        store_first(rq, slot);
    }
}

/* After a step: move its plain store into the buffer, and take the buffered stores out of memory. */
static inline void stores_leave(runqueue *rq) {
    uint32_t slot = rq->current;
    uint64_t value = 0, mask = 0;
    if (slot == 0 || slot >= RQ_DRAIN || !rq->buffer[slot].entered) return;
    rq_buffer *b = &rq->buffer[slot];
    b->entered = 0;
    if (b->wrote) {
        uint64_t *word = (uint64_t *)(uintptr_t)b->wrote;
        value = *word;
        mask = store_changed(value, b->before) & b->window;
        *word = (value & ~mask) | (b->before & mask);
    }
    for (uint32_t i = b->count; i > 0; i--) store_put(&b->store[i - 1], b->store[i - 1].under);
    if (!mask) return;
    if (b->count == RQ_STORES) store_flush_first(rq, slot);
    b->store[b->count++] = (rq_store){.where = b->wrote, .mask = mask, .value = value, .id = b->id};
    if (b->count == 1) store_first(rq, slot);
}

static inline void stores_drain(runqueue *rq, uint32_t slot) {
    store_flush_first(rq, slot - RQ_DRAIN);
    rq->slot[slot].taken++;
}

#endif
