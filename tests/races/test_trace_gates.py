# SPDX-License-Identifier: MIT
"""A short trace under control, with delayed stores: its tenant waits at gates for what its device has finished."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from iopf.emulator.sched.judge import Bug
from iopf.emulator.spec.sites import point_name
from iopf.tools.lab.play.system import Lab, build_lab
from iopf.tools.lab.search.search import PORTFOLIO
from iopf.tools.status import Status

from tests.support.running import iopf
from tests.support.trace_text import call, fault, mmap

SCHEDULES = 300


def written(directory: Path, faults: int = 2) -> Path:
    """Faults of one process on one mapping, then an munmap, which waits at a gate; another mapping, and a fault on it."""
    text = mmap(7, 0, 0x10000, 0x1000 * faults)
    text += "".join(fault(7, 10 + n, 0x10000 + 0x1000 * n) for n in range(faults))
    text += call(7, 5000, "munmap", 0, addr=0x10000, len=0x1000 * faults)
    text += mmap(7, 5010, 0x200000, 0x2000) + fault(7, 5020, 0x200000)
    file = directory / "small.trace"
    file.write_text(text)
    return file


def replaying(file: Path, memory: str) -> Lab:
    trace = {"files": [str(file)], "group_limit": 2}
    device = [{"workload": {"pattern": "replay"}}]
    return build_lab(memory=memory, whole=True, trace=trace, device=device)


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_every_schedule_of_a_trace_passes_its_gates(tmp_path: Path, memory: str) -> None:
    met, delayed = Counter[str](), 0
    with replaying(written(tmp_path), memory) as lab:
        assert lab.memory == memory
        for number in range(SCHEDULES):
            assert lab.scheduler.explore(PORTFOLIO, 1, number, 1)[0] == Bug.BUG_NONE
            met.update(point_name(step[1]) for step in lab.scheduler.trace)
            delayed += lab.scheduler.delayed
            device = lab.snapshot.device(0)["device"]
            assert (device["sent"], device["groups_done"]) == (3, 2)
    assert met["tenant_gate/fence"] >= SCHEDULES
    assert met["tenant_gate/bell_sleep"] > 0
    assert (delayed > 0) == (memory == "tso")
    assert (met["tenant_gate/drain"] > 0) == (memory == "tso")


def test_a_short_trace_is_searched_and_a_long_one_refused(tmp_path: Path) -> None:
    scenario = tmp_path / "replay.toml"
    text = 'schema = 1\n[trace]\nfiles = ["small.trace"]\n[[device]]\nworkload = {{ pattern = "replay" }}\n'
    scenario.write_text(text.format())
    written(tmp_path)
    found = iopf("race", "run", str(scenario), "--schedules", "500", "--json")
    assert found.returncode == Status.OK, found.stderr
    document = json.loads(found.stdout)
    assert (document["found"], document["memory"]) == (False, "tso")
    assert (
        iopf("race", "run", str(scenario), "--memory", "sc", "--schedules", "500").returncode == 0
    )
    written(tmp_path, faults=70)
    refused = iopf("race", "run", str(scenario))
    assert refused.returncode == Status.UNSUPPORTED
    assert "replays a trace of 71 requests; a controlled run plays at most 64" in refused.stderr
