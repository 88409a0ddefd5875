# SPDX-License-Identifier: MIT
"""`iopf stress`: generated programs, counts, and killed processes."""

from __future__ import annotations

import os
import random
import select
import signal
from pathlib import Path
from typing import Any

import click
import pytest
from iopf.emulator.check.fates import CELLS, Fate
from iopf.emulator.check.violations import known_in
from iopf.emulator.spec.kernels import GENERATIONS
from iopf.emulator.spec.roles import Role
from iopf.tools.status import Status
from iopf.tools.stress.mix import MEANING, default_mix, parse_mix
from iopf.tools.stress.programs import Shape, stress_programs
from iopf.tools.stress.report import rates
from iopf.tools.stress.run import resolve_stress
from iopf.tools.supervisor.run import measure

from tests.support.running import Running, iopf


def run(generation: str, seconds: float, seed: int = 1, **more: Any) -> dict[str, Any]:
    mix = parse_mix(more.pop("mix", None))
    devices = more.pop("devices", 8)
    flags = {"system.duration_s": (seconds, "test"), "system.noise": (True, "test")}
    return measure(resolve_stress(devices, generation, seed, mix, flags=flags, **more))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_passes_and_reaches_its_table(generation: str) -> None:
    result = run(generation, 2.0)
    assert result["problems"] == []
    assert result["status"] == Status.OK
    assert set(result["known"]) <= set(known_in(generation))
    absent = [c.event for c in CELLS if c.generation == generation and c.fate is Fate.ABSENT]
    assert [event for event in absent if result["fates"][event]] == []
    for event in ("partial", "last", "page-error", "flush", "last-nomem"):
        assert result["fates"][event] > 0, event
    assert rates(result)["send"]["runs"] > 100


@pytest.mark.parametrize("queues", ["global", "device", "domain"])
@pytest.mark.parametrize("generation", ["v5.13", "v6.14", "v7.2"])
def test_several_iommus_and_every_way_to_share_queues(generation: str, queues: str) -> None:
    sets = ("iommu.units=3", f"kernel.queues={queues}")
    result = run(generation, 1.5, devices=12, sets=sets)
    assert result["problems"] == []
    assert result["status"] == Status.OK


def test_the_same_seed_gives_the_same_programs() -> None:
    shape, mix = Shape(16, 4, 2), default_mix()
    assert stress_programs(shape, 7, mix) == stress_programs(shape, 7, mix)
    assert stress_programs(shape, 7, mix) != stress_programs(shape, 8, mix)


def test_every_operation_has_a_meaning_and_weight_0_disables_it() -> None:
    assert list(MEANING) == list(default_mix())
    verbs = {"exec": "exec", "spawn": "spawn", "marker": "marker", "flush": "flush"}
    for name, verb in verbs.items():
        text = str(stress_programs(Shape(8, 2, 1), 1, {**default_mix(), name: 0}))
        assert f"'{verb} " not in text
        assert f"'{verb} " in str(stress_programs(Shape(8, 2, 1), 1, default_mix()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bnid=3", "no operation 'bnid'; did you mean 'bind'?"),
        ("bind", "expected bind=WEIGHT"),
        ("bind=-1", "expected bind=WEIGHT"),
        ("bind=1e3", "expected bind=WEIGHT"),
        ("send=99999999", "expected send=WEIGHT"),
        (",".join(f"{n}=0" for n in default_mix()), "all operations of tenants have weight 0"),
    ],
)
def test_an_invalid_mix_is_one_line(text: str, says: str) -> None:
    with pytest.raises(click.UsageError, match="--mix") as caught:
        parse_mix(text)
    assert says in caught.value.message


@pytest.mark.parametrize("devices", [1, 2, 3, 64, 256])
def test_any_number_of_devices_makes_a_scenario(devices: int) -> None:
    for generation in ("v5.13", "v7.2"):
        resolved = resolve_stress(
            devices, generation, 1, default_mix(), flags={"system.duration_s": (1, "test")}
        )
        assert len(resolved.scenario.program) >= devices


def test_invalid_options_are_refused_before_anything_starts(tmp_path: Path) -> None:
    for args, status, says in (
        (("--kernel", "v5.12"), Status.USAGE, "v5.12"),
        (("--devices", "0"), Status.USAGE, "--devices"),
        (("--seconds", "0"), Status.USAGE, "nothing will end this run"),
        (("--mix", "x=1"), Status.USAGE, "--mix"),
    ):
        done = iopf("stress", *args, "--run-dir", str(tmp_path / "out"))
        assert done.returncode == status, done.stderr
        assert says in done.stderr
        assert not (tmp_path / "out").exists()


def test_the_scenario_of_a_run_runs_again(tmp_path: Path) -> None:
    args = ("--devices", "4", "--seconds", "1", "--seed", "3", "--run-dir", str(tmp_path / "a"))
    first = iopf("stress", *args)
    assert first.returncode == Status.OK, first.stdout + first.stderr
    assert "cells of v7.2 reached" in first.stdout
    scenario = tmp_path / "a" / "scenario.resolved.toml"
    again = iopf("run", str(scenario), "--run-dir", str(tmp_path / "b"))
    assert again.returncode == Status.OK, again.stdout + again.stderr


KERNEL = (Role.ROLE_IOMMU, Role.ROLE_IRQ, Role.ROLE_HANDLER, Role.ROLE_TASK, Role.ROLE_DRIVER)


def kill_one(directory: Path, generation: str, seed: int) -> None:
    """One run in which a process of any kind is killed at a random time."""
    rng = random.Random(seed)
    args = ("--devices", "8", "--handlers", "3", "--seconds", "1.2", "--seed", str(seed))
    with Running(directory, *args, "--kernel", generation, verb="stress", flowing=False) as system:
        system.until(lambda: system.snapshot.phase >= 2, "the devices work")
        actors = [a for a in system.snapshot.actors() if a["pid"] and a["role"] != 0]
        victim = rng.choice(actors)
        select.select([], [], [], rng.random())
        os.kill(victim["pid"], signal.SIGKILL)
        output = system.end()
    role = Role(victim["role"])
    case = f"{role.name} {victim['index']}, seed {seed}, {generation}:\n{output}"
    if role in KERNEL:
        assert system.status == Status.DIED, case
        assert "was killed by SIGKILL" in output.splitlines()[-1], case
    else:
        assert system.status == Status.OK, case


@pytest.mark.parametrize("generation", GENERATIONS)
def test_processes_killed_at_any_moment(tmp_path: Path, generation: str) -> None:
    for n in range(3):
        kill_one(tmp_path / str(n), generation, 100 * GENERATIONS.index(generation) + n)
