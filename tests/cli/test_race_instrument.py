# SPDX-License-Identifier: MIT
"""A search that could not have seen a failure does not say that there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from iopf.emulator.races.catalogue import Race, find
from iopf.tools import api
from iopf.tools.cli.main import cli
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.search import instrument
from iopf.tools.lab.search.search import search
from iopf.tools.status import Status

RACE = "mm-without-get"
COMMANDS = {
    "run": ("race", "run", RACE, "--fixed", "--schedules", "50"),
    "prove": ("race", "prove", RACE, "--executions", "50"),
    "fuzz": ("race", "fuzz", "--programs", "1", "--kernel", "v6.9"),
}


@pytest.fixture(autouse=True)
def _asked_again() -> Iterator[None]:
    instrument.blind.cache_clear()
    yield
    instrument.blind.cache_clear()


def run(name: str, tmp_path: Path) -> Result:
    args = [*COMMANDS[name], *(["-o", str(tmp_path)] if name == "fuzz" else [])]
    return CliRunner().invoke(cli, args, standalone_mode=False)


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_this_build_sees_the_planted_race(memory: str) -> None:
    assert instrument.blind(memory) == ""
    assert instrument.doubt([], memory) == ""


def test_a_build_that_delays_no_store_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument, "_delays", lambda lab, seed: False)
    assert "no store was delayed" in instrument.blind("tso")
    assert instrument.blind("sc") == ""


def test_a_system_whose_actors_take_no_step_is_told() -> None:
    race = find(RACE)
    assert race is not None
    with lab_of(race, defective=False) as lab:
        search(lab, 1, seconds=60, most=1)
        assert instrument.unreached(lab) == []
        lab.must = [250]  # no such slot takes a step
        lab.names += [""] * 250
        lab.names[250] = "tenant-09"
        assert instrument.unreached(lab) == ["tenant-09"]
    assert "reached by tenant-09" in instrument.doubt(["tenant-09"], "sc")


def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = lab_of

    def blind_lab(race: Race, *, defective: bool, memory: str = "tso") -> object:
        del defective
        return fixed(race, defective=False, memory=memory)

    monkeypatch.setattr(instrument, "lab_of", blind_lab)
    monkeypatch.setattr(instrument, "PLANTED_SCHEDULES", 200)


@pytest.mark.parametrize("name", COMMANDS)
def test_without_the_planted_race_a_command_is_inconclusive(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixed variant stands for a build whose points do nothing: the planted race is not found."""
    _blind(monkeypatch)
    done = run(name, tmp_path)
    assert done.return_value == Status.INCONCLUSIVE, done.output
    assert "inconclusive: the planted race" in done.output


@pytest.mark.parametrize("name", ["run", "fuzz"])
def test_with_it_the_command_is_ok(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path).return_value == Status.OK


@pytest.mark.parametrize("call", [api.explore, api.prove])
def test_the_python_interface_asks_too(
    call: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ["map t0 1", "bind d0 t0", "t0: start", "unbind d0 t0"]
    call(program)
    instrument.blind.cache_clear()
    _blind(monkeypatch)
    with pytest.raises(api.IopfError, match="inconclusive: the planted race") as raised:
        call(program)
    assert raised.value.status == Status.INCONCLUSIVE
