# SPDX-License-Identifier: MIT
"""The list of mappings against a naive model with one entry per page."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from iopf.emulator.trace.address_space import (
    MREMAP_DONTUNMAP,
    MREMAP_MAYMOVE,
    AddressSpace,
    Step,
    Vma,
)
from iopf.emulator.trace.program import GROWSDOWN, PAGE_BYTES, Op, map_arg

PAGES = 24
Model = dict[int, int]


def step(op: Op, a: int, b: int, **more: int) -> Step:
    return Step(op, 0, 0, a * PAGE_BYTES, b * PAGE_BYTES, **more)


def pages(space: AddressSpace) -> Model:
    model: Model = {}
    end = 0
    for vma in space:
        assert end <= vma.start < vma.end
        end = vma.end
        for page in range(vma.start // PAGE_BYTES, vma.end // PAGE_BYTES):
            model[page] = vma.arg
    return model


@st.composite
def raw_steps(draw: st.DrawFn) -> Step:
    op = draw(st.sampled_from([Op.MAP, Op.MAP, Op.UNMAP, Op.PROTECT, Op.ZAP, Op.MREMAP]))
    start = draw(st.integers(0, PAGES - 1))
    end = draw(st.integers(start + 1, PAGES))
    if op is Op.MAP:
        return step(op, start, end, arg=map_arg(draw(st.integers(0, 7)), anonymous=True))
    if op is Op.PROTECT:
        return step(op, start, end, arg=draw(st.integers(0, 7)))
    if op is Op.MREMAP:
        new = draw(st.integers(PAGES, 2 * PAGES))
        size = draw(st.integers(1, PAGES))
        if draw(st.booleans()):
            new = start
        flags = draw(st.sampled_from([MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP]))
        return step(op, start, end, c=new * PAGE_BYTES, d=(new + size) * PAGE_BYTES, flags=flags)
    return step(op, start, end)


def naive(model: Model, s: Step, strict: bool) -> None:
    """Apply a step to pages; with ``strict`` check the rules the refined steps promise."""
    a, b, c, d = (x // PAGE_BYTES for x in (s.a, s.b, s.c, s.d))
    inside = [page for page in range(a, b) if page in model]
    if s.op is Op.MAP:
        assert not (strict and inside)
        model.update(dict.fromkeys(range(a, b), s.arg))
    elif s.op is Op.UNMAP:
        for page in inside:
            del model[page]
    elif s.op is Op.PROTECT:
        assert not strict or len(inside) == b - a
        for page in inside:
            model[page] = (model[page] & ~7) | s.arg
    elif s.op is Op.ZAP:
        assert not strict or len(inside) == b - a
    elif s.op is Op.MREMAP:
        assert strict
        assert d - c >= b - a
        assert not [page for page in range(c, d) if page in model]
        moved = {page: model.pop(page) for page in inside}
        model.update({page - a + c: arg for page, arg in moved.items()})
        for page in range(max(moved) - a + c, d):
            model[page] = moved[max(moved)]


@settings(max_examples=300, deadline=None)
@given(st.lists(raw_steps(), max_size=14))
def test_refined_steps_have_the_effect_of_the_space(steps: list[Step]) -> None:
    space = AddressSpace()
    refined: Model = {}
    for raw in steps:
        before = pages(space)
        for done in space.apply(raw):
            naive(refined, done, strict=True)
        assert refined == pages(space)
        if raw.op is not Op.MREMAP:
            naive(before, raw, strict=False)
            assert before == refined
        for page in range(PAGES):
            found = space.find(page * PAGE_BYTES + 5)
            assert (found.arg if found else None) == refined.get(page)
        mapped = sum(high - low for low, high in space.runs(0, 99 * PAGE_BYTES))
        free = sum(high - low for low, high in space.holes(0, 99 * PAGE_BYTES))
        assert mapped == len(refined) * PAGE_BYTES
        assert mapped + free == 99 * PAGE_BYTES


def test_copy_is_independent_and_clear_empties() -> None:
    space = AddressSpace()
    space.apply(step(Op.MAP, 1, 5, arg=3))
    twin = space.copy()
    space.clear()
    assert len(space) == 0
    assert pages(twin) == dict.fromkeys(range(1, 5), 3)


def test_fixed_mapping_splits_what_it_covers() -> None:
    space = AddressSpace()
    space.apply(step(Op.MAP, 10, 20, arg=1))
    done = space.apply(step(Op.MAP, 12, 14, arg=5))
    assert [s.op for s in done] == [Op.UNMAP, Op.MAP]
    page = PAGE_BYTES
    assert list(space) == [
        Vma(10 * page, 12 * page, 1),
        Vma(12 * page, 14 * page, 5),
        Vma(14 * page, 20 * page, 1),
    ]


def test_stack_grows_down_within_its_limit() -> None:
    space = AddressSpace()
    space.apply(step(Op.MAP, 10000, 10001, arg=3 | GROWSDOWN))
    assert space.grow_down(9000 * PAGE_BYTES + 17) == Vma(
        9000 * PAGE_BYTES, 10001 * PAGE_BYTES, 3 | GROWSDOWN
    )
    assert space.grow_down(10 * PAGE_BYTES) is None
    space.apply(step(Op.MAP, 8990, 8991, arg=3))
    assert space.grow_down(8980 * PAGE_BYTES) is None


def test_old_length_zero_maps_a_second_time() -> None:
    space = AddressSpace()
    space.apply(step(Op.MAP, 1, 2, arg=3))
    space.apply(step(Op.MREMAP, 1, 1, c=5 * PAGE_BYTES, d=6 * PAGE_BYTES, flags=1))
    assert pages(space) == {1: 3, 5: 3}
