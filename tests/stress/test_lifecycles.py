# SPDX-License-Identifier: MIT
"""Lifetimes at their limits: many execs, exhausted PASIDs, a child killed before its fork, barely enough memory."""

from __future__ import annotations

import json
from pathlib import Path

from iopf.emulator.spec.roles import Role
from iopf.tools.status import Status

from tests.support.running import Running, iopf


def fault(comm: str, pid: int, second: float, page: int) -> str:
    return (
        f" {comm}-{pid} [000] d.... {second:.6f}: page_fault_user: "
        f"address={0x7000_0000_0000 + page * 4096:#x} ip=0x1 error_code=0x6\n"
    )


def event(comm: str, pid: int, second: float, text: str) -> str:
    return f" {comm}-{pid} [000] ..... {second:.6f}: {text}\n"


def run_trace(tmp_path: Path, text: str, *args: str) -> tuple[int, dict[str, object]]:
    path = tmp_path / "case.ftrace"
    path.write_text(text)
    done = iopf("run", "--trace", str(path), "--json", "--run-dir", str(tmp_path / "run"), *args)
    return done.returncode, json.loads(done.stdout)


def test_two_hundred_execs_of_one_process(tmp_path: Path) -> None:
    """Each exec takes the device off the queue and puts it back: retired objects must be reused."""
    text = ""
    for i in range(200):
        at = 1 + i * 0.001
        text += fault("a", 1, at, 1) + fault("a", 1, at + 0.0001, 2)
        text += event("a", 1, at + 0.0002, "sys_execve(filename: 0x1, argv: 0x2, envp: 0x3)")
        text += event("a", 1, at + 0.0003, "exit_mmap: mt_mod 0000000000000001, DESTROY")
        text += event("a", 1, at + 0.0004, "sched_process_exec: filename=/bin/a pid=1 old_pid=1")
        text += event("a", 1, at + 0.0005, "sys_execve -> 0x0")
    status, result = run_trace(tmp_path, text, "--devices", "1")
    assert status == Status.OK, result["problems"]
    account = result["account"]
    assert isinstance(account, dict)
    assert (account["answered_ok"], account["in_flight"]) == (400, 0)


def test_processes_without_a_pasid_are_named_and_do_not_block(tmp_path: Path) -> None:
    """All second faults come after all first ones, so sixty processes need a bind at once."""
    text = "".join(
        fault(f"p{i}", 100 + i, when + i * 1e-6, i + 10 * when)
        for when in (1, 2)
        for i in range(60)
    )
    status, result = run_trace(tmp_path, text, "--devices", "1", "--set", "iommu.max_pasids=16")
    problems = result["problems"]
    assert isinstance(problems, list)
    assert status == Status.FAILED
    assert len(problems) == 60 - 15
    assert all("(bind) failed: No space left on device" in line for line in problems), problems
    account = result["account"]
    assert isinstance(account, dict)
    assert (account["answered_ok"], account["in_flight"]) == (30, 0)


def test_a_child_killed_before_its_fork_leaks_nothing(tmp_path: Path) -> None:
    text = fault("a", 1, 1.0, 1)
    text += event("a", 1, 2.0, "sched_process_fork: comm=a pid=1 child_comm=a child_pid=2")
    text += fault("a", 2, 2.1, 1) + event(
        "a", 2, 2.2, "exit_mmap: mt_mod 0000000000000001, DESTROY"
    )
    text += event("a", 2, 2.3, "sched_process_exit: comm=a pid=2 prio=120 group_dead=true")
    text += fault("a", 1, 2.4, 2)
    path = tmp_path / "fork.ftrace"
    path.write_text(text)
    with Running(tmp_path / "run", "--trace", str(path), "--speed", "1", flowing=False) as run:
        run.until(lambda: run.snapshot.phase >= 2, "running")
        run.kill(Role.ROLE_TENANT, 1)
        run.end()
        result = run.result()
    assert run.status == Status.OK, result["problems"]
    assert result["problems"] == []
    assert len(result["exits"]) == 1


def test_memory_that_is_just_enough_is_enough(tmp_path: Path) -> None:
    """One group of four in flight needs one group and three copies, whichever magazine has the freed ones."""
    done = iopf(
        "run", "--json", "--run-dir", str(tmp_path), "--set", "device.groups_in_flight=1",
        "--set", "kernel.groups=2", "--set", "kernel.faults=6", "--set", "kernel.handlers=8",
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert done.returncode == Status.OK, result["problems"]
    assert result["account"]["answered_failure"] == 0
    assert "no memory" not in result["account"]["lost"]


def test_a_page_slower_than_the_watchdog_is_not_a_stall(tmp_path: Path) -> None:
    done = iopf(
        "run", "--json", "--run-dir", str(tmp_path), "--set", "faults.minor_ns=400000000",
        "--set", "device.group_pages=3", "--set", "device.workload.groups=2", "--set", "system.watchdog_s=1",
    )  # fmt: skip
    assert done.returncode == Status.OK, done.stdout


def test_a_device_killed_with_open_requests_does_not_stop_a_quiet_run(tmp_path: Path) -> None:
    args = (
        "--devices",
        "2",
        "--set",
        "device.workload.gap_ns=2500000000",
        "--set",
        "device.workload.groups=3",
    )
    slow = ("--set", "faults.minor_ns=50000000", "--set", "system.watchdog_s=1")
    with Running(tmp_path, *args, *slow, flowing=False) as run:
        run.until(
            lambda: run.snapshot.device(0)["device"]["open_requests"] > 0, "requests are open"
        )
        run.kill(Role.ROLE_DEVICE, 0)
        run.end()
        result = run.result()
    assert run.status == Status.OK, result["end_reason"]
    assert len(result["removals"]) == 1
