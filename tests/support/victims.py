# SPDX-License-Identifier: MIT
"""Labs whose actors are killed or stopped at each of their points, with the required outcome."""

from __future__ import annotations

from collections.abc import Callable

from iopf.emulator.races.catalogue import Race
from iopf.tools.lab.play.processes import ActorProcesses
from iopf.tools.lab.play.races import lab_of
from iopf.tools.lab.search.kill import Tried, victims

Everywhere = Callable[..., Tried]  # kill_everywhere, stop_everywhere


def assert_the_others_go_on(race: Race, everywhere: Everywhere) -> None:
    """In the fixed variant, for every victim; as fibers."""
    with lab_of(race, defective=False) as lab:
        for victim in victims(lab):
            tried = everywhere(lab, victim, seeds=range(2), procs=None)
            assert tried.failures == [], f"{victim.name}: {tried.failures[0]}"
            if victim.role in ("device", "iommu", "irq"):
                assert tried.points > 0, victim.name


def assert_processes_do_as_fibers(race: Race, everywhere: Everywhere) -> None:
    """A signal to a process has the same effect as not scheduling a fiber."""
    with lab_of(race, defective=False) as lab:
        for victim in victims(lab):
            if victim.role not in ("device", "handler", "tenant"):
                continue
            fibers = everywhere(lab, victim, seeds=range(1), procs=None)
            with ActorProcesses(lab) as procs:
                processes = everywhere(lab, victim, seeds=range(1), procs=procs)
            assert (processes.points, processes.failures) == (fibers.points, fibers.failures)
            assert processes.failures == []
