# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The conductor: plays schedules of one system, each from the same beginning.

    cast       every part on a stack of its own; nothing has run
    settle     plays without preemptions until nobody can go on; between two calls the supervisor may change phases
    open       lets the programs go behind their ``start`` and keeps a copy of everything: where each schedule begins
    explore    schedules by a strategy until one fails, or so many
    replay     one schedule along a path

A schedule ends when nobody can go on, when a detector speaks, or at the bound on steps. Nobody can go on although an actor's
program is not over: a deadlock, or a lost wake-up.
"""

import mmap

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.memory cimport Memory
from cython_ext.pages cimport *
from cython_ext.stage cimport *
from emulator.sched.strategies cimport *
from emulator.spec.board cimport *
from emulator.spec.flow cimport note_of
from emulator.spec.process cimport Process
from emulator.spec.program cimport FLAG_TRY

cdef enum:
    POOLS = 16
    PASIDS = 15              # place of the PASIDs in use among the pools' expectations
    TOKEN_NS = 5000000000    # how long a schedule may keep the token
    PAGE = 1 << PAGES_SHIFT
    WRITTEN = 1              # marks of pages: written by some schedule
    APART = 2                # nobody's behaviour depends on it: not put back

cpdef enum Bug:
    BUG_NONE = 0
    BUG_VERDICT = 1
    BUG_DEADLOCK = 2         # somebody's program is not over
    BUG_LIVELOCK = 3         # the bound on steps
    BUG_LEAK = 4             # objects are left
    BUG_DIVERGED = 5         # not a bug of the system: the path does not fit
    BUG_LOST = 6             # not a bug of the system: a process is gone
    BUG_ANSWER = 7           # a device has got an answer that it did not wait for
    BUG_FAILED = 8           # an operation has failed that may not


cdef stage *playing  # of the schedule that this process plays; for `escape`
cdef iopf_crew *playing_crew


cdef void escape() noexcept nogil:
    """Where an actor goes on that has followed a wild pointer: a verdict, and it leaves its stack for good."""
    cdef stage_slot *s = &playing.slot[playing.current & (STAGE_SLOTS - 1)]
    cdef iopf_actor *self = crew_actor(playing_crew, playing.current)
    verdict_raise(self, VERDICT_WILD, 0, pages_wild(), 0, 0, 0, self.last_point >> 8)
    s.state = PLAY_DEAD
    iopf_switch(&s.sp, s.loop_sp)


cdef void on_stage(stage *st, iopf_crew *crew) noexcept nogil:
    """This process plays from here on."""
    global playing, playing_crew
    playing = st
    playing_crew = crew
    pages_escape(escape)


cdef class Conductor:
    """The system on the board in ``memory``, played by ``processes``, prepared and not yet running."""

    cdef view v
    cdef stage *st
    cdef readonly Memory memory
    cdef readonly list processes
    cdef char *copy              # the board as it was when the programs were let go
    cdef uint64_t pages
    cdef object mark_memory      # shared with the processes
    cdef uint8_t *marks          # by page
    cdef stage_slot slots[32]
    cdef uint64_t now
    cdef uint32_t must           # slots whose program has to come to its end
    cdef int64_t expected[POOLS]  # live objects of a pool at the end; -1: any number
    cdef public bint by_processes    # others play, each one actor; else this process plays all as fibers
    cdef readonly uint64_t played
    cdef readonly uint64_t steps

    def __cinit__(self, Memory memory not None, list processes not None, must=(), expected=None):
        cdef Process process
        cdef uint64_t room
        if view_attach(&self.v, memory.base, memory.size, 0) != 0:
            raise ValueError("the shared memory holds no whole board of this build")
        room = self.v.cfg.controlled
        if room == 0 or self.v.crew.actors > STAGE_SLOT_MAX:
            raise ValueError(f"not a board for controlled runs of at most {STAGE_SLOT_MAX} processes")
        self.memory, self.processes = memory, processes
        self.st = <stage *>view_region(&self.v, OFF_STAGE)
        memset(self.st, 0, sizeof(stage))
        self.st.arena = <uint64_t>memory.base
        self.st.room = room
        self.st.path = sizeof(stage) + room * sizeof(stage_step)
        self.st.max_steps = room
        self.v.crew.stage = <char *>self.st - <char *>self.v.crew
        for process in processes:
            if process.main == NULL or process.slot == 0:
                raise ValueError("a process has no part to play")
            raise_curtain(self.st, process.v.self, self._stack(process.slot), STAGE_STACK, process.main, process.arg, process.index)
        for slot in must:
            self.must |= <uint32_t>1 << <uint32_t>slot
        for i in range(POOLS):
            self.expected[i] = -1
        for i, n in (expected or {}).items():
            self.expected[<uint32_t>i] = n

    def __dealloc__(self):
        self.close()

    cdef char *_stack(self, uint32_t slot) noexcept:
        return view_region(&self.v, OFF_STACKS) + <uint64_t>slot * STAGE_STACK

    def settle(self, uint64_t max_steps=0) -> int:
        """Plays on without preemptions until nobody can: how it ended (``End``)."""
        stage_stir(self.st)
        self._reset_schedule(max_steps)
        strategy_begin(self.st, STRATEGY_FIRST, 0, 1)
        with nogil:
            stage_fibers(self.st, self.v.crew, strategy_choose)
        return self.st.ended

    cdef void _reset_schedule(self, uint64_t max_steps) noexcept nogil:
        self.st.steps = self.st.budget = 0
        self.st.hash = <uint64_t>0xcbf29ce484222325
        self.st.ended = END_NONE
        self.st.max_steps = max_steps if 0 < max_steps < self.st.room else self.st.room

    def open(self) -> int:
        """The programs may go on; bytes of the copy that is made."""
        st32_rel(&self.v.board.cut, 1)
        cdef uint32_t i
        cdef stage_slot *s
        for i in range(1, self.st.players):
            # Whoever waits at its start sleeps on its own bell: it is rung without anybody's help.
            s = &self.st.slot[i]
            if s.state == PLAY_ASLEEP and s.kind == ACC_WAIT and s.where == <uint64_t>&crew_actor(self.v.crew, i).bell_seq:
                s.state = PLAY_READY
                s.result = 0
                s.due = 0
        return self._keep()

    cdef uint64_t _keep(self) except? 0:
        """Copies the board, and from here on marks the pages that are written."""
        cdef uint64_t bytes_kept = <char *>self.st - self.v.base, at
        cdef const unsigned char[::1] marks
        if self.copy != NULL:
            raise ValueError("the beginning has been kept already")
        self.pages = bytes_kept >> PAGES_SHIFT
        self.copy = <char *>malloc(bytes_kept)
        if self.copy == NULL:
            raise MemoryError("no memory for the copy of the board")
        memcpy(self.copy, self.v.base, bytes_kept)
        memcpy(self.slots, self.st.slot, sizeof(self.slots))
        self.now = self.st.now
        self.mark_memory = mmap.mmap(-1, max(self.pages, 1))
        marks = self.mark_memory
        self.marks = <uint8_t *>&marks[0]
        for which in (OFF_EVENTS, OFF_HISTOGRAMS, OFF_META):
            at = self.v.board.offsets[which] + PAGE - 1 >> PAGES_SHIFT
            while (at + 1) << PAGES_SHIFT <= self._region_end(which):
                self.marks[at] = APART
                at += 1
        self.watch()
        return bytes_kept

    def watch(self) -> None:
        """In every process that plays: its writes are marked from here on."""
        cdef uint64_t i
        if pages_watch(self.v.base, self.pages << PAGES_SHIFT, self.marks) != 0:
            raise BlockingIOError(errno, "another system is under control in this process; close it first")
        for i in range(self.pages):
            if self.marks[i] == 0 and pages_protect(self.v.base + (i << PAGES_SHIFT), PAGE) != 0:
                raise OSError("cannot protect the board's pages")

    cdef uint64_t _region_end(self, uint32_t which):
        """Regions lie one behind the other."""
        cdef uint64_t end = self.memory.size, start = self.v.board.offsets[which]
        cdef uint32_t i
        for i in range(OFF_COUNT):
            if start < self.v.board.offsets[i] < end:
                end = self.v.board.offsets[i]
        return end

    def close(self) -> None:
        """Ends the watch; the board may be unmapped. Nothing can be played any more."""
        if self.copy != NULL:
            pages_unwatch(self.v.base)
            free(self.copy)
            self.copy = NULL

    @property
    def written_pages(self) -> int:
        """Pages that are put back before every schedule."""
        cdef uint64_t i
        return sum([1 for i in range(self.pages) if self.marks[i] == WRITTEN])

    cdef void _start_over(self) noexcept nogil:
        cdef uint32_t i
        cdef uint64_t at
        cdef stage_slot *s
        for at in range(self.pages):
            if self.marks[at] == WRITTEN:
                memcpy(self.v.base + (at << PAGES_SHIFT), self.copy + (at << PAGES_SHIFT), PAGE)
        for i in range(1, self.st.players):
            # Line 0 of the slot is where the actor stands; the rest is the strategy's and the process's.
            s = &self.st.slot[i]
            memcpy(s, &self.slots[i], 64)
            s.taken = 0
        self.st.now = self.now

    cdef int64_t _live(self, uint32_t cls) noexcept nogil:
        cdef int64_t n = 0
        cdef uint32_t i
        for i in range(self.v.crew.actors):
            n += <int64_t>(crew_actor(self.v.crew, i).magazine[cls].allocs - crew_actor(self.v.crew, i).magazine[cls].frees)
        return n

    cdef int64_t _pasids(self) noexcept nogil:
        """PASIDs in use; number 0 is nobody's."""
        cdef uint64_t *words = <uint64_t *>view_region(&self.v, OFF_PASID_BITMAP)
        cdef int64_t n = -1
        cdef uint64_t word
        cdef uint32_t i
        for i in range(1 if self.v.cfg.max_pasids < 64 else self.v.cfg.max_pasids // 64):
            word = words[i]
            while word:
                word &= word - 1
                n += 1
        return n

    cdef uint32_t _judge(self) noexcept nogil:
        cdef uint32_t i
        if self.st.ended == END_VERDICT:
            return BUG_VERDICT
        if self.st.ended == END_STEPS:
            return BUG_LIVELOCK
        if self.st.ended == END_DIVERGED:
            return BUG_DIVERGED
        if self.st.ended == END_LOST:
            return BUG_LOST
        for i in range(1, self.st.players):
            if self.must >> i & 1 and not crew_actor(self.v.crew, i).program_over:
                return BUG_DEADLOCK
        for i in range(self.v.cfg.programs):
            if note_of(&self.v, i).errors != 0 and not program(&self.v, i).flags & FLAG_TRY:
                return BUG_FAILED
        for i in range(self.v.cfg.devices):
            if self.v.devices[i].dev.unexpected != 0:
                return BUG_ANSWER
        if self.expected[PASIDS] >= 0 and self._pasids() != self.expected[PASIDS]:
            return BUG_LEAK
        for i in range(POOL_CLASSES):
            if self.expected[i] >= 0 and self._live(i) != self.expected[i]:
                return BUG_LEAK
        return BUG_NONE

    cdef uint32_t _play(self) noexcept nogil:
        if self.by_processes:
            if not stage_processes(self.st, self.v.crew, strategy_choose, TOKEN_NS):
                self.st.ended = END_LOST
        else:
            on_stage(self.st, self.v.crew)
            stage_fibers(self.st, self.v.crew, strategy_choose)
            pages_escape(NULL)
        self.played += 1
        self.steps += self.st.steps
        return self._judge()

    def assemble(self) -> None:
        """Before processes are started that play: nobody has the token, nobody is told to leave."""
        cdef uint32_t i
        st32_rel(&self.st.quit, 0)
        for i in range(STAGE_SLOTS):
            st32_rel(&self.st.slot[i].go, 0)

    def play_part(self, uint32_t slot) -> None:
        """In a process of its own, forked after ``open``: plays one actor until ``dismiss``."""
        if not 0 < slot < self.st.players:
            raise ValueError(f"slot {slot} of {self.st.players}")
        self.watch()
        with nogil:
            on_stage(self.st, self.v.crew)
            stage_play(self.st, self.v.crew, strategy_choose, slot)

    def dismiss(self) -> None:
        """Tells the processes that play to leave."""
        stage_quit(self.st)

    def explore(self, list plan, uint64_t seed, uint64_t first, uint64_t most, uint64_t max_steps=0) -> tuple:
        """Schedules ``first`` and following, each by the next (strategy, depth) of ``plan`` in turn, until one fails.

        Returns (``Bug``, its number, (strategy, depth)), or (BUG_NONE, number behind the last, None).
        """
        cdef uint32_t strategies[32]
        cdef uint32_t depths[32]
        cdef uint32_t n = 0, bug = BUG_NONE
        cdef uint64_t at
        if self.copy == NULL:
            raise ValueError("nothing to start from: call open() first")
        if not 0 < len(plan) <= 32:
            raise ValueError("a plan has one to 32 strategies")
        for strategy, depth in plan:
            strategies[n], depths[n] = strategy, depth
            n += 1
        at = first
        with nogil:
            while at < first + most:
                self._start_over()
                self._reset_schedule(max_steps)
                strategy_begin(self.st, strategies[at % n], depths[at % n], seed + at)
                bug = self._play()
                if bug != BUG_NONE:
                    break
                strategy_learn(self.st)
                at += 1
        return (Bug(bug), at, plan[at % n] if bug != BUG_NONE else None)

    cdef uint32_t _delayed(self, const uint64_t *at, uint32_t n) noexcept nogil:
        """One schedule with delays at these steps, in order."""
        cdef uint32_t i
        self._start_over()
        self._reset_schedule(0)
        strategy_begin(self.st, STRATEGY_DELAY, n, 1)
        for i in range(n):
            self.st.change[i] = at[i]
        return self._play()

    cdef uint32_t _all_delays(self, uint64_t *at, uint32_t n, uint32_t most, uint64_t until_ns, uint64_t *schedules) noexcept nogil:
        """Every schedule that has ``most`` delays of which the first n stand in ``at``; BUG_DIVERGED when the time is over."""
        cdef uint64_t step, length
        cdef uint32_t bug
        if n == most:
            schedules[0] += 1
            return self._delayed(at, n)
        if clock_ns() > until_ns:
            return BUG_DIVERGED
        bug = self._delayed(at, n)
        length = self.st.steps
        step = at[n - 1] if n else 0
        while step < length:
            at[n] = step
            bug = self._all_delays(at, n + 1, most, until_ns, schedules)
            if bug != BUG_NONE:
                return bug
            step += 1
        return BUG_NONE

    def exhaust(self, uint32_t delays, uint64_t budget_ns) -> tuple:
        """Every schedule with exactly so many delays: (``Bug``, schedules, whether all were played, steps of the delays that fail)."""
        cdef uint64_t at[DELAYS_MOST]
        cdef uint64_t schedules = 0, until_ns = clock_ns() + budget_ns
        cdef uint32_t bug
        if self.copy == NULL:
            raise ValueError("nothing to start from: call open() first")
        if delays > DELAYS_MOST:
            raise ValueError(f"at most {DELAYS_MOST} delays")
        with nogil:
            bug = self._all_delays(at, 0, delays, until_ns, &schedules)
        if bug == BUG_DIVERGED:
            return (Bug(BUG_NONE), schedules, False, [])
        return (Bug(bug), schedules, bug == BUG_NONE, [at[i] for i in range(delays)] if bug != BUG_NONE else [])

    def replay(self, bytes path, bint loose=False, uint64_t max_steps=0) -> int:
        """One schedule along ``path``, a slot per step; how it ended (``Bug``). ``loose``: who cannot go is passed over."""
        cdef uint64_t n = len(path)
        cdef const uint8_t *source = path
        cdef uint32_t bug
        if n > self.st.room:
            raise ValueError(f"a path of {n} steps; the stage has room for {self.st.room}")
        self._start_over()
        self._reset_schedule(max_steps)
        strategy_begin(self.st, STRATEGY_LOOSE if loose else STRATEGY_PATH, 0, 1)
        memcpy(<char *>self.st + self.st.path, source, n)
        self.st.path_steps = n
        with nogil:
            bug = self._play()
        return Bug(bug)

    def play_to(self, bytes path, uint64_t step) -> bool:
        """Plays ``path`` up to a step, which is not made; false when the schedule ends before. Then ``take_away`` and ``go_on``."""
        if step == 0:
            raise ValueError("the first step is number 1")
        self.replay(path, False, step)
        return self.st.ended == END_STEPS and self.st.steps == step

    def take_away(self, uint32_t slot) -> None:
        """The actor makes no step any more: it is dead."""
        if not 0 < slot < self.st.players:
            raise ValueError(f"slot {slot} of {self.st.players}")
        self.st.slot[slot].state = PLAY_DEAD

    def go_on(self, without=()) -> Bug:
        """Plays on without preemptions; those of ``without`` need not come to the end of their programs."""
        cdef uint32_t must = self.must, bug
        for slot in without:
            self.must &= ~(<uint32_t>1 << <uint32_t>slot)
        stage_stir(self.st)
        self.st.ended = END_NONE
        self.st.max_steps = self.st.room
        self.st.strategy = STRATEGY_FIRST
        with nogil:
            bug = self._play()
        self.must = must
        return Bug(bug)

    @property
    def trace_hash(self) -> int:
        return self.st.hash

    @property
    def trace(self) -> list:
        """Steps of the last schedule: (slot, point id, kind, offset of the access, mask of who could go)."""
        cdef uint64_t i
        return [
            (self.st.step[i].slot, self.st.step[i].id, self.st.step[i].kind, <uint64_t>self.st.step[i].where * 4,
             self.st.step[i].enabled)
            for i in range(min(self.st.steps, self.st.room))
        ]

    @property
    def path(self) -> bytes:
        cdef uint64_t i
        return bytes([self.st.step[i].slot for i in range(min(self.st.steps, self.st.room))])

    def standing(self) -> list:
        """Where every actor stands: (slot, state, point id, kind, offset of the word, program over)."""
        return [
            (i, self.st.slot[i].state, self.st.slot[i].id, self.st.slot[i].kind, self.st.slot[i].where - self.st.arena,
             bool(crew_actor(self.v.crew, i).program_over))
            for i in range(1, self.st.players)
        ]
