# SPDX-License-Identifier: MIT
"""Killed in the middle of a call of the IOASID framework: the caller's id is allocated or not, other ids are unchanged, the host and
the tables agree, and every object but the one in transit is reused."""

from __future__ import annotations

import errno

from iopf.emulator.check.ioasid_model import INVALID_IOASID

from tests.probes.crew import Crew
from tests.probes.sva_lib import Call
from tests.probes.victim import Step
from tests.support.ioasid import IoasidBoard
from tests.support.kill_case import SUPERVISOR, VICTIM, Case, Fixture, Notes

LEAST, MOST = 10, 20
HOST0, HOST1 = 1, 2


class IoasidFixture(Fixture):
    """A kernel board with the framework; the victim's mark follows the words of ``IoasidBoard``."""

    def __init__(self) -> None:
        self.kernel_board = IoasidBoard()
        self.board = self.kernel_board
        self.armed = self.kernel_board.stop + 32
        self.memory = self.kernel_board.memory
        self.crew = self.kernel_board.crew
        self.mm = self.other = 0


class IoasidCase(Case):
    """The victim makes one call. A call is hundreds of instructions, so the kill points are a prime apart.

    ``ops``: (identity, function) of what is registered before, in order; ``ids``: how many are out.
    """

    stride = 3

    def __init__(
        self, call: Call, arg: int = 0, *, ops: tuple[tuple[int, int], ...] = (), ids: int = 0
    ) -> None:
        super().__init__(Step.STEP_MUTEX)
        self.call = call
        self.arg = arg
        self.ops = ops
        self.ids = ids

    def fixture(self) -> Fixture:
        return IoasidFixture()

    def build(self, fixture: Fixture) -> None:
        """One extra id is allocated and freed, so that there is an object whose grace period has ended."""
        assert isinstance(fixture, IoasidFixture)
        lead = fixture.kernel_board.actor(SUPERVISOR)
        for ident, function in self.ops:
            assert lead.register(ident, function, function, 0xA0 + ident) == 0
        for i in range(self.ids + 1):
            assert lead.alloc(7, LEAST, MOST, i) == LEAST + i
        lead.free(LEAST + self.ids)

    def arg_of(self, fixture: IoasidFixture) -> int:
        return self.arg

    def act(self, fixture: Fixture, crew: Crew) -> None:
        assert isinstance(fixture, IoasidFixture)
        lib = fixture.kernel_board.actor(VICTIM)
        lib.victim(self.call, fixture.armed, self.arg_of(fixture))

    def survive(self, fixture: Fixture, crew: Crew, repaired: int) -> Notes:
        assert isinstance(fixture, IoasidFixture)
        board = fixture.kernel_board
        self.come_after(fixture, board)
        notes = {"owner died": board.kernel.state()["repairs"], "done": self.look(fixture, board)}
        self.agree(board)
        free = MOST + 1 - LEAST - len(board.ids())
        got = [board.kernel.alloc(7, LEAST, MOST, 0) for _ in range(free + 1)]
        assert INVALID_IOASID not in got[:-1], got
        assert got[-1] == INVALID_IOASID
        board.remove_all()
        board.check_end(lost=1)
        return notes

    def come_after(self, fixture: IoasidFixture, board: IoasidBoard) -> None:
        """The first call after the death: it finds and repairs the victim's state."""
        board.kernel.settle()

    def agree(self, board: IoasidBoard) -> None:
        """The host's allocated numbers are those of the table; the active space is the first of the list."""
        state = board.kernel.state()
        assert state["outstanding"] == len(state["ids"])
        assert state["active"] == (state["list"][0][0] if state["list"] else 0)
        for backend in (0, 1):
            expected = set(state["ids"]) if self.ops and state["active"] == backend + 1 else set()
            assert board.host(backend)["out"] == expected

    def look(self, fixture: IoasidFixture, board: IoasidBoard) -> int:
        """Whether the call has had its effect; checks that everything else is unchanged."""
        ids = board.ids()
        for i in range(self.ids):
            if not (self.call == Call.CALL_FREE and LEAST + i == self.arg):
                assert ids[LEAST + i] == (7, i)
        assert len(ids) - self.ids in ((0, 1) if self.call == Call.CALL_ALLOC else (-1, 0))
        return abs(len(ids) - self.ids)


class RegisterCase(IoasidCase):
    """Ops 9 at the function ``arg``: on the list, last of its space, or not; then it can be registered."""

    stride = 13

    def agree(self, board: IoasidBoard) -> None:
        assert board.kernel.state()["active"] in (1, 9)

    def look(self, fixture: IoasidFixture, board: IoasidBoard) -> int:
        before = board.kernel.state()["list"]
        there = any(9 in sharers for sharers in before)
        answer = board.kernel.register(9, self.arg, self.arg, 0)
        assert answer == (-errno.EEXIST if there else 0)
        expected = [[ident] for ident, _ in self.ops]
        if (1, self.arg) in self.ops:
            expected[0].append(9)
        else:
            expected.append([9])
        assert board.kernel.state()["list"] == expected
        return int(there)


class UnregisterCase(IoasidCase):
    """Ops ``arg`` on the list or not. The last of a space that is removed takes its ids along; a sharer leaves them."""

    def __init__(self, *, ops: tuple[tuple[int, int], ...], ids: int = 0) -> None:
        super().__init__(Call.CALL_UNREGISTER, 1, ops=ops, ids=ids)
        self.shared = len(ops) > 1 and ops[0][1] == ops[1][1]

    def agree(self, board: IoasidBoard) -> None:
        state = board.kernel.state()
        assert state["active"] == (state["list"][0][0] if state["list"] else 0)

    def look(self, fixture: IoasidFixture, board: IoasidBoard) -> int:
        state = board.kernel.state()
        there = any(1 in sharers for sharers in state["list"])
        kept = self.ids if there or self.shared else 0
        assert set(state["ids"]) == set(range(LEAST, LEAST + kept))
        assert board.host()["out"] == set(range(LEAST, LEAST + self.ids))
        left = [ident for ident, _ in self.ops[not there :]]
        assert [ident for sharers in state["list"] for ident in sharers] == left
        # The host is not told about lost numbers; its administrator takes them back.
        board.kernel.host_release(0, set(range(LEAST + kept, LEAST + self.ids)))
        return int(not there)


class SvaCase(IoasidCase):
    """The mm has the PASID of the table, or neither has one. Two locks may have dead owners here, the outer one first."""

    stride = 5

    def build(self, fixture: Fixture) -> None:
        super().build(fixture)
        assert isinstance(fixture, IoasidFixture)
        lead = fixture.kernel_board.actor(SUPERVISOR)
        fixture.mm = lead.mm_new()
        if self.call == Call.CALL_SVA_FREE:
            assert lead.sva_alloc(fixture.mm, LEAST, MOST) == (0, LEAST + self.ids)

    def arg_of(self, fixture: IoasidFixture) -> int:
        return fixture.mm

    def come_after(self, fixture: IoasidFixture, board: IoasidBoard) -> None:
        fixture.other = board.kernel.mm_new()
        assert board.kernel.sva_alloc(fixture.other, 30, 30) == (0, 30)

    def look(self, fixture: IoasidFixture, board: IoasidBoard) -> int:
        other = fixture.other
        pasid = board.kernel.mm(fixture.mm)["pasid"]
        named = [n for n, (_, private) in board.ids().items() if private == fixture.mm]
        assert named == ([pasid] if pasid else [])
        assert len(board.ids()) == self.ids + len(named) + 1
        board.kernel.sva_free(other)
        if pasid:
            board.kernel.sva_free(fixture.mm)
            assert board.kernel.mm(fixture.mm)["pasid"] == 0
        for mm in (other, fixture.mm):
            board.kernel.mm_put(mm)
        return int(bool(pasid) == (self.call == Call.CALL_SVA_ALLOC))


def ioasid_cases() -> dict[str, Case]:
    one, sharers, two = ((1, HOST0),), ((1, HOST0), (2, HOST0)), ((1, HOST0), (2, HOST1))
    return {
        "ioasid alloc, default": IoasidCase(Call.CALL_ALLOC, ids=2),
        "ioasid alloc, custom": IoasidCase(Call.CALL_ALLOC, ops=one, ids=2),
        "ioasid free, default": IoasidCase(Call.CALL_FREE, LEAST + 1, ids=3),
        "ioasid free, custom": IoasidCase(Call.CALL_FREE, LEAST + 1, ops=one, ids=3),
        "ioasid register, first": RegisterCase(Call.CALL_REGISTER, HOST0),
        "ioasid register, sharer": RegisterCase(Call.CALL_REGISTER, HOST0, ops=one),
        "ioasid register, second": RegisterCase(Call.CALL_REGISTER, HOST1, ops=one),
        "ioasid unregister, only": UnregisterCase(ops=one),
        "ioasid unregister, sharer": UnregisterCase(ops=sharers, ids=2),
        "ioasid unregister, first of two": UnregisterCase(ops=two),
        "ioasid unregister with ids out": UnregisterCase(ops=two, ids=3),
        "sva pasid alloc, default": SvaCase(Call.CALL_SVA_ALLOC, ids=1),
        "sva pasid alloc, custom": SvaCase(Call.CALL_SVA_ALLOC, ops=one, ids=1),
        "sva pasid free, default": SvaCase(Call.CALL_SVA_FREE, ids=1),
        "sva pasid free, custom": SvaCase(Call.CALL_SVA_FREE, ops=one, ids=1),
    }
