# SPDX-License-Identifier: MIT
"""`iopf race run --mode native` and `--mode noise`: repeated ordinary runs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from iopf.emulator.spec.roles import Phase
from iopf.shm.objects import ArenaError, find_all
from iopf.shm.procs import state
from iopf.tools.status import Status
from iopf.tools.watch.attach import attach

from tests.support.running import iopf

EVERY_RUN = "pasid-mutex-abba"  # its locks are taken in the wrong order in every run
SOME_RUNS = "remove-before-drain"  # with noise about one run in three
NULL = {"strategy", "memory", "needs", "steps", "preemptions", "constraints", "segments"} | {
    "scenario",
    "timeouts_only_at_rest",
}


@pytest.mark.parametrize("mode", ["native", "noise"])
def test_uncontrolled_runs_find_a_race(mode: str) -> None:
    done = iopf("race", "run", EVERY_RUN, "--mode", mode, "--seconds", "50")
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    head, *failure, verdict = done.stdout.splitlines()
    assert head == f"4.33 {EVERY_RUN} on v5.13, defective, {mode}"
    assert any("lock order" in line for line in failure)
    assert verdict.startswith("found after ")
    assert "per second" in verdict
    assert done.stderr.startswith(f"no schedule is recorded: iopf race run {EVERY_RUN} searches")
    assert len(done.stderr.splitlines()) == 1


def test_noise_finds_a_race_that_needs_a_preemption() -> None:
    done = iopf("race", "run", SOME_RUNS, "--mode", "noise", "--seconds", "50", "--json")
    assert done.returncode == Status.FAILED, done.stdout + done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert (document["found"], document["mode"], document["race"]) == (True, "noise", SOME_RUNS)
    assert document["schedules"] >= 1
    assert document["failure"]


@pytest.mark.parametrize("mode", ["native", "noise"])
def test_the_fixed_variant_runs_clean_and_the_keys_are_those_of_the_other_modes(mode: str) -> None:
    args = ("race", "run", SOME_RUNS, "--fixed", "--schedules", "5", "--seed", "3")
    done = iopf(*args, "--mode", mode, "--json")
    assert done.returncode == Status.OK, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert (document["found"], document["failure"]) == (False, [])
    assert (document["schedules"], document["seed"], document["variant"]) == (5, 3, "fixed")
    assert {key for key, value in document.items() if value is None} == NULL
    assert document.keys() == json.loads(iopf(*args, "--json").stdout).keys()


def test_not_found_explains_the_result() -> None:
    args = ("--fixed", "--mode", "native", "--schedules", "1", "--seed", str(2**63))
    done = iopf("race", "run", SOME_RUNS, *args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert "not found in 1 run in " in done.stdout
    assert "or never do" in done.stderr
    assert f"iopf race run {SOME_RUNS} --fixed searches controlled schedules" in done.stderr


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--strategy", "pct"), "--strategy"),
        (("--memory", "tso"), "--memory"),
        (("-o", "x.json"), "-o"),
        (("-o", "x.json", "--memory", "sc", "--strategy", "dfs"), "--strategy, --memory, -o"),
    ],
)
def test_options_that_need_a_schedule_are_refused(given: tuple[str, ...], named: str) -> None:
    done = iopf("race", "run", SOME_RUNS, "--mode", "noise", *given)
    assert done.returncode == Status.USAGE
    assert (
        f"iopf: {named} cannot be combined with --mode noise: the order of steps is not controlled"
        in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def noise(*, session: bool = False) -> subprocess.Popen[str]:
    """Start a search with noise that lasts."""
    command = [sys.executable, "-m", "iopf.tools.cli.main", "race", "run", SOME_RUNS, "--fixed"]
    return subprocess.Popen(
        [*command, "--mode", "noise", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=session,
    )


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < end
        select.select([], [], [], 0.002)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, Status.INTERRUPTED), (signal.SIGTERM, Status.TERMINATED)],
)
def test_an_interrupt_ends_the_search_and_leaves_nothing_behind(
    number: signal.Signals, status: Status
) -> None:
    """The whole group gets the signal, as from a terminal."""
    process = noise(session=True)
    until(lambda: any(name.pid == process.pid for name in find_all()) or process.poll() is not None)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == status, out + err
    assert "interrupted, not found in " in out
    assert not any(name.pid == process.pid for name in find_all())
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_member_that_somebody_stops_is_no_finding() -> None:
    process = noise()

    def ended() -> bool:
        # A run may end before its stopped process is missed; then one of the next run is stopped.
        stop_one(process.pid)
        return process.poll() is not None

    until(ended)
    out, err = process.communicate()
    assert process.returncode == Status.UNTRUSTED, out + err
    assert "was stopped by a signal from outside, so the run says nothing" in err


def stop_one(pid: int) -> None:
    """Stop the IOMMU of the run in progress, if that has begun and it is not stopped already."""
    try:
        with attach(str(pid)) as board:
            if board.snapshot.phase != Phase.PHASE_RUNNING:
                return
            iommu = board.snapshot.actor(1)["pid"]
            if state(iommu) != "T":
                os.kill(iommu, signal.SIGSTOP)
    except (ArenaError, ProcessLookupError):
        return  # between two runs
