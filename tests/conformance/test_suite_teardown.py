# SPDX-License-Identifier: MIT
"""The conformance suite, teardown by unbind: C11 to C13 and C15.

Ends of bindings while requests are under way: each request is answered once, by pages of its own address space only, and the call
returns when none is left.
"""

from __future__ import annotations

import pytest

from tests.support.machine import ALL, MERGED_USER, OLD, USER, Machine, fate

_SLOW = {"minor_ns": 3_000_000}  # a page takes so long that others come in between
_QUEUED = (
    "wait-bound d0 t0",
    "hold workers",
    "send d0 t0 pages=4 group=a",
    "settle",
    "k0: barrier queued",
)
_STOPS = pytest.mark.parametrize("stop", ["wait", "marker"])


@_STOPS
@pytest.mark.parametrize("generation", ALL)
def test_c11_unbind_waits_for_the_worker(generation: str, stop: str, machine: Machine) -> None:
    """An unbind returns after the groups of its PASID are answered, by their worker (I15, I21)."""
    seen = machine(
        generation,
        [*_QUEUED, "let-go workers"],
        ["map t0 8", "bind d0 t0", "t0: barrier queued", "unbind d0 t0", "unmap t0 8"],
        device={"stop": stop},
        kernel={"handlers": 1},
        faults=_SLOW,
    )
    assert seen.codes("a") == fate("last", generation)
    assert (seen.kernel("answered_ok"), seen.kernel("unbinds")) == (4, 1)
    assert seen.kernel("markers") == (1 if stop == "marker" else 0)


@_STOPS
@pytest.mark.parametrize("generation", ALL)
def test_c12_after_a_drain_a_pasid_can_be_used_again(
    generation: str, stop: str, machine: Machine
) -> None:
    """The next process gets the number at once, and no request of the last one meets it (I14, 4.27)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "send d0 pasid=1 pages=4 group=a",
            "unbind d0 t0",
            "spawn t0",
            "bind d0 t0",
            "send d0 pasid=1 pages=1 group=b",
            "await d0",
        ],
        device={"stop": stop},
    )
    # The second process has mapped nothing: it must not find the first one's pages either.
    assert seen.codes("b") == [1]
    # After a marker no process waits for requests on the link: they may find the PASID's entry cleared,
    # and gunthorpe answers what has come of a group, and once more when its last one comes: the hardware's
    # Invalid for the last may be the first of the two.
    late = [[0], [1], [0, 0], [0, 1], [1, 0]][: 5 if generation == "gunthorpe" else 2]
    assert seen.codes("a") in ([[0]] if stop == "wait" else late)
    assert seen.kernel("binds") == 2
    # Nothing drains the link there, so a late request may also meet the next owner.
    late_owner = generation == "gunthorpe" and stop == "marker"
    assert seen.kernel("stale_pasid") in ((0, 1) if late_owner else (0,))


@pytest.mark.parametrize(
    ("generation", "finding"),
    [
        ("v5.13", "stale PASID"),
        ("v6.2", "stale PASID"),
        ("v6.9", "use after free: domain 0, used by handler-"),
        ("v6.11", "use after free: attach_handle 0, used by handler-"),
        ("v6.14", "use after free: group 0, used by handler-"),
        ("v7.2", "use after free: group 0, used by handler-"),
    ],
)
def test_c12_without_a_drain_old_requests_meet_the_next_process(
    generation: str, finding: str, machine: Machine
) -> None:
    """A device off its queue is not flushed, so a PASID is reused under a waiting group (4.27, 4.22).

    Until v6.8 the worker looks the PASID up and works on the next process; later kernels have kept
    a pointer to what is gone by then.
    """
    seen = machine(
        generation,
        [
            "map t0 8",
            "bind d0 t0",
            "hold workers",
            "send d0 pasid=1 pages=4 group=a",
            "settle",
            "queue-remove d0",
            "unbind d0 t0",
            "spawn t0",
            "bind d0 t0",
            "let-go workers",
            "settle",
        ],
        device={"stop": "marker"},
        finds=finding,
    )
    assert seen.kernel("stale_pasid") == (1 if generation in OLD else 0)


def test_c12_gunthorpe_waits_for_the_domain_instead(machine: Machine) -> None:
    """A domain is freed after its last group, on a queue or not (fates: flush; 1.10)."""
    seen = machine(
        "gunthorpe",
        [
            "wait-bound d0 t0",
            "hold workers",
            "send d0 t0 pages=4 group=a",
            "settle",
            "queue-remove d0",
            "k0: barrier queued",
            "let-go workers",
        ],
        ["map t0 8", "bind d0 t0", "t0: barrier queued", "unbind d0 t0", "spawn t0", "bind d0 t0"],
        device={"stop": "marker"},
    )
    assert (seen.kernel("stale_pasid"), seen.kernel("binds")) == (0, 2)
    assert seen.codes("a") == fate("remove-pending", "gunthorpe")


@pytest.mark.parametrize("generation", USER)
def test_c13_replace_under_fire_answers_every_group_once(generation: str, machine: Machine) -> None:
    """Each replace answers what the old object holds; the others go to the new one (I4, I36, 4.65)."""
    rounds = [
        "replace d0 t0 pasid=5 domain=fault fault=f1",
        "read f0 t0 bytes=4000",
        "read f1 t0 bytes=80",
        "write f1 t0 code=success try",
        "replace d0 t0 pasid=5 domain=fault fault=f0",
        "read f1 t0 bytes=4000",
        "read f0 t0 bytes=160",
        "write f0 t0 code=invalid try",
    ]
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "fault-alloc t0 f1",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            "t0: barrier go",
            "repeat 12",
            *rounds,
            "end",
            "t0: barrier fired",
            "detach d0 t0 pasid=5",
        ],
        [
            "d0: barrier go",
            "repeat 80",
            "send d0 pasid=5 pages=2",
            "end",
            "settle",
            "d0: barrier fired",
        ],
        iommu={"prq_records": 256},
    )
    assert (seen.kernel("groups"), seen.kernel("pending"), seen.lost) == (80, 0, {})
    # gunthorpe answers what has come of a group, and once more when its last one comes.
    again = seen.devices("unexpected")
    assert again == 0 or generation == "gunthorpe"
    assert (seen.hardware("responses"), seen.devices("groups_done")) == (80 + again, 80)
    replaced = [seen.returned(rounds[n]) for n in (0, 4)]
    assert replaced == [[0], [0]]


@pytest.mark.parametrize("generation", MERGED_USER)
def test_c13_replace_answers_what_user_space_has_read(generation: str, machine: Machine) -> None:
    """A group that was read through the old domain is answered INVALID, its cookie is void (I34, I36)."""
    seen = machine(
        generation,
        [
            "map t0 8",
            "fault-alloc t0 f0",
            "fault-alloc t0 f1",
            "attach d0 t0 pasid=5 domain=fault fault=f0",
            "send d0 pasid=5 pages=2 group=a",
            "settle",
            "read f0 t0 bytes=80",
            "send d0 pasid=5 pages=1 group=b",
            "settle",
            "replace d0 t0 pasid=5 domain=fault fault=f1",
            "write f0 t0 code=success try",
            "read f0 t0 bytes=400",
            "send d0 pasid=5 pages=1 group=c",
            "settle",
            "read f1 t0 bytes=400",
            "write f1 t0 code=success",
            "await d0",
        ],
    )
    assert [seen.codes(label) for label in "abc"] == [[1], [1], [0]]
    assert seen.returned("write f0 t0 code=success") == [-22]
    assert (seen.returned("read f0 t0 bytes=400"), seen.returned("read f1 t0 bytes=400")) == (
        [0],
        [40],
    )


@pytest.mark.timing
@pytest.mark.parametrize("generation", ALL)
def test_c15_the_mm_dies_while_a_group_is_queued(generation: str, machine: Machine) -> None:
    """A worker that gets no user of the mm answers INVALID (I17)."""
    seen = machine(
        generation,
        [
            *_QUEUED,
            # No handshake reports that the exit waits for the worker.
            "k0: pause 200ms",
            "let-go workers",
            "await d0 group=a",
        ],
        ["map t0 8", "bind d0 t0", "t0: barrier queued", "exit t0"],
    )
    assert seen.codes("a") == fate("mm-dead", generation)
    assert (seen.result["fates"]["mm-dead"], seen.kernel("answered_invalid")) == (1, 4)


@pytest.mark.parametrize("generation", ALL)
def test_c15_the_mm_dies_in_the_hands_of_its_worker(generation: str, machine: Machine) -> None:
    """The release of an mm waits for no worker, whichever process drops the last user (I27, 4.4)."""
    seen = machine(
        generation,
        [*_QUEUED, "let-go workers", "await d0"],
        ["map t0 8", "bind d0 t0", "t0: barrier queued", "touch t0 1 at=7", "exit t0"],
        kernel={"handlers": 1},
        faults=_SLOW,
    )
    # The worker has its user of the mm before the exit, or comes too late.
    assert seen.codes("a") in ([0], [1])
    assert (seen.kernel("groups"), seen.pool("mm", "frees")) == (1, 1)
