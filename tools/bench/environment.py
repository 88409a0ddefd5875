# SPDX-License-Identifier: MIT
"""The machine of a measurement: without it a number is not comparable.

A virtual machine may move its processors between adjacent and distant cores at any time, which changes results by a factor of up to
seven. So the round trip between two cores is measured before each round and stored with its results.
"""

from __future__ import annotations

import mmap
import os
import platform
from collections.abc import Generator
from pathlib import Path
from typing import Any

from iopf.cython_ext.memory import Memory
from iopf.cython_ext.ring_bench import ping, pong
from iopf.tools.bench.team import run_team

RTT_ROUNDS = 5000


def describe() -> dict[str, Any]:
    """The data needed to compare two results."""
    return {
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_1min": os.getloadavg()[0],
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def core_rtt_ns() -> float:
    """Round trip of one word between two processes, on two processors where there are two."""
    area = mmap.mmap(-1, mmap.PAGESIZE)
    memory = Memory(area)
    processors = sorted(os.sched_getaffinity(0))

    def first() -> Generator[Any, None, None]:
        os.sched_setaffinity(0, {processors[0]})
        yield
        yield
        yield ping(memory, 0, RTT_ROUNDS)

    def second() -> Generator[Any, None, None]:
        os.sched_setaffinity(0, {processors[-1]})
        yield
        yield
        pong(memory, 0, RTT_ROUNDS)
        yield

    reports = run_team([first, second])
    memory.close()
    area.close()
    return round(float(reports[0].value), 1)
