# SPDX-License-Identifier: MIT
"""The conformance suite, answers: C1 to C7, C10 and C20.

What is answered, once and with which code. Pages of one group that lie in leaf tables of their own
(every 512th page) show how far a worker came: each handled page has made its table.
"""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, BEFORE_USER, OLD, USER, Machine, fate

_UPPER_TABLES = 3
_FAULT_OBJECT = (
    "map t0 8",
    "fault-alloc t0 f0",
    "attach d0 t0 pasid=5 domain=fault fault=f0",
)


def _scattered(label: str, pages: int, rw: str = "r") -> list[str]:
    """One group whose requests are 512 pages apart."""
    sends = [
        f"send d0 t0 pages=1 at={512 * n} rw={rw} group={label} open" for n in range(pages - 1)
    ]
    return [*sends, f"send d0 t0 pages=1 at={512 * (pages - 1)} rw={rw} group={label}"]


@pytest.mark.parametrize("generation", ALL)
def test_c01_a_single_last_request_is_answered_success(generation: str, machine: Machine) -> None:
    """A last request alone is a group, which its worker answers SUCCESS (1.0, last accepted)."""
    seen = machine(
        generation, ["map t0 1", "bind d0 t0", "send d0 t0 pages=1 group=a", "await d0 group=a"]
    )
    assert seen.codes("a") == fate("last", generation)
    assert (seen.kernel("groups"), seen.kernel("answered_ok"), seen.lost) == (1, 1, {})
    # Until v6.8 a copy of the last request waits for its response.
    assert seen.pool("fault") == (1 if generation in OLD else 0)
    assert seen.hardware("responses") == 1


@pytest.mark.parametrize("generation", ALL)
def test_c02_requests_before_the_last_are_answered_with_it_once(
    generation: str, machine: Machine
) -> None:
    """Non-last requests are kept without an answer until their last one comes (I2, I8)."""
    seen = machine(
        generation,
        [
            *[f"map t0 1 at={512 * n}" for n in range(6)],
            "bind d0 t0",
            *_scattered("a", 6),
            "await d0 group=a",
        ],
    )
    assert seen.codes("a") == fate("last", generation)
    assert (seen.kernel("partial_added"), seen.kernel("partial_moved")) == (5, 5)
    assert (seen.kernel("groups"), seen.kernel("answered_ok")) == (1, 6)
    assert seen.pool("page table") == _UPPER_TABLES + 6
    assert seen.hardware("responses") == 1


@pytest.mark.parametrize("generation", USER)
def test_c03_a_buffer_smaller_than_the_group_reads_nothing(
    generation: str, machine: Machine
) -> None:
    """read() delivers whole groups in order, and -ESPIPE for a size that is no multiple (I34, I35)."""
    seen = machine(
        generation,
        [
            *_FAULT_OBJECT,
            "send d0 pasid=5 pages=3 group=a",
            "send d0 pasid=5 pages=2 group=b",
            "settle",
            "read f0 t0 bytes=0",
            "read f0 t0 bytes=80",
            "read f0 t0 bytes=119 try",
            "read f0 t0 bytes=160",
            "write f0 t0 code=success",
            "read f0 t0 bytes=40",
            "read f0 t0 bytes=120",
            "write f0 t0 nth=1 code=invalid",
            "await d0",
        ],
    )
    read = [seen.returned(f"read f0 t0 bytes={n}") for n in (0, 80, 119, 160, 40, 120)]
    assert read == [[0], [0], [-29], [120], [0], [80]]
    assert (seen.codes("a"), seen.codes("b")) == ([0], [1])


@pytest.mark.parametrize("generation", BEFORE_USER)
def test_c03_before_v6_11_there_is_no_fault_object(generation: str, machine: Machine) -> None:
    """Delivery to user space came with v6.11: nothing can be opened or attached (1.0, last row)."""
    seen = machine(generation, [f"{line} try" for line in _FAULT_OBJECT])
    assert [seen.returned(line) for line in _FAULT_OBJECT] == [[0], [-95], [-95]]
    assert seen.pool("fault object") == 0


@pytest.mark.parametrize("generation", ALL)
def test_c04_no_mapping_or_no_permission_is_answered_invalid(
    generation: str, machine: Machine
) -> None:
    """A page that is not mapped, or not for this access, is answered INVALID (1.0, page error)."""
    seen = machine(
        generation,
        [
            "map t0 1 at=1 prot=r",
            "map t0 1 at=4",
            "bind d0 t0",
            "send d0 t0 pages=1 group=hole",
            "send d0 t0 pages=1 at=1 rw=w group=write",
            "send d0 t0 pages=1 at=1 rw=rw group=both",
            "send d0 t0 pages=2 at=4 group=end",
            "send d0 t0 pages=1 at=1 rw=r group=read",
            "await d0",
            "protect t0 1 at=1 prot=rw",
            "send d0 t0 pages=1 at=1 rw=rw group=later",
            "await d0",
        ],
    )
    wrong = [seen.codes(label) for label in ("hole", "write", "both", "end")]
    assert wrong == [fate("page-error", generation)] * 4
    assert (seen.codes("read"), seen.codes("later")) == ([0], [0])
    assert seen.result["fates"]["page-error"] == 4


@pytest.mark.parametrize("hole", [0, 3])
@pytest.mark.parametrize("generation", ALL)
def test_c05_after_an_error_nothing_of_the_group_is_handled(
    generation: str, hole: int, machine: Machine
) -> None:
    """The first page without mapping ends the handling of its group, in order of arrival (I6, I8)."""
    seen = machine(
        generation,
        [
            *[f"map t0 1 at={512 * n}" for n in range(6) if n != hole],
            "bind d0 t0",
            *_scattered("a", 6),
            "await d0 group=a",
        ],
    )
    assert seen.codes("a") == fate("page-error", generation)
    handled = _UPPER_TABLES + hole if hole else 1
    assert seen.pool("page table") == handled
    assert seen.kernel("answered_invalid") == 6


@pytest.mark.parametrize("generation", ALL)
def test_c06_a_refused_group_is_a_failure(generation: str, machine: Machine) -> None:
    """A handler that refuses gives FAILURE since v6.9; the function switches its PRI off."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "refuse 1",
            "send d0 t0 pages=3 group=a",
            "await d0",
            "recover d0",
            "bind d0 t0",
            "send d0 t0 pages=1 group=b",
            "await d0",
        ],
    )
    # Until v6.8 a handler gives a code and cannot refuse.
    assert seen.codes("a") == ([0] if generation in OLD else fate("refused", generation))
    assert seen.codes("b") == [0]
    assert seen.kernel("answered_failure") == (0 if generation in OLD else 3)
    assert (seen.pool("group"), seen.kernel("unbinds")) == (2, 1 if generation in OLD else 2)


@pytest.mark.parametrize("generation", ALL)
def test_c07_a_report_of_a_device_that_is_on_no_queue(generation: str, machine: Machine) -> None:
    """Without a parameter object the driver answers, or the core, or neither."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "queue-remove d0",
            "send d0 t0 pages=1 group=a",
            "settle",
            "reset d0",
            "queue-add d0 try",
            "send d0 t0 pages=1 group=b",
            "await d0 group=b",
        ],
    )
    assert seen.codes("a") == fate("no-param", generation)
    assert seen.lost == ({"never answered": 1} if generation == "v6.9" else {})
    # The first fault of gunthorpe has made the object, so there is nothing left to add.
    assert seen.returned("queue-add d0") == [-16 if generation == "gunthorpe" else 0]
    assert seen.codes("b") == fate("last", generation)


@pytest.mark.parametrize("generation", ALL)
def test_c10_a_stop_marker_is_dropped(generation: str, machine: Machine) -> None:
    """The driver drops a stop marker before the core sees it; groups go on around it (4.39)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "send d0 t0 pages=2 group=a open",
            "marker d0 t0",
            "settle",
            "send d0 t0 pages=1 at=2 group=a",
            "await d0",
        ],
    )
    assert seen.codes("a") == fate("last", generation)
    assert (seen.kernel("markers"), seen.kernel("popped")) == (1, 4)
    assert (seen.kernel("groups"), seen.kernel("answered_ok")) == (1, 3)
    assert seen.result["known"]["stop-marker-blindness"] == 1
    assert seen.hardware("responses") == 1


@pytest.mark.parametrize("options", [[], ["group-lists"]], ids=["one-list", "group-lists"])
@pytest.mark.parametrize("generation", ALL)
def test_c20_a_group_index_shared_by_two_pasids_mixes(
    generation: str, options: list[str], machine: Machine
) -> None:
    """Partials are gathered by group index alone, so one PASID's page spoils another's group (4.8)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "map t1 1 at=4",
            "bind d0 t0",
            "bind d0 t1",
            "send d0 t0 pages=1 group=a prgi=7 open",
            "send d0 t1 pages=1 at=4 group=b prgi=7",
            "await d0 group=b",
            "send d0 t0 pages=1 at=1 group=a",
            "await d0 group=a",
        ],
        tenants=2,
        kernel={"options": options},
    )
    # t1 has its own page, but not the one that t0 asked for.
    assert (seen.codes("b"), seen.codes("a")) == ([1], [0])
    assert (seen.kernel("partial_moved"), seen.kernel("answered_invalid")) == (1, 2)
