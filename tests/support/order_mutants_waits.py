# SPDX-License-Identifier: MIT
"""Mistakes in the eventcount and in RCU. See `order_mutants.py`."""

from tests.support.order import Mutant

WAIT = "cython_ext/wait.pxd"
RCU = "cython_ext/rcu.pxd"

MUTANTS = (
    # ---- the eventcount
    Mutant("notify without its fence", WAIT, "ec_notify", "fence()", "", "waits/flag tso"),
    Mutant(
        "prepare without a locked instruction",
        WAIT,
        "ec_prepare",
        "return <uint32_t>xadd64",
        "st64_rlx(&ec.word, ld64_rlx(&ec.word) + (<uint64_t>1 << 32)); return <uint32_t>ld64_rlx(&ec.word)",
        "waits/flag tso",
    ),
    Mutant(
        "notify that leaves the sequence",
        WAIT,
        "ec_notify",
        "if cas64(",
        "cas64(&ec.word, word, word - (<uint64_t>waiting << 32))",
        "waits/flag sc",
    ),
    Mutant(
        "notify by a plain store",
        WAIT,
        "ec_notify",
        "if cas64(",
        "store_instead(&ec.word, (word & <uint64_t>0xFFFFFFFF00000000) - (<uint64_t>waiting << 32) | <uint32_t>(<uint32_t>word + 1))",
        "waits/giving up sc",
    ),
    Mutant("notify that wakes none", WAIT, "ec_notify", "point_wake(", "", "waits/flag sc"),
    Mutant(
        "notify of one waiter for all",
        WAIT,
        "ec_notify",
        "point_wake(",
        "point_wake(self, <uint32_t *>&ec.word, 1)",
        "waits/waiters sc",
    ),
    Mutant(
        "cancel that takes another's mark",
        WAIT,
        "ec_cancel",
        "if <uint32_t>word != key",
        "word >> 32 == 0",
        "waits/giving up sc",
    ),
    Mutant(
        "wait without its re-check",
        WAIT,
        "wait_until",
        "if condition(arg):",
        "False",
        "waits/flag sc",
    ),
    Mutant(
        "wait for work without its re-check",
        WAIT,
        "wait_work",
        "if look(arg):",
        "False",
        "waits/serving sc",
    ),
    # ---- RCU
    Mutant(
        "read section without its fence", RCU, "rcu_read_lock", "fence_at(", "", "waits/grace tso"
    ),
    Mutant(
        "read section entered relaxed",
        RCU,
        "rcu_read_lock",
        "st64_rel(",
        "st64_rlx(&self.rcu_epoch, epoch)",
        why="stores to one word stay in order here, and the fence follows; the check of scheduling points sees it",
    ),
    Mutant(
        "grace period begun without a locked instruction",
        RCU,
        "rcu_start",
        "return add64(",
        "st64_rlx(&crew_of(self).rcu_epoch, ld64_rlx(&crew_of(self).rcu_epoch) + 1); return ld64_rlx(&crew_of(self).rcu_epoch)",
        "waits/grace tso",
    ),
    Mutant(
        "grace period without a wait",
        RCU,
        "synchronize_rcu",
        "while not rcu_passed(",
        "False",
        "waits/grace sc",
    ),
    Mutant(
        "grace period over for a reader of this epoch",
        RCU,
        "rcu_passed",
        "if seen != 0 and seen < epoch",
        "seen != 0 and seen + 1 < epoch",
        "waits/grace sc",
    ),
    Mutant(
        "read section left relaxed",
        RCU,
        "rcu_read_unlock",
        "st64_rel(",
        "st64_rlx(&self.rcu_epoch, 0)",
        "waits/grace pso",
    ),
)
