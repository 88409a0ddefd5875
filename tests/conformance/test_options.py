# SPDX-License-Identifier: MIT
"""What the options of reviewers change, and that nothing else changes: every run ends with its books in order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from iopf.emulator.scenario.resolution import resolve
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.emulator.spec.roles import Role
from iopf.shm.objects import ArenaError
from iopf.tools.supervisor.run import measure, run_programs

from tests.support.running import ENDLESS, Running

GROUPS = 300
LOAD = (
    "device.count=4",
    f"device.workload.groups={GROUPS}",
    "device.workload.requests=always",
    "system.seed=1",
)


def run(*sets: str, options: str = "") -> dict[str, Any]:
    listed = f'kernel.options=["{options}"]' if options else "kernel.options=[]"
    result = measure(resolve(None, [*LOAD, *sets, listed], {}, environ={}))
    assert result["problems"] == []
    assert result["status"] == 0
    assert result["account"]["answered"] == result["account"]["sent"]
    return result


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("option", ["sync", "eager", "group-lists"])
def test_an_option_answers_everything_in_every_generation(generation: str, option: str) -> None:
    result = run(f"kernel.generation={generation}", options=option)
    assert result["account"]["answered_ok"] == 4 * GROUPS * 4


def test_sync_handles_in_the_interrupt_thread() -> None:
    """No schedule between the interrupt thread and the handler; the pool has nothing to do."""
    handled = {}
    for option in ("", "sync"):
        stages = run(options=option)["stages"]
        handled[option] = stages["mm fault"]["count"]
        assert (stages["work queue"]["count"] == 0) == (option == "sync")
    assert handled[""] == handled["sync"]


@pytest.mark.parametrize("option", ["", "eager"])
def test_eager_faults_pages_in_before_the_group_is_complete(option: str) -> None:
    """The last request never comes, so no worker ever sees the group; page tables for its pages tell who has asked."""
    ops = ["map t0 16", "bind d0 t0", "send d0 t0 pages=4 group=a open", "settle"]
    result = run_programs(ops, kernel={"options": [option] if option else []})
    assert result["problems"] == []
    faulted = result["pools"]["page table"]["allocs"] > 1
    assert faulted == bool(option)


@pytest.mark.parametrize("open_at_once", [2, 32, 511])
@pytest.mark.parametrize("option", ["", "group-lists"])
def test_groups_sent_in_turn_wait_together(open_at_once: int, option: str) -> None:
    """As many groups are open at once as the load says: the last ones come after the first of all."""
    sets = (
        "device.count=1",
        "device.credits=2048",
        "device.groups_in_flight=512",
        "iommu.prq_records=4096",
        f"device.workload.interleave={open_at_once}",
        "device.workload.groups=2000",
    )
    result = run(*sets, options=option)
    assert result["sides"]["device"]["groups_done"] == 2000
    assert result["sides"]["kernel"]["partial_added"] == 3 * 2000


@pytest.mark.parametrize("generation", GENERATIONS)
def test_private_data_is_answered_early_only_when_asked_for(generation: str) -> None:
    """A request with private data that is not the last of its group has its own answer (4.38)."""
    private = ("device.workload.private_ratio=1", f"kernel.generation={generation}")
    assert run(*private)["sides"]["device"]["early"] == 0
    early = run(*private, options="early-private")["sides"]["device"]
    assert early["early"] == 3 * 4 * GROUPS
    assert early["unexpected"] == 0


@pytest.mark.parametrize("option", ["", "early-private"])
def test_an_early_answer_returns_the_credit(option: str) -> None:
    """Four credits, and a group of four that no worker has taken: three more requests fit only after three early answers."""
    ops = [
        "map t0 16",
        "bind d0 t0",
        "hold workers",
        "send d0 t0 pages=4 group=a",
        "settle",
        "send d0 t0 pages=3 group=b try",
        "let-go workers",
        "await d0",
    ]
    device = {"credits": 4, "workload": {"private_ratio": 1.0}}
    kernel = {"options": [option] if option else []}
    result = run_programs(ops, device=[device], kernel=kernel)
    assert result["problems"] == []
    assert (result["programs"][5]["result"] == 0) == bool(option)
    assert result["sides"]["device"]["early"] == (5 if option else 0)


def test_high_priority_handlers_have_it(tmp_path: Path) -> None:
    """WQ_HIGHPRI workers run at nice -20."""
    option = 'kernel.options=["highpri"]'
    if os.geteuid() != 0:
        pytest.skip("raising priorities needs CAP_SYS_NICE")
    with Running(tmp_path, "--handlers", "2", *ENDLESS, "--set", option) as system:
        for index in range(2):
            pid = system.pid_of(Role.ROLE_HANDLER, index)
            assert os.getpriority(os.PRIO_PROCESS, pid) == -20
        assert os.getpriority(os.PRIO_PROCESS, system.pid_of(Role.ROLE_IRQ)) == 0


def test_without_the_right_to_raise_priorities_nothing_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "setpriority", refused)
    resolved = resolve(None, [*LOAD, 'kernel.options=["highpri"]'], {}, environ={})
    with pytest.raises(ArenaError, match="CAP_SYS_NICE") as caught:
        measure(resolved)
    assert caught.value.status == 3
