"""Whether the devices, PASIDs and processes of a scenario suffice for its traces. What does not fit is an error before the start, since
a group that never fits is never sent, and the run would be stuck."""

from __future__ import annotations

from collections.abc import Sequence

from iopf.emulator.scenario.expand import DeviceInstance
from iopf.emulator.scenario.schema import TENANTS_MAX, Scenario
from iopf.emulator.trace.groups import GROUP_LIMIT_MAX
from iopf.emulator.trace.plan import TracePlan
from iopf.emulator.trace.replay import Need
from iopf.emulator.trace.source import TraceError


def check_tenants(scenario: Scenario, trace: TracePlan, others: int) -> None:
    """`others`: tenants of the scenario beside those of the traces. Raises TraceError."""
    count = others + len(trace.tenants)
    name = ", ".join(trace.sources)
    if count > TENANTS_MAX:
        what = f"{len(trace.tenants)} processes and PASIDs, and {others} tenants of the scenario"
        raise TraceError(name, None, what, f"at most {TENANTS_MAX} together can run")
    if count >= scenario.iommu.max_pasids:
        what = f"needs {count} PASIDs besides 0, and the IOMMU has {scenario.iommu.max_pasids}"
        raise TraceError(name, None, what, "raise iommu.max_pasids")


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
