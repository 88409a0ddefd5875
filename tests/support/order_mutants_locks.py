# SPDX-License-Identifier: MIT
"""Mistakes in the mutex and the reader-writer lock. See `order_mutants.py`."""

from tests.support.order import Mutant

MUTEX = "cython_ext/mutex.pxd"
SLOW = "cython_ext/mutex.pyx"

MUTANTS = (
    # ---- the locks
    Mutant(
        "lock in two steps",
        MUTEX,
        "mutex_lock",
        "if iopf_likely(cas32(",
        "ld32_rlx(&m.word) == 0 and store_instead32(&m.word, self.slot + 1)",
        "locks/mutex sc",
    ),
    Mutant(
        "unlock in two steps",
        MUTEX,
        "mutex_unlock",
        "old = xchg32(",
        "old = ld32_rlx(&m.word); st32_rel(&m.word, 0)",
        "locks/mutex sc",
    ),
    Mutant("unlock that wakes none", MUTEX, "mutex_unlock", "point_wake(", "", "locks/mutex sc"),
    Mutant(
        "lock that forgets the third sleeper",
        SLOW,
        "mutex_lock_slow",
        "if cas32(&m.word, word, mine | (LOCK_SLEEPERS if slept",
        "cas32(&m.word, word, mine | word & LOCK_SLEEPERS)",
        "locks/three sc",
    ),
    Mutant(
        "lock taken late in two steps",
        SLOW,
        "mutex_lock_slow",
        "if cas32(&m.word, word, mine | (LOCK_SLEEPERS if slept",
        "store_instead32(&m.word, mine | (LOCK_SLEEPERS if slept else word & LOCK_SLEEPERS))",
        "locks/three sc",
    ),
    Mutant(
        "take-over in two steps",
        SLOW,
        "mutex_lock_slow",
        "if cas32(&m.word, word, mine | LOCK_SLEEPERS)",
        "store_instead32(&m.word, mine | LOCK_SLEEPERS)",
        "locks/taken over sc",
    ),
    Mutant(
        "sleeper marked in two steps",
        SLOW,
        "mutex_lock_slow",
        "if not word & LOCK_SLEEPERS and not cas32(",
        "not word & LOCK_SLEEPERS and not store_instead32(&m.word, word | LOCK_SLEEPERS)",
        "locks/mutex sc",
    ),
    Mutant(
        "write lock in two steps",
        MUTEX,
        "write_lock",
        "if iopf_likely(cas32(",
        "ld32_rlx(&l.word) == 0 and store_instead32(&l.word, RW_WRITER | (self.slot + 1))",
        "locks/writers sc",
    ),
    Mutant(
        "write unlock in two steps",
        MUTEX,
        "write_unlock",
        "old = xchg32(",
        "old = ld32_rlx(&l.word); st32_rel(&l.word, 0)",
        "locks/writers sc",
    ),
    Mutant(
        "write unlock that wakes none", MUTEX, "write_unlock", "point_wake(", "", "locks/writers sc"
    ),
    Mutant(
        "write unlock that wakes one",
        MUTEX,
        "write_unlock",
        "point_wake(",
        "point_wake(self, &l.word, 1)",
        "locks/rwlock sc",
    ),
    Mutant(
        "read unlock in two steps",
        MUTEX,
        "read_unlock",
        "old = xadd32(",
        "old = ld32_rlx(&l.word); st32_rel(&l.word, old - 1)",
        "locks/rwlock sc",
    ),
    Mutant(
        "read unlock that wakes none", MUTEX, "read_unlock", "point_wake(", "", "locks/rwlock sc"
    ),
    Mutant(
        "read lock past a writer",
        MUTEX,
        "read_lock",
        "if iopf_likely(not word & (RW_WRITER",
        "cas32(&l.word, word, word + 1)",
        "locks/rwlock sc",
    ),
    Mutant(
        "reader counted in two steps",
        MUTEX,
        "read_lock",
        "if iopf_likely(not word & (RW_WRITER",
        "not word & (RW_WRITER | RW_WAITING) and store_instead32(&l.word, word + 1)",
        "locks/rwlock sc",
    ),
)
