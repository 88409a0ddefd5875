# SPDX-License-Identifier: MIT
"""What a function may translate: its bindings, attached domains, and the domain that a release leaves it with."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.spec.kernels import since
from iopf.tools.supervisor.run import run_document

from tests.support.machine import ALL, USER, Machine
from tests.support.trace_text import call, fault, mmap

RELEASING = since("v6.9", proposed=False)


@pytest.mark.parametrize("generation", ALL)
def test_a_binding_grants_what_is_present(generation: str, machine: Machine) -> None:
    seen = machine(
        generation,
        [
            "map t0 16",
            "bind d0 t0",
            "touch t0 4",
            "protect t0 2 prot=r",
            "translate d0 t0 pages=4",
            "translate d0 t0 pages=5 try",
            "translate d0 t0 pages=1 rw=w try",
            "translate d0 t0 pages=2 at=2 rw=w try",
            "translate d0 rid pages=1 try",
            "translate d0 pasid=9 pages=1 try",
            "unbind d0 t0",
            "translate d0 pasid=1 pages=1 try",
        ],
    )
    assert seen.returned("translate d0 t0 pages=4") == [0]
    for refused in (
        "translate d0 t0 pages=5",
        "translate d0 t0 pages=1 rw=w",
        "translate d0 rid pages=1",
        "translate d0 pasid=9 pages=1",
        "translate d0 pasid=1 pages=1",
    ):
        assert seen.returned(refused) == [-14], refused
    assert seen.kernel("popped") == 0


@pytest.mark.parametrize("domain", ["blocking", "identity"])
@pytest.mark.parametrize("generation", RELEASING)
def test_a_release_leaves_the_rid_with_its_domain(
    generation: str, domain: str, machine: Machine
) -> None:
    line = "translate d0 rid pages=2 at=77 try"
    seen = machine(
        generation,
        [line, "remove d0", line, "plug d0", line],
        device=[{"release_domain": domain}],
    )
    between = 0 if domain == "identity" else -14
    assert seen.returned("translate d0 rid pages=2 at=77") == [-14, between, -14]


@pytest.mark.parametrize("generation", ["v5.13", "v6.2", "gunthorpe"])
def test_older_kernels_have_no_release_domain(generation: str, machine: Machine) -> None:
    with pytest.raises(ScenarioError, match="has no static release domain"):
        machine(generation, ["remove d0"], device=[{"release_domain": "identity"}])


@pytest.mark.parametrize("generation", USER)
def test_an_identity_domain_passes_every_address(generation: str, machine: Machine) -> None:
    """Its requests reach the kernel, which has no handler for them (2.5); under a blocking domain the hardware refuses them."""
    seen = machine(
        generation,
        [
            "attach d0 t0 pasid=3 domain=identity",
            "translate d0 pasid=3 pages=8 at=1000 rw=rw",
            "send d0 pasid=3 pages=1 group=identity",
            "await d0",
            "replace d0 t0 pasid=3 domain=blocking",
            "translate d0 pasid=3 pages=8 at=1000 rw=rw try",
            "send d0 pasid=3 pages=1 group=blocking",
            "await d0",
            "detach d0 t0 pasid=3",
        ],
    )
    assert seen.returned("translate d0 pasid=3 pages=8 at=1000 rw=rw") == [0, -14]
    restart = 0 if generation == "gunthorpe" else 1
    assert (seen.codes("identity"), seen.codes("blocking")) == ([restart], [1])
    assert seen.kernel("popped") == 1


TAKEN = {
    "unmap": ["unmap t0 4"],
    "protect": ["protect t0 4 prot=r"],
    "zap": ["zap t0 4"],
    "map": ["map t0 4"],
    "exec": ["exec t0", "map t0 4", "bind d0 t0"],
    "reuse": ["spawn t0", "map t0 4", "bind d0 t0"],
    "rebind": ["zap t0 4", "rebind d0 t0"],
}


@pytest.mark.parametrize("change", TAKEN)
@pytest.mark.parametrize("generation", ALL)
def test_a_cached_translation_goes_with_what_granted_it(
    generation: str, change: str, machine: Machine
) -> None:
    """The second access is served by the cache; the one behind the change would be, if its invalidation was missing."""
    line = "translate d0 t0 pages=4 rw=w try"
    seen = machine(
        generation,
        ["map t0 4", "bind d0 t0", "touch t0 4 prot=w", line, line, *TAKEN[change], line],
    )
    assert seen.returned("translate d0 t0 pages=4 rw=w") == [0, 0, -14]
    assert seen.devices("invalidations") >= 1


@pytest.mark.parametrize("generation", ["v5.18", "v6.2"])
def test_a_second_invalidation_comes_with_v6_2(generation: str, machine: Machine) -> None:
    """For functions that complete one before their posted writes (e65a6897be5e)."""
    seen = machine(
        generation,
        ["map t0 4", "bind d0 t0", "touch t0 4 prot=w", "unmap t0 4"],
        device={"dtlb_extra_inval": True},
    )
    once = machine(generation, ["map t0 4", "bind d0 t0", "touch t0 4 prot=w", "unmap t0 4"])
    more = seen.devices("invalidations") - once.devices("invalidations")
    assert more == (2 if generation == "v6.2" else 0)


@pytest.mark.parametrize("generation", ["v6.2", "v7.2"])
def test_a_large_range_is_invalidated_as_a_whole(generation: str, machine: Machine) -> None:
    """More pages than a range of the command can name: everything of the PASID goes."""
    line = "translate d0 t0 pages=1 at=5000 rw=w try"
    seen = machine(
        generation,
        ["map t0 8192", "bind d0 t0", "touch t0 1 at=5000 prot=w", line, "unmap t0 8192", line],
    )
    assert seen.returned(line.removesuffix(" try")) == [0, -14]


@pytest.mark.parametrize("generation", ["v6.2", "v7.2"])
def test_what_mremap_replaces_is_invalidated(generation: str, tmp_path: Path) -> None:
    """Its page is cached, and the mapping that moves there has none. The device looks at its cache at the end."""
    old, new, page = 0x100000, 0x200000, 0x1000
    trace = tmp_path / "trace"
    trace.write_text(
        mmap(1, 0, old, 4 * page)
        + mmap(1, 2, new, 4 * page)
        + fault(1, 4, new)
        + call(
            1, 6, "mremap", new, addr=old, old_len=4 * page, new_len=4 * page, flags=3, new_addr=new
        )
        + fault(1, 8, new + page)
    )
    result = run_document(
        {
            "kernel": {"generation": generation},
            "trace": {"files": [str(trace)]},
            "device": [{"workload": {"pattern": "replay"}}],
        }
    )
    assert (result["status"], result["problems"]) == (0, [])
    assert result["sides"]["device"]["invalidations"] >= 2


@pytest.mark.parametrize("generation", USER)
def test_an_unmap_reaches_the_pasids_that_user_space_has_attached(
    generation: str, machine: Machine
) -> None:
    line = "translate d0 pasid=5 pages=2 rw=w try"
    seen = machine(
        generation,
        [
            "map t0 4",
            "attach d0 t0 pasid=5 domain=paging",
            "touch t0 2 prot=w",
            line,
            line,
            "unmap t0 4",
            line,
            "detach d0 t0 pasid=5",
        ],
    )
    assert seen.returned(line.removesuffix(" try")) == [0, 0, -14]
