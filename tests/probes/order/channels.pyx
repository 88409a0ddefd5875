# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Programs over the channel: its crew is that of the machine, its links lie behind the actors. The last actor closes.

    channel     three records through two slots, with sleeps on both sides
    producers   two producers, a record each
    half        the consumer takes one record of a full link of two, and no more: the producer can go on
    closing     the consumer waits, or is about to; the third actor closes
    closing full
                the same with a producer that waits for room
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.channel_core cimport *
from iopf.cython_ext.crew cimport *
from tests.probes.order.machine cimport *

cdef enum:
    SLOTS = 2
    BOUND_NS = 100000000

cdef struct words:
    uint64_t got             # records read
    uint64_t sum
    uint64_t ended           # actors that saw the close


cdef inline chan_header *header() noexcept nogil:
    return <chan_header *>machine_head()


cdef inline words *at() noexcept nogil:
    return <words *>(<char *>machine_room() + 2 * link_bytes(SLOTS))


cdef void make(uint32_t producers) noexcept nogil:
    chan_format(header(), producers, SLOTS, 0, 0)


cdef void make_one() noexcept nogil:
    make(1)


cdef void make_two() noexcept nogil:
    make(2)


cdef bint put(chan_out *out, uint64_t value) noexcept nogil:
    """Like ``Producer.put``: false when the channel is closed."""
    cdef uint64_t record[8]
    cdef uint32_t i
    for i in range(8):
        record[i] = value if i == 0 else 0
    while out_put(out, <const char *>record, 1) == 0:
        out_publish(out)
        while not out_wait(out, BOUND_NS):
            pass
        if chan_closed(out.header):
            return False
    out_publish(out)
    return True


cdef bint get(chan_in *inn, uint64_t *value) noexcept nogil:
    """Like ``Consumer.get``: false when the channel is closed and empty."""
    while not in_find(inn):
        if chan_closed(inn.header) and not in_find(inn):
            return False
        in_wait(inn, BOUND_NS)
    value[0] = (<uint64_t *>in_record(inn))[0]
    in_took(inn, 1)
    return True


cdef void attach_out(chan_out *out, uint32_t me) noexcept nogil:
    out.header = header()
    out.actor = crew_actor(chan_crew(header()), me)
    out.reader = crew_actor(chan_crew(header()), header().producers)
    link_attach(&out.end, chan_link(header(), me), SLOTS, True)


cdef void attach_in(chan_in *inn, chan_source *sources) noexcept nogil:
    cdef uint32_t i
    inn.count = header().producers
    inn.header = header()
    inn.actor = crew_actor(chan_crew(header()), inn.count)
    inn.sources = inn.at = sources
    for i in range(inn.count):
        link_attach(&sources[i].end, chan_link(header(), i), SLOTS, False)
        sources[i].writer = crew_actor(chan_crew(header()), i)
        sources[i].looked = sources[i].end.mine - sources[i].end.mask


cdef void produce(uint32_t me, uint64_t records) noexcept nogil:
    cdef chan_out out
    cdef uint64_t i
    attach_out(&out, me)
    for i in range(records):
        if not put(&out, me * 10 + i + 1):
            at().ended |= 1
            return


cdef void consume(uint64_t records, bint ordered) noexcept nogil:
    cdef chan_in inn
    cdef chan_source sources[2]
    cdef uint64_t value = 0, i
    attach_in(&inn, sources)
    for i in range(records):
        if not get(&inn, &value):
            at().ended |= 2
            return
        if value == 0 or (ordered and value != i + 1):
            machine_fail("a record other than the next one")
        at().got += 1
        at().sum += value


cdef void channel_run(uint32_t me) noexcept nogil:
    if me == 0:
        produce(me, 3)
    elif me == 1:
        consume(3, True)


cdef void half_run(uint32_t me) noexcept nogil:
    if me == 0:
        produce(me, 3)
    elif me == 1:
        consume(1, True)


cdef void producers_run(uint32_t me) noexcept nogil:
    if me < 2:
        produce(me, 1)
    elif me == 2:
        consume(2, False)


cdef void closing_run(uint32_t me) noexcept nogil:
    if me == 1:
        consume(2, True)
    elif me == 2:
        chan_close(header())


cdef void closing_full_run(uint32_t me) noexcept nogil:
    if me == 0:
        produce(me, 3)
    elif me == 2:
        chan_close(header())


cdef const char *three() noexcept nogil:
    return unless(at().got == 3 and at().sum == 6, "a record is lost or doubled")


cdef const char *one() noexcept nogil:
    return unless(at().got == 1 and at().sum == 1, "a record is lost or doubled")


cdef const char *both() noexcept nogil:
    return unless(at().got == 2 and at().sum == 12, "a record is lost or doubled")


cdef const char *saw_close() noexcept nogil:
    return unless(at().ended == 2, "the consumer has not seen the close")


cdef const char *stopped() noexcept nogil:
    return unless(at().ended == 1, "the producer has not seen the close")


cdef program programs[5]
programs[0] = program(b"channel", 3, make_one, channel_run, three)
programs[1] = program(b"producers", 4, make_two, producers_run, both)
programs[2] = program(b"closing", 3, make_one, closing_run, saw_close)
programs[3] = program(b"closing full", 3, make_one, closing_full_run, stopped)
programs[4] = program(b"half", 3, make_one, half_run, one)


def explore(str name, uint32_t model, int mutant, uint64_t most_states, int32_t preemptions):
    return explored(programs, 5, name, model, mutant, most_states, preemptions)
