# SPDX-License-Identifier: MIT
"""Address spaces on the board against a model that keeps one dictionary entry per page."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.board.process import Process
from iopf.emulator.board.snapshot import Snapshot

from tests.probes.mm import AddressSpace
from tests.support.boards import make_board

BASE = 0x7000_0000_0000
PAGES = 40
SUCCESS, INVALID = 0, 1
ENOMEM, EFAULT, EINVAL = -12, -14, -22

span = st.tuples(st.integers(0, PAGES - 1), st.integers(1, 12)).map(
    lambda t: (t[0], min(PAGES, t[0] + t[1]))
)
prot = st.integers(0, 7)
operation = st.one_of(
    st.tuples(st.just("map"), span, prot),
    st.tuples(st.just("unmap"), span),
    st.tuples(st.just("protect"), span, prot),
    st.tuples(st.just("zap"), span),
    st.tuples(st.just("fault"), st.integers(0, PAGES - 1), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("move"), span, st.integers(0, PAGES - 1)),
)


def at(page: int) -> int:
    return BASE + page * 4096


class Model:
    """page -> [protection, entry]; entry: None or the bits of the page table."""

    def __init__(self) -> None:
        self.pages: dict[int, list[int]] = {}

    def fault(self, page: int, rwx: int) -> int:
        held = self.pages.get(page)
        if held is None or held[0] == 0 or held[0] & rwx != rwx:
            return INVALID
        held[1] |= 1 | (2 if rwx & 2 else 0) | (4 if held[0] & 4 else 0)
        return SUCCESS

    def protect(self, page: int, to: int) -> None:
        held = self.pages.get(page)
        if held is not None:
            keep = 1 | (to & 2) | (to & 4)
            self.pages[page] = [to, held[1] & keep if to & 1 else 0]


def apply(space: AddressSpace, model: Model, op: tuple[object, ...]) -> None:
    match op:
        case ("map", (int(a), int(b)), int(to)):
            assert space.map(at(a), at(b), to) == 0
            model.pages.update({page: [to, 0] for page in range(a, b)})
        case ("unmap", (int(a), int(b))):
            assert space.unmap(at(a), at(b)) == 0
            for page in range(a, b):
                model.pages.pop(page, None)
        case ("protect", (int(a), int(b)), int(to)):
            assert space.protect(at(a), at(b), to) == 0
            for page in range(a, b):
                model.protect(page, to)
        case ("zap", (int(a), int(b))):
            assert space.zap(at(a), at(b)) == 0
            for page in set(range(a, b)) & model.pages.keys():
                model.pages[page][1] = 0
        case ("fault", int(page), int(rwx)):
            assert space.fault(at(page), rwx) == model.fault(page, rwx)
        case ("move", (int(a), int(b)), int(to)):
            move(space, model, a, b, to)


def move(space: AddressSpace, model: Model, a: int, b: int, to: int) -> None:
    """Only onto a free range, as the planner of traces guarantees."""
    target = range(to, to + b - a)
    if set(target) & (model.pages.keys() | set(range(a, b))) or to + b - a > PAGES:
        return
    held = {page: model.pages.pop(page) for page in range(a, b) if page in model.pages}
    assert space.move(at(a), at(b), at(to), at(to + b - a)) == (0 if held else EFAULT)
    model.pages.update({page - a + to: value for page, value in held.items()})


@settings(max_examples=300, deadline=None)
@given(st.lists(operation, max_size=40))
def test_the_board_agrees_with_the_page_model(operations: list[tuple[object, ...]]) -> None:
    memory = make_board()
    space, model = AddressSpace(Process(memory, 3)), Model()
    for op in operations:
        apply(space, model, op)
        areas = space.areas()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(areas))
        mapped = {
            p: area[2]
            for area in areas
            for p in range((area[0] - BASE) // 4096, (area[1] - BASE) // 4096)
        }
        assert mapped == {page: held[0] for page, held in model.pages.items()}
        assert {p: space.entry(at(p)) for p in range(PAGES)} == {
            p: model.pages[p][1] if p in model.pages else 0 for p in range(PAGES)
        }
        assert space.rss == sum(1 for held in model.pages.values() if held[1])
    space.exit()
    assert all(
        pool["live"] == 0 and pool["lost"] == 0 for pool in Snapshot(memory).pools().values()
    )


def test_equal_neighbours_become_one_area() -> None:
    space = AddressSpace(Process(make_board(), 3))
    assert [space.map(at(i), at(i + 1), 3) for i in (0, 2, 1)] == [0, 0, 0]
    assert space.areas() == [(at(0), at(3), 3, 2)]
    assert space.protect(at(1), at(2), 1) == 0
    assert len(space.areas()) == 3


def test_a_write_after_a_read_faults_again_and_a_fork_takes_write_away() -> None:
    process = Process(make_board(), 3)
    parent, child = AddressSpace(process), AddressSpace(process)
    parent.map(at(0), at(4), 3)
    assert parent.fault(at(0), 1) == SUCCESS
    assert parent.entry(at(0)) == 1
    assert parent.fault(at(0), 3) == SUCCESS
    assert parent.entry(at(0)) == 3
    assert parent.fork(child) == 0
    assert parent.entry(at(0)) == 1
    assert child.areas() == parent.areas()
    assert child.entry(at(0)) == 0


@pytest.mark.parametrize(("start", "end"), [(1, 4096), (8192, 4096), (0, 1 << 48), (0, 0)])
def test_bad_ranges_are_refused(start: int, end: int) -> None:
    space = AddressSpace(Process(make_board(), 3))
    assert space.map(start, end, 3) == EINVAL
    assert space.areas() == []


def test_full_tables_are_errors_that_change_nothing_else() -> None:
    space = AddressSpace(Process(make_board(max_vmas=4), 3))
    assert [space.map(at(2 * i), at(2 * i + 1), 1) for i in range(5)] == [0, 0, 0, 0, ENOMEM]
    assert len(space.areas()) == 4
    assert space.unmap(at(0), at(10)) == 0
    tight = AddressSpace(Process(make_board(tables=4), 3))
    tight.map(0x1000, 0x2000, 1)
    tight.map(0x5000_0000_0000, 0x5000_0000_1000, 1)
    assert tight.fault(0x1000, 1) == SUCCESS
    assert tight.fault(0x5000_0000_0000, 1) == INVALID
