# SPDX-License-Identifier: MIT
"""Mistakes in the gates of tenants and in the token of the run queue. See `order_mutants.py`."""

from tests.support.order import Mutant

TENANT = "emulator/tenant/engine.pyx"
PRI = "device_procs/pri.pyx"
RESPONSES = "device_procs/responses.pyx"
TOKEN = "cython_ext/runqueue.pyx"

MUTANTS = (
    # ---- gates of tenants
    Mutant("gate counted without its fence", PRI, "count_done", "fence_at(", "", "gates/gate tso"),
    Mutant("gate that is not rung", PRI, "count_done", "bell_ring(", "", "gates/gate sc"),
    Mutant(
        "failed function without its fence",
        RESPONSES,
        "ring_gates",
        "fence_at(",
        "",
        "gates/failure tso",
    ),
    Mutant(
        "failed function that rings none",
        RESPONSES,
        "ring_gates",
        "bell_ring(",
        "",
        "gates/failure sc",
    ),
    Mutant(
        "waiting tenant without its fence",
        TENANT,
        "wait_for",
        "fence_at(",
        "",
        why="the locked add of ec_prepare stands between the mark and the look that precedes the sleep",
    ),
    Mutant(
        "gate without a mark",
        TENANT,
        "wait_for",
        "write32(r.v.self, &r.t.gate_waiting, 1",
        "",
        "gates/gate sc",
    ),
    Mutant(
        "gate passed with its mark",
        TENANT,
        "wait_for",
        "write32(r.v.self, &r.t.gate_waiting, 0",
        "",
        "gates/gate sc",
    ),
    Mutant(
        "count of a gate written relaxed",
        PRI,
        "count_done",
        "write64(",
        "st64_rlx(count, count[0] + 1)",
        why="the fence follows, and the tenant reads nothing else that the device has written",
    ),
    # ---- the token of the run queue
    Mutant(
        "token given by a store",
        TOKEN,
        "give",
        "xchg32(",
        "st32_rel(&rq.slot[slot].go, 1)",
        "gates/token tso",
    ),
    Mutant("token that wakes none", TOKEN, "give", "futex_wake32(", "", "gates/token sc"),
    Mutant(
        "supervisor asleep by a store",
        TOKEN,
        "token",
        "xchg32(",
        "st32_rel(&s.asleep, 1)",
        why="the futex call waits for the store before it compares",
    ),
    Mutant(
        "actor asleep by a store",
        TOKEN,
        "await_token",
        "xchg32(",
        "st32_rel(&s.asleep, 1)",
        why="the futex call waits for the store before it compares",
    ),
    Mutant(
        "token without a look at the sleeper",
        TOKEN,
        "give",
        "if ld32_acq(&rq.slot[slot].asleep)",
        "False",
        "gates/token sc",
    ),
)
