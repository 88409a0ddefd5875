# SPDX-License-Identifier: MIT
"""Mistakes in the link, the work ring and the channel. See `order_mutants.py`."""

from tests.support.order import Mutant

LINK = "cython_ext/link.pxd"
WORK = "cython_ext/work_ring.pxd"
WORK_CODE = "cython_ext/work_ring.pyx"
CHANNEL = "cython_ext/channel_core.pxd"
CHANNEL_CODE = "cython_ext/channel_core.pyx"

MUTANTS = (
    # ---- the link
    Mutant(
        "tail published relaxed",
        LINK,
        "link_publish",
        "st64_rel(",
        "st64_rlx(&e.hdr.tail, e.mine)",
        "rings/link pso",
    ),
    Mutant(
        "tail published before the record",
        LINK,
        "link_filled",
        "e.mine += 1",
        "e.mine += 1; st64_rel(&e.hdr.tail, e.mine + 1)",
        "rings/link sc",
    ),
    Mutant(
        "head given back relaxed",
        LINK,
        "link_consume",
        "st64_rel(",
        "st64_rlx(&e.hdr.head, e.mine)",
        why="no store overtakes the loads before it on x86 or here, and no play fills a link: only this entry holds the line",
    ),
    Mutant(
        "room without a look at the head",
        LINK,
        "link_room",
        "if e.mine - e.theirs > e.mask:",
        "False",
        "rings/link sc",
    ),
    # ---- the work ring
    Mutant(
        "item published relaxed",
        WORK_CODE,
        "work_push",
        "st64_rel(",
        "st64_rlx(&slot.word, work_word(tail, self.slot + 1, WORK_READY))",
        "rings/one consumer pso",
    ),
    Mutant(
        "slot reserved in two steps",
        WORK_CODE,
        "work_push",
        "if cas64(&slot.word, word, work_word(tail, self.slot + 1, WORK_RESERVED))",
        "store_instead(&slot.word, work_word(tail, self.slot + 1, WORK_RESERVED))",
        "rings/two producers sc",
    ),
    Mutant(
        "item taken in two steps",
        WORK_CODE,
        "work_pop",
        "if not cas64(",
        "not store_instead(&slot.word, work_word(head, self.slot + 1, WORK_TAKEN))",
        "rings/two consumers sc",
    ),
    Mutant(
        "ring after a push without its fence",
        WORK,
        "work_ring_bell",
        "fence_at(",
        "",
        why="the compare-and-swap of the tail at the end of work_push stands between the item and the look",
    ),
    Mutant(
        "search counted in two steps",
        WORK,
        "work_search_begin",
        "add32(",
        "st32_rlx(&r.searching, ld32_rlx(&r.searching) + 1)",
        "rings/dependent sc",
    ),
    Mutant(
        "search ended in two steps",
        WORK,
        "work_search_less",
        "if cas32(",
        "store_instead32(&r.searching, n - 1)",
        "rings/one consumer tso",
    ),
    Mutant(
        "sleeper without a re-check",
        WORK,
        "work_waiting",
        "return (word >> 20) > head",
        "return False",
        "rings/one consumer sc",
    ),
    Mutant(
        "last searcher that rings for none",
        WORK,
        "work_search_end",
        "if found and work_backlog(",
        "False",
        "rings/dependent sc",
    ),
    Mutant(
        "end of a search that none counted, without its fence",
        WORK,
        "work_search_less",
        "fence()",
        "",
        why="only the repair after a death makes the count too low, and in wait_work the locked add of ec_prepare stands before the look",
    ),
    Mutant(
        "search marked relaxed",
        WORK,
        "work_search_begin",
        "st64_rel(",
        "st64_rlx(&self.searching, 1)",
        why="read only by the repair after a death; the locked add of the count follows",
    ),
    Mutant(
        "search unmarked relaxed",
        WORK,
        "work_search_end",
        "st64_rel(",
        "st64_rlx(&self.searching, 0)",
        why="read only by the repair after a death; the locked change of the count stands before it",
    ),
    Mutant(
        "done without a locked instruction",
        WORK_CODE,
        "work_done",
        "if not cas64(",
        "not store_instead(&slot.word, work_word(position, self.slot + 1, WORK_DONE))",
        "rings/flush pso",
    ),
    Mutant(
        "flusher counted without a locked instruction",
        WORK_CODE,
        "work_flush",
        "add32(self, &r.flushers, 1",
        "st32_rlx(&r.flushers, ld32_rlx(&r.flushers) + 1)",
        "rings/two flushers sc",
    ),
    Mutant(
        "done that wakes no flusher",
        WORK_CODE,
        "work_settle",
        "if moved and read32(",
        "False",
        "rings/flush sc",
    ),
    Mutant(
        "slot freed while the head is on it",
        WORK_CODE,
        "work_settle",
        "if read64(self, &r.head, site) <= floor:",
        "False",
        why="a consumer moves the head before it is done; only one that died in between has not",
    ),
    Mutant(
        "slot freed while the tail is on it",
        WORK_CODE,
        "work_settle",
        "if read64(self, &r.tail, site) <= floor:",
        "False",
        why="a producer moves the tail before it returns, and others wait for that; only one that died in between has not",
    ),
    Mutant(
        "flush that trusts the hint of the tail",
        WORK_CODE,
        "work_flush",
        "if word >> 20 == target and",
        "False",
        why="a push returns with the hint beyond its position",
    ),
    # ---- the channel
    Mutant(
        "batch without a doorbell", CHANNEL, "out_publish", "bell_ring(", "", "channels/channel sc"
    ),
    Mutant(
        "half a link taken without a look", CHANNEL, "in_took", "in_look(", "", "channels/half sc"
    ),
    Mutant(
        "consumer that waits without a look at the producers",
        CHANNEL_CODE,
        "in_wait",
        "in_look_all(",
        "",
        why="in_took has rung for every half of a link, and a producer sleeps with a full one",
    ),
    Mutant(
        "sleep without a re-check",
        CHANNEL_CODE,
        "sleep_once",
        "if condition(arg):",
        "False",
        "channels/channel sc",
        nth=2,
    ),
    Mutant(
        "close that wakes none", CHANNEL_CODE, "chan_close", "ec_notify(", "", "channels/closing sc"
    ),
    Mutant(
        "close published relaxed",
        CHANNEL_CODE,
        "chan_close",
        "st32_rel(",
        "st32_rlx(&header.closed, 1)",
        why="the fence of ec_notify follows, and a closing process publishes nothing else",
    ),
)
