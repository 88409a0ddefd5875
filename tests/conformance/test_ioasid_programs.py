# SPDX-License-Identifier: MIT
"""The use cases of the IOASID review (v4, June 2019) as programs: the framework in a run, and what the model says of it."""

from __future__ import annotations

import pytest
from iopf.emulator.check.model import run_programs
from iopf.emulator.spec.kernels import GENERATIONS

from tests.support.machine import Machine

USE_CASES: dict[str, list[tuple[str, int]]] = {
    "native, without a custom allocator": [
        ("ioasid-alloc set=7 max=2 private=100", 1),
        ("ioasid-alloc set=7 max=2 private=101", 2),
        ("ioasid-alloc set=7 max=2", -12),
        ("ioasid-find set=7 id=2", 101),
        ("ioasid-find set=8 id=2", -13),
        ("ioasid-set id=2 private=9", 0),
        ("ioasid-find set=7 id=2", 9),
        ("ioasid-register 1", -11),
        ("ioasid-free id=1", 0),
        ("ioasid-free id=2", 0),
        ("ioasid-find set=7 id=2", -2),
    ],
    "a guest gets the numbers of its host": [
        ("ioasid-register 1 host=0 pdata=10", 0),
        ("ioasid-register 1 host=0", -17),
        ("ioasid-alloc set=7 min=5 max=9", 5),
        ("ioasid-free id=5", 0),
        ("ioasid-unregister 1", 0),
    ],
    "two vIOMMUs behind one host share a space": [
        ("ioasid-register 1 host=0", 0),
        ("ioasid-register 2 host=0", 0),
        ("ioasid-alloc set=7 private=85", 1),
        ("viommu-unplug 2", 0),
        ("ioasid-find set=7 id=1", 85),
        ("ioasid-free id=1", 0),
        ("ioasid-unregister 1", 0),
    ],
    "two vIOMMUs with numbers of their own": [
        ("ioasid-register 1 host=0", 0),
        ("ioasid-register 2 host=1", 0),
        ("ioasid-alloc set=7 private=1", 1),
        ("ioasid-free id=1", 0),
        ("viommu-unplug 1", 0),
        ("ioasid-alloc set=7 private=2", 1),
        ("ioasid-find set=7 id=1", 2),
        ("ioasid-free id=1", 0),
        ("ioasid-unregister 2", 0),
    ],
    "hot unplug with ids outstanding loses them": [
        ("ioasid-register 1 host=0", 0),
        ("ioasid-register 2 host=0 variant=1", 0),
        ("ioasid-alloc set=7", 1),
        ("viommu-unplug 1", 0),
        ("ioasid-find set=7 id=1", -2),
        ("ioasid-alloc set=7", 2),
        ("ioasid-free id=2", 0),
        ("ioasid-unregister 2", 0),
        ("ioasid-alloc set=7", 1),
        ("ioasid-free id=1", 0),
    ],
}

# A tenant without a program binds its devices, and a binding takes an id of the same framework.
NO_BINDING = ["map t0 1", "d0: pause 1us"]


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("case", list(USE_CASES))
def test_a_use_case_as_a_program(case: str, generation: str, machine: Machine) -> None:
    lines = USE_CASES[case]
    program = [f"{text} try" for text, _ in lines]
    seen = machine(generation, program, NO_BINDING)
    results = [line["result"] for line in seen.result["programs"]]
    assert results[: len(lines)] == [returned for _, returned in lines]
    modelled = run_programs([program], generation).results
    assert modelled[: len(lines)] == [min(returned, 0) for _, returned in lines]


def test_two_drivers_share_the_framework(machine: Machine) -> None:
    """Registration against allocation: each id that a driver gets is its own."""
    program = [
        "repeat 50",
        "ioasid-alloc set=7 min={n} max={n} private={n}",
        "ioasid-find set=7 id={n}",
        "ioasid-free id={n}",
        "end",
    ]
    for_driver = [
        [f"k{k}: {line}" if line.startswith("ioasid") else line for line in program] for k in (0, 1)
    ]
    texts = [[line.format(n=100 + k) for line in lines] for k, lines in enumerate(for_driver)]
    seen = machine("v6.2", *texts, NO_BINDING)
    assert seen.returned("k1: ioasid-find set=7 id=101") == [101]
