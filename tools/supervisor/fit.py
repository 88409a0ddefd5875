# SPDX-License-Identifier: MIT
"""Whether the devices of a scenario and the processes suffice for its traces, and whether its board is within its limit. What does
not fit is an error before the start: a group that never fits is never sent, and the run would be stuck; and a few numbers in a scenario
can ask for more shared memory than the machine has, all of which is reserved."""

from __future__ import annotations

from collections.abc import Sequence

from iopf.emulator.board.layout import plan_layout
from iopf.emulator.scenario.expand import DeviceInstance
from iopf.emulator.scenario.schema import TENANTS_MAX, Scenario
from iopf.emulator.trace.groups import GROUP_LIMIT_MAX
from iopf.emulator.trace.plan import TracePlan
from iopf.emulator.trace.replay import Need
from iopf.emulator.trace.source import TraceError
from iopf.shm.objects import ArenaError


def check_tenants(trace: TracePlan, others: int) -> None:
    """`others`: tenants of the scenario beside those of the traces. Raises TraceError."""
    count = others + len(trace.tenants)
    name = ", ".join(trace.sources)
    if count > TENANTS_MAX:
        what = f"{len(trace.tenants)} processes and PASIDs, and {others} tenants of the scenario"
        raise TraceError(name, None, what, f"at most {TENANTS_MAX} together can run")


def check_board(scenario: Scenario, config: dict[str, int]) -> None:
    """Raises ArenaError (status 2)."""
    size = plan_layout(config)["total"]
    if size > scenario.system.board_mib << 20:
        raise ArenaError(
            f"the board needs {size / 2**20:,.0f} MiB, system.board_mib is {scenario.system.board_mib:,}; "
            "lower event_records, credits, vmas or the number of processes, or raise it",
            2,
        )


def check_groups(needs: Sequence[Need], replaying: Sequence[DeviceInstance]) -> None:
    """`needs` of the devices that replay. Raises TraceError."""
    for need, device in zip(needs, replaying, strict=True):
        size, source, first, last = need.largest
        where = f"group of {size} requests (line {first}-{last})"
        if size > GROUP_LIMIT_MAX:
            raise TraceError(source, None, where, f"at most {GROUP_LIMIT_MAX} can be sent in one")
        if need.credits > device.spec.credits:
            beside = f" beside {need.open_requests} of open groups" if need.open_requests else ""
            what = (
                f"{where}{beside} does not fit the {device.spec.credits} credits of {device.name}"
            )
            raise TraceError(source, None, what, f"needs --credits {need.credits} or more")
        if need.open_groups >= device.spec.groups_in_flight:
            what = f"{need.open_groups} groups without their last request stay open"
            advice = f"needs --groups-in-flight {need.open_groups + 1} or more"
            raise TraceError(source, None, what, advice)
