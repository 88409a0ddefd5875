# SPDX-License-Identifier: MIT
"""Ends of a run: interrupts, killed and stopped processes of every role, a killed supervisor, many consecutive runs."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from pathlib import Path

import pytest
from iopf.emulator.board.layout import OFF_LEDGER_HW, layout_hash
from iopf.emulator.spec.roles import Role
from iopf.shm.arena import Arena
from iopf.shm.naming import Name
from iopf.shm.objects import find_all
from iopf.shm.procs import state
from iopf.tools.status import Status

from tests.support.running import ENDLESS, Running, iopf
from tests.support.speed import slowdown

FOUR = ("--devices", "4", "--handlers", "2", *ENDLESS)


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGINT, Status.INTERRUPTED, "INTERRUPTED"),
        (signal.SIGTERM, Status.TERMINATED, "TERMINATED"),
    ],
)
def test_one_signal_drains_and_writes_results(
    tmp_path: Path, number: int, status: int, word: str
) -> None:
    with Running(tmp_path, *FOUR) as run:
        run.process.send_signal(number)
        output = run.end()
        assert run.status == status
        assert output.splitlines()[-1].startswith(f"verdict     {word}")
        result = run.result()
    assert result["account"]["in_flight"] == 0
    assert result["problems"] == []


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR) as run:
        # A stopped device keeps the first interrupt from finishing, so the second one ends the run.
        run.kill(Role.ROLE_DEVICE, 0, signal.SIGSTOP)
        run.process.send_signal(signal.SIGINT)
        run.until(lambda: run.snapshot.phase >= 3, "stopping")
        run.process.send_signal(signal.SIGINT)
        output = run.end()
    assert run.status == Status.INTERRUPTED
    assert "interrupted twice" in output


KERNEL = [Role.ROLE_IOMMU, Role.ROLE_IRQ, Role.ROLE_HANDLER, Role.ROLE_TASK, Role.ROLE_DRIVER]


@pytest.mark.parametrize("role", KERNEL)
def test_a_killed_kernel_process_is_a_crash(tmp_path: Path, role: Role) -> None:
    with Running(tmp_path, *FOUR) as run:
        pid = run.pid_of(role)
        pids = run.pids()
        run.kill(role)
        output = run.end()
    assert run.status == Status.DIED
    last = output.splitlines()[-1]
    assert f"(pid {pid}) was killed by SIGKILL; last scheduling point" in last
    assert [p for p in pids if state(p) not in "-Z"] == []


def test_a_killed_device_is_a_surprise_removal(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR, "--duration", "20") as run:
        before = [d["device"]["sent"] for d in run.snapshot.devices()]
        run.kill(Role.ROLE_DEVICE, 1)
        run.until(
            lambda: run.snapshot.device(1)["registered"] == 0,
            "the device is off the driver's table",
        )
        run.until(
            lambda: run.snapshot.device(0)["device"]["sent"] > before[0] + 1000,
            "the others continue",
        )
        run.process.send_signal(signal.SIGINT)
        run.end()
        result = run.result()
    assert run.status == Status.INTERRUPTED
    assert len(result["removals"]) == 1
    assert "device dev-01" in result["removals"][0]
    assert result["problems"] == []
    assert result["account"]["in_flight"] == 0


def test_a_killed_tenant_exits_while_bound(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR, "--set", "tenant.count=2") as run:
        run.kill(Role.ROLE_TENANT, 0)
        run.until(lambda: run.snapshot.tenant(0)["exited"], "the exit path has run")
        run.process.send_signal(signal.SIGINT)
        run.end()
        result = run.result()
    assert run.status == Status.INTERRUPTED
    assert len(result["exits"]) == 1
    assert result["problems"] == []


@pytest.mark.parametrize(
    "role", [Role.ROLE_DEVICE, Role.ROLE_HANDLER, Role.ROLE_IOMMU, Role.ROLE_IRQ]
)
def test_a_stopped_process_is_named_and_ends_the_run(tmp_path: Path, role: Role) -> None:
    with Running(tmp_path, *FOUR, "--set", "system.watchdog_s=1.5") as run:
        pid = run.pid_of(role)
        run.kill(role, 0, signal.SIGSTOP)
        output = run.end()
    assert run.status == Status.STUCK
    assert f"(pid {pid}) has not moved for" in output
    assert "stopped by a signal" in output
    assert "did not move for 1.5 s" in output.splitlines()[-1]


def test_a_continued_process_does_not_fail_the_run(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR, "--set", "system.watchdog_s=20") as run:
        pid = run.pid_of(Role.ROLE_HANDLER)
        os.kill(pid, signal.SIGSTOP)
        select.select([], [], [], 1.3)
        os.kill(pid, signal.SIGCONT)
        run.process.send_signal(signal.SIGINT)
        run.end()
        result = run.result()
    assert run.status == Status.INTERRUPTED
    assert result["problems"] == []


def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR) as run:
        pids = run.pids()
        run.process.kill()
        run.process.communicate()
        until = time.monotonic() + 2.0 * slowdown()
        while [p for p in pids if state(p) not in "-Z"] and time.monotonic() < until:
            select.select([], [], [], 0.01)
        assert [p for p in pids if state(p) not in "-Z"] == []
        iopf("clean")  # unless another start on this machine was faster
        assert not run.arena.name.path.exists()


def test_a_wrong_ledger_entry_is_a_verdict_that_names_the_request(tmp_path: Path) -> None:
    """The hardware's ledger entry is erased: the device that gets the answer reports the request that disagrees."""
    with Running(tmp_path, *FOUR) as run:
        arena = Arena.attach(run.arena.name, layout_hash(), writable=True)
        at = run.snapshot.region(OFF_LEDGER_HW)
        wipe = bytes(4 * 512 * 4 * 4)
        while run.process.poll() is None and run.snapshot.verdict_count == 0:
            arena.memory.write_bytes(at, wipe)
        arena.close()
        output = run.end()
    assert run.status == Status.FAILED
    assert "account: device" in output
    assert "hardware has fate_none" in output


def test_sigusr1_prints_the_position_of_every_process(tmp_path: Path) -> None:
    with Running(tmp_path, *FOUR) as run:
        run.process.send_signal(signal.SIGUSR1)
        select.select([], [], [], 0.3)
        run.process.send_signal(signal.SIGINT)
        output = run.end()
    assert "actors" in json.loads((tmp_path / "status-1.json").read_text())
    for name in ("iommu ", "irq ", "handler-00", "task:tenant-00", "dev-03"):
        assert any(name in line and " at " in line for line in output.splitlines()), name


def test_many_starts_and_stops_leave_nothing(tmp_path: Path) -> None:
    """Two hundred consecutive systems in one process."""
    from iopf.emulator.scenario.resolution import resolve
    from iopf.tools.supervisor.run import measure

    resolved = resolve(None, ["device.workload.groups=5"], {"device.count": (2, "test")})

    def left() -> tuple[list[Name], list[str]]:
        mine = [name for name in find_all() if name.pid == os.getpid()]
        return mine, sorted(os.listdir("/proc/self/fd"))

    before = left()
    for _ in range(200):
        result = measure(resolved)
        assert result["status"] == 0, result["problems"]
    assert left() == before


def test_accesses_are_progress_where_nothing_is_open(tmp_path: Path) -> None:
    """All pages are present and the devices go on: an ordinary run, although no request moves for longer than the watchdog's bound."""
    scenario = tmp_path / "hits.toml"
    scenario.write_text(
        "schema = 1\n[system]\nwatchdog_s = 1\nduration_s = 3\n[[tenant]]\n"
        "[[device]]\nworkload = { pattern = 'sequential', pages = 64, groups = 0 }\n"
    )
    run = iopf("run", str(scenario), "--run-dir", str(tmp_path / "run"), "--status", "always")
    assert run.returncode == 0, run.stdout
    assert "accesses/s, no requests" in run.stderr
    assert "once its 64 pages are present, nothing faults any more" in run.stderr
