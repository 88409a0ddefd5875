# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Reading the board: counters, states, histograms and verdicts as plain Python values.

Works on a read-only mapping. Bounds come from the checked copies in the view, never from the board. Each word is read on its own; sums of
a running system may be off by what happened in between, those of a system at rest are exact.
"""

from libc.stdint cimport uint32_t, uint64_t

from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.event_ring cimport event_record, event_ring
from iopf.cython_ext.histogram cimport HIST_BINS, histogram
from iopf.cython_ext.memory cimport Memory
from iopf.cython_ext.pool cimport pool_chain, pool_live
from iopf.cython_ext.work_ring cimport workring
from iopf.emulator.board.board cimport view, view_attach, view_region
from iopf.emulator.spec.classes cimport POOL_CLASSES
from iopf.emulator.board.devices cimport device, devside, hwside, kernside
from iopf.emulator.board.flow cimport NOT_RUN, note_of
from iopf.emulator.board.intact cimport check_plan, first_damage
from iopf.emulator.board.iommus cimport iommu_regs, irq_slot, unit_regs
from iopf.emulator.board.latency cimport STAGES, stage_hist
from iopf.emulator.board.layout cimport OFF_COUNT, OFF_EVENTS, OFF_META, OFF_PASID_BITMAP
from iopf.emulator.board.ledger cimport EVENTS, WARNINGS
from iopf.emulator.spec.program cimport LABELS
from iopf.emulator.board.progress cimport driver_at, label_at, label_note
from iopf.emulator.board.queues cimport queue_at, work_ring
from iopf.emulator.spec.roles cimport ROLE_HANDLER
from iopf.emulator.board.tenants cimport tenant
from iopf.emulator.spec.vtd cimport PRS_PPR, PRS_PRO

from iopf.emulator.spec.classes import POOLS as _POOLS


cdef dict counters(dict struct):
    """A struct of the board by its field names, without padding."""
    return {name: value for name, value in struct.items() if not name.startswith("pad")}


cdef uint64_t backlog(workring *r) noexcept nogil:
    """Positions queued and not yet taken."""
    cdef uint64_t head = ld64_acq(&r.head), tail = ld64_acq(&r.tail)
    return tail - head if tail > head else 0


cdef class Snapshot:
    """A reader of one board. Raises ValueError when the memory holds none of this build."""

    cdef view v
    cdef readonly Memory memory

    def __cinit__(self, Memory memory not None):
        if view_attach(&self.v, memory.base, memory.size, 0) != 0:
            raise ValueError("the shared memory holds no whole board of this build")
        check_plan(&self.v)
        self.memory = memory

    def damage(self) -> str | None:
        """What of the words that never change is not as it was written before the start; None if all is as it was."""
        return first_damage(&self.v)

    @property
    def phase(self) -> int:
        return ld32_acq(&self.v.board.phase)

    @property
    def layout_hash(self) -> int:
        return self.v.board.layout_hash

    @property
    def meta_offset(self) -> int:
        return self.v.offsets[OFF_META]

    def region(self, uint32_t which) -> int:
        """Offset of a region from the start of the arena, by its ``OFF_`` number."""
        if which >= OFF_COUNT:
            raise IndexError(f"region {which} of {OFF_COUNT}")
        return self.v.offsets[which]

    @property
    def ready(self) -> int:
        return ld32_acq(&self.v.board.ready)

    @property
    def verdict_count(self) -> int:
        return ld32_acq(&self.v.crew.verdict_count)

    def progress(self) -> tuple:
        """(devices done, tenants done, removals done)."""
        devices = sum([1 for i in range(self.v.cfg.devices) if ld32_acq(&self.v.devices[i].dev.stopped)])
        tenants = sum([1 for i in range(self.v.cfg.tenants)
                       if ld32_acq(&self.v.tenants[i].finished) or ld32_acq(&self.v.tenants[i].dead)])
        return devices, tenants, sum([1 for i in range(self.v.cfg.devices) if ld32_acq(&self.v.devices[i].released)])

    def ticks_ns(self, uint64_t ticks) -> int:
        return crew_ticks_ns(self.v.crew, ticks)

    def actor(self, uint32_t slot) -> dict:
        cdef iopf_actor *a
        if slot >= self.v.cfg.slots:
            raise IndexError(f"slot {slot} of {self.v.cfg.slots}")
        a = crew_actor(self.v.crew, slot)
        return {
            "slot": slot, "role": a.role, "index": a.index, "pid": a.pid, "start_time": a.start_time, "state": a.state,
            "exit_status": a.exit_status, "last_point": a.last_point, "heartbeat": a.heartbeat, "wait_site": a.wait_site,
            "wait_since_ns": a.wait_since_ns, "points": a.points, "sleeps": a.sleeps, "wakes": a.wakes,
            "wait_timeouts": a.wait_timeouts, "timeouts_with_work": a.timeouts_with_work,
            "lost_site": a.lost_site, "yields": a.yields,
            "lock_waits": a.lock_waits, "owner_deaths": a.owner_deaths, "work": [a.work[i] for i in range(8)],
        }

    def actors(self) -> list:
        return [self.actor(i) for i in range(self.v.cfg.slots)]

    def heartbeat(self, uint32_t slot) -> int:
        return crew_actor(self.v.crew, slot).heartbeat if slot < self.v.cfg.slots else 0

    def device(self, uint32_t dev) -> dict:
        """Counters of one device as its three sides keep them, and the age of its oldest open group in nanoseconds."""
        cdef device *d
        cdef devside *s
        cdef hwside *h
        cdef kernside *k
        cdef uint64_t now, oldest = 0, at
        if dev >= self.v.cfg.devices:
            raise IndexError(f"device {dev} of {self.v.cfg.devices}")
        d = &self.v.devices[dev]
        s, h, k = &d.dev, &d.hw, &d.kern
        now = crew_ticks(self.v.crew)
        for i in range(512):
            at = ld64_rlx(&d.open_ticks[i])
            if at and at < now and now - at > oldest:
                oldest = now - at
        return {
            "rid": d.rid, "credits": d.credits, "link_up": d.link_up, "pri_enabled": d.pri_enabled, "registered": d.registered,
            "oldest_ns": crew_ticks_ns(self.v.crew, oldest),
            "device": counters(s[0]),
            "hardware": counters(h[0]),
            "kernel": {
                **counters(k[0]),
                "partial": max(0, <int>(k.partial_added - k.partial_moved - k.discarded - k.freed - k.acknowledged)),
                "pending": max(0, <int>(k.groups - k.groups_settled)),
            },
        }

    def registered(self, uint32_t dev) -> bool:
        """Whether the device is on the driver's table with PRI on."""
        return dev < self.v.cfg.devices and ld32_acq(&self.v.devices[dev].pri_enabled) != 0

    def link_up(self, uint32_t dev) -> bool:
        return dev < self.v.cfg.devices and ld32_acq(&self.v.devices[dev].link_up) != 0

    def faults_handled(self) -> int:
        """Pages that the workers have handled, also of groups that are not finished."""
        cdef uint32_t i
        return sum([crew_actor(self.v.crew, i).work[1] for i in range(self.v.cfg.slots)
                    if crew_actor(self.v.crew, i).role == ROLE_HANDLER])

    def devices(self) -> list:
        return [self.device(i) for i in range(self.v.cfg.devices)]

    def sent(self) -> int:
        """Requests that all devices have put on their links, cheaply."""
        return sum([self.v.devices[i].dev.sent for i in range(self.v.cfg.devices)])

    def accesses(self) -> int:
        """Accesses of all devices, also those that need no request."""
        return sum([self.v.devices[i].dev.accesses for i in range(self.v.cfg.devices)])

    def open_work(self) -> bool:
        """Whether any device has requests open, or groups that it has to ask for again."""
        return any([self.v.devices[i].dev.open_requests or self.v.devices[i].dev.retry_groups
                    for i in range(self.v.cfg.devices) if ld32_acq(&self.v.devices[i].link_up)])

    def finished_groups(self) -> int:
        return sum([self.v.devices[i].dev.groups_done for i in range(self.v.cfg.devices)])

    def tenant(self, uint32_t index) -> dict:
        cdef tenant *t
        if index >= self.v.cfg.tenants:
            raise IndexError(f"tenant {index} of {self.v.cfg.tenants}")
        t = &self.v.tenants[index]
        return {"pasid": t.pasid, "ops_done": t.ops_done, "ops": t.program_count, "finished": t.finished, "exited": t.exited,
                "dead": t.dead, "started": t.started, "waiting": t.gate_waiting}

    def driver_finished(self, uint32_t index) -> bool:
        return index < self.v.cfg.drivers and ld32_acq(&driver_at(&self.v, index).finished) != 0

    def result_of(self, uint64_t record) -> int | None:
        """What a record of a program last returned: 0 or more, or a negative errno; None when it was never reached."""
        if record >= self.v.cfg.programs:
            raise IndexError(f"record {record} of {self.v.cfg.programs}")
        value = note_of(&self.v, record).result
        return None if value == NOT_RUN else value

    def runs_of(self, uint64_t record) -> tuple:
        """(how often a record has run, how often it ended with an error)."""
        if record >= self.v.cfg.programs:
            raise IndexError(f"record {record} of {self.v.cfg.programs}")
        return note_of(&self.v, record).runs, note_of(&self.v, record).errors

    def reached(self) -> list:
        """Number of occurrences of each ``Event``."""
        cdef uint32_t i
        return [ld64_acq(&self.v.board.reached[i]) for i in range(EVENTS)]

    def warned(self) -> list:
        """Number of true WARN_ONs of each ``KernelWarning``."""
        cdef uint32_t i
        return [ld64_acq(&self.v.board.warned[i]) for i in range(WARNINGS)]

    def labels(self, uint32_t dev) -> dict:
        """{label number: codes of the answers it got, at most six} of a device; number 63 has answers that match no group."""
        cdef label_note *note
        cdef uint32_t i, n
        out = {}
        if dev >= self.v.cfg.devices:
            raise IndexError(f"device {dev} of {self.v.cfg.devices}")
        for i in range(LABELS):
            note = label_at(&self.v, dev, i)
            n = min(ld32_acq(&note.answers), 6)
            if n:
                out[i] = tuple([note.codes[k] for k in range(n)])
        return out

    def unit(self, uint32_t index) -> dict:
        """Registers and counters of one IOMMU."""
        cdef iommu_regs *r
        cdef uint64_t mask = <uint64_t>self.v.cfg.prq_records * 32 - 1
        if index >= self.v.cfg.units:
            raise IndexError(f"IOMMU {index} of {self.v.cfg.units}")
        r = unit_regs(&self.v, index)
        irq = crew_actor(self.v.crew, irq_slot(&self.v, index))
        return {
            "prq_used": ((r.prq.tail - r.prq.head) & mask) // 32, "prq_records": self.v.cfg.prq_records, "prq_hwm": r.prq_hwm,
            "ppr": 1 if r.prs & PRS_PPR else 0, "pro": 1 if r.prs & PRS_PRO else 0, "interrupts": r.interrupts,
            "overflows": r.overflows, "fault_log": r.fault_log, "commands": r.commands, "drains": r.drains,
            "inval_errors": r.inval_errors, "prq_passes": r.prq_passes, "overflow_passes": r.overflow_passes,
            "popped": r.prq_records_popped, "execute_refused": irq.work[5], "work_ring_full": irq.work[4],
        }

    def units(self) -> list:
        return [self.unit(i) for i in range(self.v.cfg.units)]

    def iommu(self) -> dict:
        """All IOMMUs together: sums, and the largest high-water mark; with the queues behind them."""
        cdef uint32_t i
        units = self.units()
        out = {key: sum([u[key] for u in units]) for key in units[0]}
        out["prq_hwm"] = max([u["prq_hwm"] for u in units])
        out["ppr"], out["pro"] = max([u["ppr"] for u in units]), max([u["pro"] for u in units])
        out["prq_records"] = self.v.cfg.prq_records
        out["discards"] = sum([queue_at(&self.v, i).discards for i in range(self.v.cfg.queues)])
        out["backlog"] = sum([backlog(work_ring(&self.v, i)) for i in range(self.v.cfg.work_rings)])
        out["work_lost"] = sum([work_ring(&self.v, i).lost for i in range(self.v.cfg.work_rings)])
        return out

    def pools(self) -> dict:
        """Per pool: capacity, live objects, allocations that failed, slots that cannot be reached any more (at rest)."""
        cdef uint32_t i, s, live, kept
        cdef iopf_actor *a
        out = {}
        for i in range(POOL_CLASSES):
            live = pool_live(self.v.pools[i])
            kept = 0
            fails = 0
            allocs = 0
            frees = 0
            for s in range(self.v.cfg.slots):
                a = crew_actor(self.v.crew, s)
                kept += a.magazine[i].count
                fails += a.magazine[i].fails
                allocs += a.magazine[i].allocs
                frees += a.magazine[i].frees
            out[_POOLS[i]] = {"capacity": self.v.pools[i].capacity, "live": live, "allocs": allocs, "frees": frees, "fails": fails,
                              "lost": <int>self.v.pools[i].capacity - <int>live - <int>kept - <int>pool_chain(self.v.pools[i])}
        return out

    def pasids_used(self) -> int:
        cdef uint64_t *words = <uint64_t *>view_region(&self.v, OFF_PASID_BITMAP)
        return sum([int(words[i]).bit_count() for i in range(max(1, self.v.cfg.max_pasids // 64))]) - 1

    def stage(self, uint32_t stage) -> dict:
        """One stage's histogram over all actors: count, total, min, max in nanoseconds, and {bin: count}."""
        cdef histogram *h
        cdef uint32_t s, b
        cdef uint64_t[1024] sums
        if stage >= STAGES:
            raise IndexError(f"stage {stage} of {STAGES}")
        for b in range(HIST_BINS):
            sums[b] = 0
        count = total = most = 0
        least = None
        for s in range(self.v.cfg.slots):
            h = stage_hist(&self.v, s, stage)
            if h.count == 0:
                continue
            count += h.count
            total += h.total
            most = max(most, h.max)
            least = h.min if least is None else min(least, h.min)
            for b in range(HIST_BINS):
                sums[b] += h.bins[b]
        return {"count": count, "total": total, "min": least or 0, "max": most, "bins": {b: sums[b] for b in range(HIST_BINS) if sums[b]}}

    def events(self, uint32_t slot) -> tuple:
        """(records lost, [(ns since the start, site, a, b), …]) of one actor's flight recorder, oldest first."""
        cdef event_ring *ring
        cdef event_record *e
        cdef uint64_t n, first, written, start
        if slot >= self.v.cfg.slots:
            raise IndexError(f"slot {slot} of {self.v.cfg.slots}")
        ring = <event_ring *>(view_region(&self.v, OFF_EVENTS)
                              + <uint64_t>slot * (sizeof(event_ring) + <uint64_t>self.v.cfg.event_records * sizeof(event_record)))
        written = ld64_acq(&ring.written)
        first = written - self.v.cfg.event_records if written > self.v.cfg.event_records else 0
        start = self.v.board.start_ticks
        out = []
        for n in range(first, written):
            e = <event_record *>(<char *>ring + sizeof(event_ring)) + (n & (self.v.cfg.event_records - 1))
            out.append((n, crew_ticks_ns(self.v.crew, e.ticks - start if e.ticks > start else 0), e.event, e.a, e.b))
        # What the writer has started to overwrite meanwhile may be torn: it is thrown away and counted as lost.
        written = ld64_acq(&ring.started)
        first = written - self.v.cfg.event_records if written > self.v.cfg.event_records else 0
        kept = [record[1:] for record in out if record[0] >= first]
        return written - len(kept), kept

    def quiet_ns(self, uint32_t slot) -> int | None:
        """Time since the last event that this actor has recorded; None if it has recorded none."""
        cdef event_ring *ring
        cdef event_record *e
        cdef uint64_t written, now
        if slot >= self.v.cfg.slots:
            raise IndexError(f"slot {slot} of {self.v.cfg.slots}")
        ring = <event_ring *>(view_region(&self.v, OFF_EVENTS)
                              + <uint64_t>slot * (sizeof(event_ring) + <uint64_t>self.v.cfg.event_records * sizeof(event_record)))
        written = ld64_acq(&ring.written)
        if written == 0:
            return None
        e = <event_record *>(<char *>ring + sizeof(event_ring)) + ((written - 1) & (self.v.cfg.event_records - 1))
        now = crew_ticks(self.v.crew)
        return crew_ticks_ns(self.v.crew, now - e.ticks if now > e.ticks else 0)

    def verdicts(self) -> list:
        cdef iopf_verdict *w
        cdef uint32_t i, n = ld32_acq(&self.v.crew.verdict_count)
        out = []
        for i in range(min(n, CREW_VERDICTS)):
            w = &self.v.crew.verdicts[i]
            if ld32_acq(&w.ready):
                out.append({"kind": w.kind, "actor": w.actor, "site": w.site, "cls": w.cls, "object": w.object,
                            "generation": w.generation, "other_actor": w.other_actor, "detail": w.detail})
        return out
