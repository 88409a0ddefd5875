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

from emulator.sched.judge import Bug as Outcome

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from cython_ext.atomics cimport *
from cython_ext.crew cimport *
from cython_ext.memory cimport Memory
from cython_ext.stage cimport *
from emulator.sched.board_copy cimport BoardCopy, on_wild_access, wild_address
from emulator.sched.coverage cimport Coverage
from emulator.sched.judge cimport *
from emulator.sched.strategies cimport *
from emulator.sched.tree cimport *
from emulator.spec.board cimport view, view_attach, view_region
from emulator.spec.layout cimport *
from emulator.spec.process cimport Process

cdef enum:
    TOKEN_NS = 5000000000    # how long a schedule may keep the token
    PLANS = 32               # most strategies of an exploration

cdef struct exploration:
    # In memory that the players share: whoever has the token judges a schedule and begins the next one.
    uint32_t strategies[32]
    uint32_t depths[32]
    uint32_t plans
    uint32_t bug             # of the schedule ``at``
    uint32_t on
    uint32_t tso             # every other round of the plan is played with delayed stores
    uint64_t seed
    uint64_t at
    uint64_t end
    uint64_t max_steps
    uint64_t played
    uint64_t steps


cdef stage *playing  # of the schedule that this process plays; for `escape`
cdef iopf_crew *playing_crew


cdef void escape() noexcept nogil:
    """Where an actor goes on that has followed a wild pointer: a verdict, and it leaves its stack for good."""
    cdef stage_slot *s = &playing.slot[playing.current & (STAGE_SLOTS - 1)]
    cdef iopf_actor *self = crew_actor(playing_crew, playing.current)
    verdict_raise(self, VERDICT_WILD, 0, wild_address(), 0, 0, 0, self.last_point >> 8)
    s.state = PLAY_DEAD
    iopf_switch(&s.sp, s.loop_sp)


cdef void on_stage(stage *st, iopf_crew *crew) noexcept nogil:
    """This process plays from here on."""
    global playing, playing_crew
    playing = st
    playing_crew = crew
    on_wild_access(escape)


cdef uint32_t follow(Conductor conductor) noexcept nogil:
    """A schedule is over: judges it, and begins the next one if there is one. The slot of its first step, or nobody."""
    cdef exploration *x = conductor.x
    cdef uint32_t slot
    if not x.on:
        return 0
    while True:
        x.played += 1
        x.steps += conductor.st.steps
        x.bug = judge(&conductor.v, conductor.st, &conductor.expected)
        if x.bug != BUG_NONE:
            return 0
        strategy_learn(conductor.st)
        st64_rel(&x.at, x.at + 1)
        if x.at >= x.end:
            return 0
        slot = conductor._begin()
        if slot != 0:
            return slot


cdef class Conductor:
    """The system on the board in ``memory``, played by ``processes``, prepared and not yet running."""

    cdef view v
    cdef stage *st
    cdef readonly Memory memory
    cdef readonly list processes
    cdef BoardCopy copy          # the board as it was when the programs were let go
    cdef stage_slot slots[32]
    cdef object x_memory
    cdef exploration *x
    cdef uint64_t now
    cdef expectations expected
    cdef public bint by_processes    # others play, each one actor; else this process plays all as fibers
    cdef public bint tso             # plain stores may be delayed, as x86 delays them; while programs come to their beginning they are not
    cdef public bint still           # time stands still while anybody can go on; else it goes on with every step
    cdef public Coverage coverage    # gets the hand-overs of every schedule; None: nobody asks
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
        cdef unsigned char[::1] shared
        self.memory, self.processes = memory, processes
        self.x_memory = mmap.mmap(-1, sizeof(exploration))
        shared = self.x_memory
        self.x = <exploration *>&shared[0]
        self.st = <stage *>view_region(&self.v, OFF_STAGE)
        memset(self.st, 0, sizeof(stage))
        self.st.arena = <uint64_t>memory.base
        self.st.room = room
        self.st.path = sizeof(stage) + room * sizeof(stage_step)
        self.st.max_steps = room
        self.st.step_ns = STAGE_STEP_NS
        self.v.crew.stage = <char *>self.st - <char *>self.v.crew
        for process in processes:
            if process.main == NULL or process.slot == 0:
                raise ValueError("a process has no part to play")
            raise_curtain(self.st, process.v.self, self._stack(process.slot), STAGE_STACK, process.main, process.arg, process.index)
        for slot in must:
            self.expected.must |= <uint32_t>1 << <uint32_t>slot
        for i in range(POOLS):
            self.expected.live[i] = -1
        for i, n in (expected or {}).items():
            self.expected.live[<uint32_t>i] = n

    cdef char *_stack(self, uint32_t slot) noexcept:
        return view_region(&self.v, OFF_STACKS) + <uint64_t>slot * STAGE_STACK

    def settle(self, uint64_t max_steps=0) -> int:
        """Plays on without preemptions until nobody can: how it ended (``End``)."""
        stage_stir(self.st)
        self._reset_schedule(max_steps)
        self.st.memory = STAGE_SC
        strategy_begin(self.st, STRATEGY_FIRST, 0, 1)
        with nogil:
            stage_fibers(self.st, self.v.crew, strategy_choose)
        return self.st.ended

    cdef void _reset_schedule(self, uint64_t max_steps) noexcept nogil:
        cdef uint32_t i
        self.st.steps = self.st.budget = 0
        for i in range(STAGE_DRAIN):
            self.st.buffer[i].count = self.st.buffer[i].entered = 0
        self.st.hash = <uint64_t>0xcbf29ce484222325
        self.st.ended = END_NONE
        self.st.max_steps = max_steps if 0 < max_steps < self.st.room else self.st.room

    def open(self) -> None:
        """The programs may go on, and what there is now is where every schedule begins."""
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
        self._keep()

    cdef int _keep(self) except -1:
        """Copies the board: everything up to the stage, which is the last region."""
        if self.copy is not None:
            raise ValueError("the beginning has been kept already")
        memcpy(self.slots, self.st.slot, sizeof(self.slots))
        self.now = self.st.now
        apart = [(self.v.board.offsets[which], self._region_end(which)) for which in (OFF_EVENTS, OFF_HISTOGRAMS, OFF_META)]
        self.copy = BoardCopy(self.memory, <char *>self.st - self.v.base, apart)
        return 0

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
        if self.copy is not None:
            self.copy.close()
            self.copy = None

    @property
    def written_pages(self) -> int:
        """Pages that are put back before every schedule."""
        return self.copy.written if self.copy is not None else 0

    cdef void _start_over(self) noexcept nogil:
        cdef uint32_t i
        cdef stage_slot *s
        self.copy.put_back()
        for i in range(1, self.st.players):
            # Line 0 of the slot is where the actor stands; the rest is the strategy's and the process's.
            s = &self.st.slot[i]
            memcpy(s, &self.slots[i], 64)
            s.taken = 0
        self.st.now = self.now
        self.st.held = 0

    cdef void _set_memory(self) noexcept nogil:
        """On the stage, where the processes that play see it; the clock with it."""
        self.st.step_ns = 0 if self.still else STAGE_STEP_NS
        self.st.memory = STAGE_TSO if self.tso and self.st.players <= STAGE_DRAIN else STAGE_SC

    cdef uint32_t _play(self) noexcept nogil:
        if self.by_processes:
            if not stage_processes(self.st, self.v.crew, strategy_choose, TOKEN_NS):
                self.st.ended = END_LOST
        else:
            on_stage(self.st, self.v.crew)
            stage_fibers(self.st, self.v.crew, strategy_choose)
            on_wild_access(NULL)
        self.played += 1
        self.steps += self.st.steps
        if self.coverage is not None:
            self.coverage.note(self.st)
        return judge(&self.v, self.st, &self.expected)

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
        if self.copy is None:
            raise ValueError("nothing to start from: call open() first")
        self.copy.watch()
        with nogil:
            on_stage(self.st, self.v.crew)
            stage_play(self.st, self.v.crew, strategy_choose, slot, <follower><void *>follow, <void *>self)

    def dismiss(self) -> None:
        """Tells the processes that play to leave."""
        stage_quit(self.st)

    def explore(self, list plan, uint64_t seed, uint64_t first, uint64_t most, uint64_t max_steps=0) -> tuple:
        """Schedules ``first`` and following, each by the next (strategy, depth) of ``plan`` in turn, until one fails. With ``tso`` stores
        are delayed in every other round of the plan: ``delayed`` says whether they were in the last schedule.

        Returns (``Bug``, its number, (strategy, depth)), or (BUG_NONE, number behind the last, None).
        """
        cdef exploration *x = self.x
        if self.copy is None:
            raise ValueError("nothing to start from: call open() first")
        if not 0 < len(plan) <= PLANS:
            raise ValueError(f"a plan has one to {PLANS} strategies")
        self._set_memory()
        memset(x, 0, sizeof(exploration))
        x.tso = self.st.memory == STAGE_TSO
        for strategy, depth in plan:
            x.strategies[x.plans], x.depths[x.plans] = strategy, depth
            x.plans += 1
        x.seed, x.at, x.end, x.max_steps = seed, first, first + most, max_steps
        if most:
            with nogil:
                self._explore()
        self.played += x.played
        self.steps += x.steps
        return (Outcome(x.bug), x.at, plan[x.at % x.plans] if x.bug != BUG_NONE else None)

    cdef uint32_t _begin(self) noexcept nogil:
        """Puts everything to the beginning of the schedule ``at``; in processes, the slot of its first step."""
        cdef uint64_t number = self.x.at % self.x.plans
        self.st.memory = STAGE_TSO if self.x.tso and (self.x.at // self.x.plans) & 1 else STAGE_SC
        self._start_over()
        self._reset_schedule(self.x.max_steps)
        strategy_begin(self.st, self.x.strategies[number], self.x.depths[number], self.x.seed + self.x.at)
        return stage_pick(self.st, self.v.crew, strategy_choose) if self.x.on else 0

    cdef void _explore(self) noexcept nogil:
        cdef uint32_t slot
        if self.by_processes:
            self.x.on = 1
            slot = self._begin() or follow(self)
            if slot != 0 and not stage_relay(self.st, slot, &self.x.at, TOKEN_NS):
                self.st.ended = END_LOST
            if self.st.ended == END_LOST:
                self.x.bug = BUG_LOST
            self.x.on = 0
            return
        while self.x.at < self.x.end:
            self._begin()
            self.x.bug = self._play()
            if self.x.bug != BUG_NONE:
                return
            strategy_learn(self.st)
            self.x.at += 1

    def walk(self, bint bounded, uint32_t bound, uint64_t budget_ns, uint64_t most=0) -> tuple:
        """All schedules (``tree.pxd``), or with ``bounded`` those of at most ``bound`` preemptions, until one fails.

        Returns (``Bug``, schedules played to their end, whether these were all). Memory is sequentially consistent here, and without a
        bound time stands still while anybody can go on. Raises ValueError for a system of more actors than are told apart.
        """
        cdef tree *t
        cdef uint64_t until_ns = clock_ns() + budget_ns, n = 0
        cdef uint32_t bug = BUG_NONE
        cdef bint more = True, tso = self.tso, still = self.still
        if self.copy is None:
            raise ValueError("nothing to start from: call open() first")
        if self.st.players > TREE_ACTORS or self.by_processes:
            raise ValueError(f"a walk is for at most {TREE_ACTORS - 1} actors, as fibers")
        t = tree_new(bounded, bound)
        if t == NULL:
            raise MemoryError("no memory for the tree of schedules")
        self.tso, self.still = False, not bounded
        self._set_memory()
        with nogil:
            while more and bug == BUG_NONE and (most == 0 or n < most) and (n & 63 != 0 or clock_ns() < until_ns):
                self._start_over()
                self._reset_schedule(0)
                strategy_begin(self.st, STRATEGY_TREE, 0, 1)
                tree_play(t)
                bug = self._play()
                n += self.st.ended != END_CUT
                more = tree_next(t, self.st)
        complete = not more and not t.cut and bug == BUG_NONE
        tree_free(t)
        self.tso, self.still = tso, still
        return (Outcome(bug), n, complete)

    def replay(self, bytes path, bint loose=False, uint64_t max_steps=0) -> int:
        """One schedule along ``path``, a slot per step; how it ended (``Bug``). ``loose``: who cannot go is passed over."""
        cdef uint64_t n = len(path)
        cdef const uint8_t *source = path
        cdef uint32_t bug
        if self.copy is None:
            raise ValueError("nothing to start from: call open() first")
        if n > self.st.room:
            raise ValueError(f"a path of {n} steps; the stage has room for {self.st.room}")
        self._set_memory()
        self._start_over()
        self._reset_schedule(max_steps)
        strategy_begin(self.st, STRATEGY_LOOSE if loose else STRATEGY_PATH, 0, 1)
        memcpy(<char *>self.st + self.st.path, source, n)
        self.st.path_steps = n
        with nogil:
            bug = self._play()
        return Outcome(bug)

    def play_ordered(self, list orderings) -> tuple:
        """One schedule under constraints: (``Bug``, steps at which nobody could go without breaking one). Each is (slot, point, number) of
        the step that comes first and of the one that waits for it."""
        cdef uint64_t n = len(orderings)
        cdef ordering *table = <ordering *>(<char *>self.st + self.st.path)
        cdef uint32_t bug
        if self.copy is None:
            raise ValueError("nothing to start from: call open() first")
        if n * sizeof(ordering) > self.st.room:
            raise ValueError(f"{n} constraints; the stage has room for {self.st.room // sizeof(ordering)}")
        self._set_memory()
        self._start_over()
        self._reset_schedule(0)
        strategy_begin(self.st, STRATEGY_ORDERED, 0, 1)
        for i, ((slot, point, number), (slot2, point2, number2)) in enumerate(orderings):
            table[<uint32_t>i] = ordering(slot, point, number, 0, slot2, point2, number2, 0)
        self.st.path_steps = n
        with nogil:
            bug = self._play()
        return (Outcome(bug), self.st.depth)

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

    def hold(self, uint32_t slot) -> None:
        """The actor makes no step until ``let_go``: it is stopped. It can still be woken."""
        if not 0 < slot < self.st.players:
            raise ValueError(f"slot {slot} of {self.st.players}")
        self.st.held |= <uint32_t>1 << slot

    def let_go(self, uint32_t slot) -> None:
        if not 0 < slot < self.st.players:
            raise ValueError(f"slot {slot} of {self.st.players}")
        self.st.held &= ~(<uint32_t>1 << slot)

    def go_on(self, without=(), uint64_t max_steps=0, bint stir=True) -> Outcome:
        """Plays on without preemptions, up to so many steps in all; those of ``without`` need not come to the end of their programs.

        ``stir``: somebody outside the schedule has changed words, so sleepers look again.
        """
        cdef uint32_t must = self.expected.must, bug
        for slot in without:
            self.expected.must &= ~(<uint32_t>1 << <uint32_t>slot)
        if stir:
            stage_stir(self.st)
        self.st.ended = END_NONE
        self.st.max_steps = max_steps if 0 < max_steps < self.st.room else self.st.room
        self.st.strategy = STRATEGY_FIRST
        with nogil:
            bug = self._play()
        self.expected.must = must
        return Outcome(bug)

    @property
    def base_address(self) -> int:
        """Where the board is mapped in this process."""
        return self.st.arena

    @property
    def ended(self) -> int:
        """Why the last schedule ended (``End``)."""
        return self.st.ended

    @property
    def leapt_ns(self) -> int:
        """Virtual time of the schedule in which nobody could go: all slept, and the clock went on to the end of a sleep."""
        return self.st.now - self.now - self.st.steps * STAGE_STEP_NS

    @property
    def delayed(self) -> bool:
        """Whether plain stores were delayed in the last schedule."""
        return self.st.memory == STAGE_TSO

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
