# SPDX-License-Identifier: MIT
"""The IOASID allocator against its review of June 2019 (v4, "Add I/O ASID allocator") and what v5.5 made of it.

The five use cases that the author gives, the five rules of the interface, the answers that a caller can get, and each
bug that the review found, as a test that this implementation does not have it.
"""

from __future__ import annotations

import errno

import pytest
from iopf.emulator.board.ioasid import (
    IOASID_ALLOCATORS,
    IOASID_IDS,
    IOASID_OBJECTS,
    IOASID_SHARERS,
    Getter,
)
from iopf.emulator.check.ioasid_model import INVALID_IOASID
from iopf.emulator.spec.classes import POOL_ALLOCATOR, POOL_IOASID

from tests.support.ioasid import IoasidBoard

SET, OTHER_SET = 7, 8
# A function reaches host 0 or host 1; the last one reaches host 0 and is another function.
HOST0, HOST1, HOST0_OTHER = 1, 2, 0x101
NONE, FALSE = Getter.GETTER_NONE, Getter.GETTER_FALSE


def guest(*viommus: tuple[int, int, int]) -> IoasidBoard:
    """A guest whose vIOMMUs (ops, function, pdata) are plugged in this order."""
    board = IoasidBoard()
    for ident, function, pdata in viommus:
        assert board.kernel.register(ident, function, function, pdata) == 0
    return board


# Use cases


def test_use_case_1_native_allocation_needs_no_custom_allocator() -> None:
    board = IoasidBoard()
    ids = [board.kernel.alloc(SET, 1, 4, 0x100 + i) for i in range(5)]
    assert ids == [1, 2, 3, 4, INVALID_IOASID]
    assert [board.kernel.find(SET, i, NONE) for i in (1, 4)] == [(0, 0x100), (0, 0x103)]
    assert board.hosts_empty()
    board.free_all()
    board.check_end()


def test_use_case_2_a_guest_gets_the_numbers_of_its_host() -> None:
    board = guest((1, HOST0, 0xA))
    for taken in (1, 2, 4):
        board.kernel.host_take(0, taken)
    assert [board.kernel.alloc(SET, 1, 9, 0) for _ in range(2)] == [3, 5]
    assert board.host()["out"] == {1, 2, 3, 4, 5}
    assert board.host()["alloc_pdata"] == 0xA
    board.remove_all()
    assert board.host()["out"] == {1, 2, 4}
    board.check_end()


def test_use_case_3_two_viommus_behind_one_host_share_a_space() -> None:
    board = guest((1, HOST0, 0xA), (2, HOST0, 0xB))
    assert board.kernel.state()["list"] == [[1, 2]]
    number = board.kernel.alloc(SET, 1, 9, 0x55)
    board.kernel.unregister(2)
    assert board.kernel.find(SET, number, NONE) == (0, 0x55)
    board.remove_all()
    assert board.hosts_empty()
    board.check_end()


def test_use_case_4_two_viommus_with_numbers_of_their_own() -> None:
    board = guest((1, HOST0, 0xA), (2, HOST1, 0xB))
    assert board.kernel.state()["list"] == [[1], [2]]
    first = board.kernel.alloc(SET, 1, 9, 0)
    assert (board.host(0)["out"], board.host(1)["out"]) == ({first}, set())
    board.kernel.free(first)
    board.kernel.unregister(1)
    assert board.kernel.alloc(SET, 1, 9, 0) == first
    assert (board.host(0)["out"], board.host(1)["out"]) == (set(), {first})
    board.remove_all()
    board.check_end()


def test_use_case_5_hot_unplug_goes_down_the_list() -> None:
    board = guest((1, HOST0, 0xA), (2, HOST1, 0xB), (3, HOST0_OTHER, 0xC))
    seen = []
    for ident in (1, 2, 3):
        seen.append(board.kernel.state()["active"])
        board.kernel.unregister(ident)
    assert [*seen, board.kernel.state()["active"]] == [1, 2, 3, 0]
    assert board.kernel.state()["warnings"] == 0
    board.check_end()


# Rules


def test_rule_1_the_default_allocator_is_always_there() -> None:
    board = IoasidBoard()
    for _ in range(2 * IOASID_ALLOCATORS):
        assert board.kernel.alloc(SET, 5, 5, 1) == 5
        board.kernel.free(5)
        assert board.kernel.register(1, HOST0, HOST0, 0) == 0
        board.kernel.unregister(1)
    assert board.kernel.state()["active"] == 0
    board.check_end()


def test_rule_2_a_custom_allocator_takes_precedence() -> None:
    board = guest((1, HOST0, 0xA))
    board.kernel.fail_host(0, 1)
    assert board.kernel.alloc(SET, 1, 9, 0) == INVALID_IOASID, "no falling back to the default"
    assert board.kernel.alloc(SET, 1, 9, 0) == 1
    assert board.host()["out"] == {1}
    board.remove_all()
    board.check_end()


def test_rule_3_the_last_of_a_space_must_find_it_empty() -> None:
    """If not, it is a warning, and the ids are unknown afterwards; their numbers stay out at the host."""
    board = guest((1, HOST0, 0xA), (2, HOST0, 0xB))
    ids = [board.kernel.alloc(SET, 1, 9, 0x77) for _ in range(3)]
    board.kernel.unregister(1)
    assert board.kernel.state()["warnings"] == 0
    board.kernel.unregister(2)
    state = board.kernel.state()
    assert (state["warnings"], state["ids_lost"], state["active"]) == (1, 3, 0)
    assert [board.kernel.find(0, i, NONE) for i in ids] == [(-errno.ENOENT, 0)] * 3
    assert board.host()["out"] == set(ids)
    board.kernel.free(ids[0])
    assert board.kernel.state()["unknown"] == 1
    board.check_end()


@pytest.mark.parametrize("leaves", [1, 2])
def test_rule_4_ids_outlive_the_unplug_of_one_sharer(leaves: int) -> None:
    """Either one: also when the first, whose pdata the calls have carried, is the one that goes."""
    board = guest((1, HOST0, 0xA), (2, HOST0, 0xB))
    stays, pdata = (2, 0xB) if leaves == 1 else (1, 0xA)
    ids = [board.kernel.alloc(SET, 1, 9, 0x70 + i) for i in range(3)]
    board.kernel.unregister(leaves)
    assert board.kernel.state()["list"] == [[stays]]
    assert [board.kernel.find(SET, i, NONE) for i in ids] == [(0, 0x70), (0, 0x71), (0, 0x72)]
    board.kernel.free(ids[1])
    assert board.host()["free_pdata"] == pdata
    assert board.kernel.alloc(SET, 1, 9, 0) == ids[1]
    assert board.host()["alloc_pdata"] == pdata
    board.remove_all()
    assert board.hosts_empty()
    board.check_end()


def test_rule_5_default_to_custom_needs_an_empty_space() -> None:
    board = IoasidBoard()
    number = board.kernel.alloc(SET, 1, 9, 0x66)
    assert board.kernel.register(1, HOST0, HOST0, 0xA) == -errno.EAGAIN
    assert board.kernel.find(SET, number, NONE) == (0, 0x66)
    board.kernel.free(number)
    assert board.kernel.register(1, HOST0, HOST0, 0xA) == 0
    assert board.kernel.register(2, HOST1, HOST1, 0xB) == 0
    board.kernel.alloc(SET, 1, 9, 0)
    assert board.kernel.register(3, HOST0_OTHER, HOST0_OTHER, 0) == 0, "ids of a custom one do not"
    board.remove_all()
    board.check_end()


# Answers


def test_registering_answers() -> None:
    board = guest((1, HOST0, 0xA), (2, HOST0, 0xB))
    assert [board.kernel.register(i, HOST0, HOST0, 0) for i in (1, 2)] == [-errno.EEXIST] * 2
    assert board.kernel.register(3, HOST0, HOST0_OTHER, 0) == 0
    assert board.kernel.state()["list"] == [[1, 2], [3]], "both functions have to be the same"
    board.kernel.fail_memory(POOL_ALLOCATOR, 1)
    assert board.kernel.register(4, HOST0, HOST0, 0) == -errno.ENOMEM
    assert board.kernel.register(4, HOST0, 0, 0) == -errno.EINVAL
    board.remove_all()
    board.check_end()


def test_the_bounds_of_the_list_answer_as_without_memory() -> None:
    board = IoasidBoard()
    spaces = [board.kernel.register(i + 1, i << 8 | 1, 1, 0) for i in range(IOASID_ALLOCATORS + 1)]
    assert spaces == [0] * IOASID_ALLOCATORS + [-errno.ENOMEM]
    board.remove_all()
    shared = [board.kernel.register(i + 1, HOST0, HOST0, 0) for i in range(IOASID_SHARERS + 1)]
    assert shared == [0] * IOASID_SHARERS + [-errno.ENOMEM]
    board.remove_all()
    board.check_end()


def test_unregistering_what_is_not_registered_changes_nothing() -> None:
    board = guest((1, HOST0, 0xA))
    board.kernel.alloc(SET, 1, 9, 0)
    board.kernel.unregister(2)
    state = board.kernel.state()
    assert (state["list"], state["outstanding"], state["unknown"]) == ([[1]], 1, 1)
    board.remove_all()
    board.check_end()


def test_both_ends_of_the_range_are_included() -> None:
    board = IoasidBoard()
    assert [board.kernel.alloc(SET, 8, 9, 0) for _ in range(3)] == [8, 9, INVALID_IOASID]
    assert board.kernel.alloc(SET, 0, 0, 0) == 0
    assert board.kernel.alloc(SET, 9, 8, 0) == INVALID_IOASID
    last = IOASID_IDS - 1
    ids = [board.kernel.alloc(SET, last, 0xFFFFFFFF, 0) for _ in range(2)]
    assert ids == [last, INVALID_IOASID]
    board.free_all()
    board.check_end()


def test_without_memory_there_is_no_id_and_nothing_is_kept() -> None:
    board = guest((1, HOST0, 0xA))
    board.kernel.fail_memory(POOL_IOASID, 1)
    assert board.kernel.alloc(SET, 1, 9, 0) == INVALID_IOASID
    assert board.host()["allocs"] == 0
    ids = [board.kernel.alloc(SET, 1, 4000, 0) for _ in range(IOASID_OBJECTS + 1)]
    assert ids == [*range(1, IOASID_OBJECTS + 1), INVALID_IOASID]
    board.remove_all()
    assert board.hosts_empty()
    board.check_end()


def test_a_getter_that_says_no_finds_nothing_and_no_error() -> None:
    board = IoasidBoard()
    board.kernel.alloc(SET, 5, 5, 0x66)
    assert board.kernel.find(SET, 5, FALSE) == (0, 0)
    assert board.kernel.find(SET, 5, NONE) == (0, 0x66)
    board.free_all()
    board.check_end()


def test_set_data_replaces_the_private_word() -> None:
    board = IoasidBoard()
    board.kernel.alloc(SET, 5, 5, 0)
    assert board.kernel.find(SET, 5, NONE) == (0, 0)
    assert board.kernel.set_data(5, 0x99) == 0
    assert board.kernel.find(SET, 5, NONE) == (0, 0x99)
    assert board.kernel.set_data(6, 1) == -errno.ENOENT
    board.free_all()
    board.check_end()


def test_get_and_put_count_the_holders() -> None:
    board = guest((1, HOST0, 0xA))
    board.kernel.alloc(SET, 5, 5, 0)
    board.kernel.get(5)
    assert [board.kernel.put(5), board.kernel.put(5), board.kernel.put(5)] == [False, True, False]
    assert board.kernel.state()["unknown"] == 1
    assert board.host()["frees"] == 1
    board.remove_all()
    board.check_end()


# Bugs of the review


def test_bug_1_the_next_allocator_is_the_first_entry_of_the_list() -> None:
    """list_entry() on the list head made the next active allocator out of what lies around it."""
    board = guest((1, HOST0, 0xA), (2, HOST1, 0xB))
    board.kernel.unregister(1)
    assert board.kernel.state()["active"] == 2
    assert board.kernel.alloc(SET, 3, 3, 0x5) == 3
    assert (board.host(0)["allocs"], board.host(1)["allocs"]) == (0, 1)
    assert board.host(1)["alloc_pdata"] == 0xB
    board.remove_all()
    board.check_end()


def test_bug_2_a_failed_record_gives_the_lock_back() -> None:
    """The error path of a custom allocation jumped past the unlock."""
    board = guest((1, HOST0, 0xA))
    board.kernel.fail_record(1)
    board.kernel.alloc(SET, 1, 9, 0)
    assert not board.kernel.state()["locked"]
    assert board.kernel.alloc(SET, 1, 9, 0) == 1
    board.remove_all()
    board.check_end()


@pytest.mark.parametrize("why", ["no memory", "number given twice"])
def test_bug_3_a_failed_record_returns_no_id(why: str) -> None:
    """The id was freed in the backend and returned all the same, and its data leaked."""
    board = guest((1, HOST0, 0xA))
    assert board.kernel.alloc(SET, 1, 9, 0x11) == 1
    if why == "no memory":
        board.kernel.fail_record(1)
    else:
        board.kernel.repeat_host(0, 1)
    assert board.kernel.alloc(SET, 1, 9, 0x22) == INVALID_IOASID
    assert board.ids() == {1: (SET, 0x11)}
    board.kernel.settle()
    assert board.snapshot.pools()["ioasid"]["live"] == 1
    assert board.host()["frees"] == 1
    assert board.host()["out"] == ({1} if why == "no memory" else set())
    board.remove_all()
    board.check_end()


def test_bug_4_backend_calls_carry_the_pdata_of_the_ops() -> None:
    """alloc got the caller's private data, free in the error path got NULL."""
    board = guest((1, HOST0, 0xA))
    number = board.kernel.alloc(SET, 1, 9, 0xDEAD)
    assert board.host()["alloc_pdata"] == 0xA
    board.kernel.fail_record(1)
    board.kernel.alloc(SET, 1, 9, 0xDEAD)
    assert (board.host()["frees"], board.host()["free_pdata"]) == (1, 0xA)
    board.kernel.free(number)
    assert (board.host()["frees"], board.host()["free_pdata"]) == (2, 0xA)
    assert board.host()["bad_frees"] == 0
    board.remove_all()
    board.check_end()


def test_bug_5_the_record_is_at_the_number_of_the_backend_and_nowhere_else() -> None:
    """The record was allowed at id + 1 as well: with id taken, later lookups by id missed it."""
    board = guest((1, HOST0, 0xA))
    assert board.kernel.alloc(SET, 4, 4, 0x11) == 4
    board.kernel.repeat_host(0, 1)
    assert board.kernel.alloc(SET, 4, 9, 0x22) == INVALID_IOASID
    assert board.kernel.find(0, 4, NONE) == (0, 0x11)
    assert board.kernel.find(0, 5, NONE) == (-errno.ENOENT, 0)
    board.remove_all()
    board.check_end()


def test_bug_6_an_allocator_is_not_looked_at_after_its_free() -> None:
    """The freed allocator was compared with the active one. Poison and generations would show the use, and the place is
    taken by another allocator at once: the new one must neither be mistaken for the old nor be active out of turn."""
    board = guest((1, HOST0, 0xA), (2, HOST1, 0xB))
    for _ in range(40):
        board.kernel.unregister(1)
        board.kernel.settle()
        assert board.kernel.register(1, HOST0, HOST0, 0xA) == 0
        assert board.kernel.state()["active"] == 2
        board.kernel.unregister(2)
        assert board.kernel.state()["active"] == 1
        assert board.kernel.register(2, HOST1, HOST1, 0xB) == 0
    assert board.snapshot.verdicts() == []
    board.remove_all()
    board.check_end()


def test_bug_7_no_custom_allocator_while_ids_of_the_default_are_out() -> None:
    """A space with two owners: the default's id would be freed in the custom backend, or given out twice."""
    board = IoasidBoard()
    number = board.kernel.alloc(SET, 1, 9, 0x11)
    for ident in (1, 2):
        assert board.kernel.register(ident, HOST0, HOST0, 0) == -errno.EAGAIN
    assert board.kernel.alloc(SET, number, number, 0) == INVALID_IOASID
    board.kernel.free(number)
    assert board.host()["frees"] == 0
    board.check_end()


def test_bug_8_another_set_and_an_unknown_id_are_different_answers() -> None:
    board = IoasidBoard()
    board.kernel.alloc(SET, 5, 5, 0x11)
    board.kernel.alloc(0, 6, 6, 0x22)
    assert board.kernel.find(OTHER_SET, 5, NONE) == (-errno.EACCES, 0)
    assert board.kernel.find(SET, 6, NONE) == (-errno.EACCES, 0), (
        "a set is asked for, none is there"
    )
    assert board.kernel.find(OTHER_SET, 7, NONE) == (-errno.ENOENT, 0)
    assert board.kernel.find(0, 5, NONE) == (0, 0x11)
    assert board.kernel.find(0, IOASID_IDS, NONE) == (-errno.ENOENT, 0)
    board.free_all()
    board.check_end()
