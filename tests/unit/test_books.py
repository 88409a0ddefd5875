# SPDX-License-Identifier: MIT
"""The device's comparison of the two ledgers: pairs of fates that can both be true, by cause of the answer."""

from __future__ import annotations

from itertools import product

import pytest
from iopf.device_procs.responses import books_agree

NONE, ENQUEUED, AUTO_SUCCESS, AUTO_INVALID, DROP_OVERFLOW, DROP_REFUSED, LINK_DOWN = range(7)
ANSWERED, DISCARDED, FREED, REJECTED, NOMEM, UNANSWERED, ACKNOWLEDGED = range(8, 15)
HW = range(7)
KERNEL = (NONE, *range(8, 15))
PLAIN, REFUSED, ANSWER = range(3)
DROPPED = {(hw, kernel) for hw in (DROP_OVERFLOW, DROP_REFUSED) for kernel in KERNEL}


def agreeing(last: bool, by_hardware: bool, early: int) -> set[tuple[int, int]]:
    pairs = product(HW, KERNEL)
    return {(h, k) for h, k in pairs if books_agree(h, k, last, by_hardware, early)}


def enqueued(*kernel: int) -> set[tuple[int, int]]:
    return {(ENQUEUED, k) for k in kernel}


NONLAST = (ANSWERED, REJECTED, DISCARDED, FREED, NOMEM, UNANSWERED)
ANYWHERE = {(hw, NONE) for hw in HW}


@pytest.mark.parametrize(
    ("early", "more"),
    [
        (PLAIN, set()),
        (REFUSED, enqueued(NONE)),
        (ANSWER, enqueued(ACKNOWLEDGED) | ANYWHERE),
    ],
)
def test_a_partial_of_a_group_that_the_kernel_answered(
    early: int, more: set[tuple[int, int]]
) -> None:
    assert agreeing(False, False, early) == enqueued(*NONLAST) | DROPPED | more


@pytest.mark.parametrize(("early", "more"), [(PLAIN, set()), (REFUSED, set()), (ANSWER, ANYWHERE)])
def test_a_last_that_the_kernel_answered(early: int, more: set[tuple[int, int]]) -> None:
    """Also when it was refused: nothing explains an answer to a last request that the kernel records as discarded, freed or never seen."""
    assert agreeing(True, False, early) == enqueued(ANSWERED, REJECTED) | more


@pytest.mark.parametrize("early", [PLAIN, REFUSED, ANSWER])
def test_a_group_that_the_hardware_answered(early: int) -> None:
    automatic = {(hw, kernel) for hw in (AUTO_SUCCESS, AUTO_INVALID) for kernel in KERNEL}
    assert agreeing(True, True, early) == automatic
    more = ANYWHERE if early == ANSWER else set()
    assert agreeing(False, True, early) == enqueued(*KERNEL) | DROPPED | more
