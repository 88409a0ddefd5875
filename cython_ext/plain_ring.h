/* SPDX-License-Identifier: MIT
 *
 * The reference of `ring_bench.pyx`: a single-producer, single-consumer ring in plain C with the shape of the link
 * (64-byte records, cached indices, one cache line per index), without scheduling points and verdicts.
 *
 *   tail    the producer stores (release) after the records; the consumer loads (acquire)
 *   head    the consumer stores (release) after reading; the producer loads (acquire)
 *   slots   the producer writes tail .. head + capacity, the consumer reads head .. tail
 * One producer runs against one consumer. Both wait with 50 pauses and then sched_yield.
 *
 * Records of all loops: word k = name + k, where name = producer << 48 | number. The sum of all words of n records is
 * known in advance, so a lost, doubled, swapped or torn record is detected.
 */
#ifndef IOPF_PLAIN_RING_H
#define IOPF_PLAIN_RING_H

#include "iopf/cython_ext/atomic.h"

typedef struct {
    uint64_t records, sum, wrong;
} bench_tally;

typedef struct {
    uint64_t tail, pad0[7];
    uint64_t head, pad1[7];
    uint64_t slots[];
} plain_ring;

static inline void bench_fill(uint64_t *record, uint64_t producer, uint64_t number) {
    uint64_t name = producer << 48 | number;
    for (uint64_t k = 0; k < 8; k++) record[k] = name + k; /* becomes four wide stores */
}

static inline uint64_t bench_sum(const uint64_t *record) {
    uint64_t sum = 0;
    for (int k = 0; k < 8; k++) sum += record[k];
    return sum;
}

static inline void bench_check(bench_tally *tally, const uint64_t *record, uint64_t name) {
    tally->records++;
    tally->sum += bench_sum(record);
    tally->wrong += (record[0] != name) | (record[7] != name + 7);
}

static inline void bench_pause(uint32_t *pauses) {
    if (*pauses < 50) {
        ++*pauses;
        cpu_pause();
    } else {
        sched_yield();
    }
}

static inline void plain_produce(plain_ring *ring, uint64_t capacity, uint64_t count, uint64_t batch) {
    uint64_t mine = 0, head = 0, stop;
    uint32_t pauses = 0;
    while (mine < count) {
        if (mine - head == capacity) {
            head = ld64_acq(&ring->head); /* pairs with the release store in plain_consume */
            if (mine - head == capacity) {
                bench_pause(&pauses);
                continue;
            }
            pauses = 0;
        }
        stop = head + capacity;
        if (stop > mine + batch) stop = mine + batch;
        if (stop > count) stop = count;
        for (; mine < stop; mine++) bench_fill(ring->slots + (mine & (capacity - 1)) * 8, 0, mine);
        st64_rel(&ring->tail, mine); /* pairs with the acquire load in plain_consume */
    }
}

static inline void plain_consume(plain_ring *ring, uint64_t capacity, uint64_t count, uint64_t batch, bench_tally *tally) {
    uint64_t mine = 0, tail = 0, stop;
    uint32_t pauses = 0;
    while (mine < count) {
        if (mine == tail) {
            tail = ld64_acq(&ring->tail); /* pairs with the release store in plain_produce */
            if (mine == tail) {
                bench_pause(&pauses);
                continue;
            }
            pauses = 0;
        }
        stop = tail > mine + batch ? mine + batch : tail;
        for (; mine < stop; mine++) bench_check(tally, ring->slots + (mine & (capacity - 1)) * 8, mine);
        st64_rel(&ring->head, mine); /* pairs with the acquire load in plain_produce */
    }
}

/* One word bounces between two processes: `first` sends odd numbers, the other answers with even ones. */
static inline void bounce(volatile uint64_t *word, uint64_t rounds, int first) {
    uint32_t pauses;
    uint64_t theirs;
    for (uint64_t round = 0; round < rounds; round++) {
        theirs = 2 * round + (first ? 2 : 1);
        if (first) st64_rel(word, 2 * round + 1);
        for (pauses = 0; ld64_acq(word) != theirs;) bench_pause(&pauses);
        if (!first) st64_rel(word, theirs + 1);
    }
}

#endif
