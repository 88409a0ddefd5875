# SPDX-License-Identifier: MIT
"""Rules that span fields. Each function implements one rule and yields its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from iopf.emulator.program.compile import Compiled, compile_programs
from iopf.emulator.program.errors import ProgramError
from iopf.emulator.races.catalogue import catalogue, find
from iopf.emulator.scenario.errors import UNSUPPORTED, Problem, did_you_mean
from iopf.emulator.scenario.expand import DeviceInstance, answers_to, binds, devices, tenants
from iopf.emulator.scenario.schema import (
    DEVICES_MAX,
    SUPPORTED_PROFILES,
    TENANTS_MAX,
    Device,
    Scenario,
)
from iopf.emulator.spec.defects import defect_slugs
from iopf.emulator.spec.kernels import since


def _supported(scenario: Scenario) -> Iterator[Problem]:
    profile = scenario.iommu.profile
    if profile not in SUPPORTED_PROFILES:
        have = ", ".join(sorted(SUPPORTED_PROFILES))
        text = f"profile '{profile}' is not supported by this version; it has {have}"
        yield Problem("iommu.profile", text, UNSUPPORTED)


def _counts(scenario: Scenario) -> Iterator[Problem]:
    device_count = sum(device.count for device in scenario.device)
    if device_count > DEVICES_MAX:
        yield Problem("device", f"{device_count} devices in total; the limit is {DEVICES_MAX}")
    tenant_count = sum(tenant.count for tenant in scenario.tenant)
    if tenant_count > TENANTS_MAX:
        yield Problem("tenant", f"{tenant_count} tenants in total; the limit is {TENANTS_MAX}")
    if tenant_count >= scenario.iommu.max_pasids:
        text = f"{tenant_count} tenants need {tenant_count} PASIDs besides 0; raise it"
        yield Problem("iommu.max_pasids", text)


def _names_differ(scenario: Scenario) -> Iterator[Problem]:
    for section, instances in (("device", devices(scenario)), ("tenant", tenants(scenario))):
        counted = Counter(instance.name for instance in instances)
        for name in [name for name, count in counted.items() if count > 1]:
            yield Problem(section, f"the name '{name}' is used {counted[name]} times; rename")


def _names_known(scenario: Scenario) -> Iterator[Problem]:
    all_devices, all_tenants = devices(scenario), tenants(scenario)
    for index, device in enumerate(scenario.device):
        name = device.tenant
        if name is None or any(answers_to(tenant, name) for tenant in all_tenants):
            continue
        near = did_you_mean(name, [tenant.name for tenant in all_tenants])
        yield Problem(f"device[{index}].tenant", f"no tenant '{name}'{near}")
    for index, owner in enumerate(scenario.tenant):
        for position, name in enumerate([] if owner.bind == "all" else owner.bind):
            if any(answers_to(each, name) for each in all_devices):
                continue
            near = did_you_mean(name, [each.name for each in all_devices])
            path = f"tenant[{index}].bind[{position}]"
            yield Problem(path, f"no device '{name}'{near}")


def _with_workload(scenario: Scenario) -> list[DeviceInstance]:
    """The devices without a program. Errors in programs are reported by `_programs`."""
    try:
        driven = set(compiled(scenario).devices)
    except ProgramError:
        return []
    return [device for number, device in enumerate(devices(scenario)) if number not in driven]


def _bound(scenario: Scenario) -> Iterator[Problem]:
    """A device needs memory that is bound to it."""
    all_tenants = tenants(scenario)
    reported: set[int] = set()
    for device in _with_workload(scenario):
        wanted = device.spec.tenant
        fits = [t for t in all_tenants if wanted is None or answers_to(t, wanted)]
        if not fits or device.entry in reported or any(binds(t, device) for t in fits):
            continue
        reported.add(device.entry)
        who = "no tenant binds it" if wanted is None else f"tenant '{wanted}' does not bind it"
        yield Problem(f"device[{device.entry}]", f"{device.name}: {who}; add it to its bind list")


def _served(scenario: Scenario) -> Iterator[Problem]:
    """A device with a workload needs a tenant without a program, because programs choose their own mappings."""
    try:
        driven = set(compiled(scenario).tenants)
    except ProgramError:
        return
    if not driven:
        return
    free = [tenant for number, tenant in enumerate(tenants(scenario)) if number not in driven]
    for device in _with_workload(scenario):
        wanted = device.spec.tenant
        fits = [t for t in free if wanted is None or answers_to(t, wanted)]
        if device.spec.workload.pattern == "replay" or any(binds(t, device) for t in fits):
            continue
        text = f"{device.name} runs a workload, but programs run all tenants that bind it"
        yield Problem(f"device[{device.entry}]", f"{text}; name it in a program or add a tenant")


def _groups_fit(scenario: Scenario) -> Iterator[Problem]:
    for index, device in enumerate(scenario.device):
        replay = device.workload.pattern == "replay"
        field = "trace.group_limit" if replay else f"device[{index}].group_pages"
        pages = scenario.trace.group_limit if replay else device.group_pages
        if pages > device.credits:
            text = f"a group of {pages} requests never fits device[{index}].credits"
            yield Problem(field, f"{text} = {device.credits}; lower it or raise the credits")


def _workloads(scenario: Scenario) -> Iterator[Problem]:
    for index, device in enumerate(scenario.device):
        work, path = device.workload, f"device[{index}].workload"
        if work.write_ratio + work.exec_ratio > 1:
            text = f"write_ratio + exec_ratio = {work.write_ratio + work.exec_ratio:g}"
            yield Problem(f"{path}.exec_ratio", f"{text}; at most 1")
        if work.pattern == "replay":
            continue
        if device.group_pages > work.pages:
            text = f"a working set of {work.pages} pages is smaller than a group"
            yield Problem(f"{path}.pages", f"{text} of {device.group_pages}")


def _defects(scenario: Scenario) -> Iterator[Problem]:
    for index, slug in enumerate(scenario.kernel.defects):
        text = wrong_defect(slug, scenario.kernel.generation)
        if text:
            yield Problem(f"kernel.defects[{index}]", text)


def wrong_defect(slug: str, generation: str) -> str:
    """The reason why a defect cannot be enabled in this generation, or an empty string. Defects are named by slug only, not by number."""
    known, race = defect_slugs(), find(slug)
    if slug in known:
        has = catalogue()[slug].generations
        text = f"{generation} has no {slug}; kernels that can have it: {', '.join(has)}"
        return "" if generation in has else text
    meant = race.slug if race is not None and race.slug in known else ""
    hint = f"; did you mean '{meant}'?" if meant else did_you_mean(slug, known)
    return f"no defect '{slug}'{hint or '; see iopf race list'}"


def _release_domains(scenario: Scenario) -> Iterator[Problem]:
    generation = scenario.kernel.generation
    if generation not in since("v6.9", proposed=False):
        for index, device in enumerate(scenario.device):
            if device.release_domain == "identity":
                text = f"{generation} has no static release domain; v6.9 is the first"
                yield Problem(f"device[{index}].release_domain", text)


def _memory(scenario: Scenario) -> Iterator[Problem]:
    for index, tenant in enumerate(scenario.tenant):
        if tenant.pages < tenant.vmas:
            text = f"{tenant.pages} pages cannot fill {tenant.vmas} areas; raise pages"
            yield Problem(f"tenant[{index}].pages", f"{text} or lower vmas")
    for index in sorted({device.entry for device in _with_workload(scenario)}):
        device = scenario.device[index]
        if device.workload.pattern == "replay":
            continue
        owners = [
            owner
            for owner in tenants(scenario)
            if device.tenant is None or answers_to(owner, device.tenant)
        ]
        mapped = min((owner.spec.pages for owner in owners), default=None)
        if mapped is not None and device.workload.pages > mapped:
            text = f"a working set of {device.workload.pages} pages, but its tenant maps {mapped}"
            yield Problem(f"device[{index}].workload.pages", f"{text}; lower it or raise pages")


def _ends(scenario: Scenario) -> Iterator[Problem]:
    if scenario.system.duration_s > 0:
        return
    for index in sorted({device.entry for device in _with_workload(scenario)}):
        work = scenario.device[index].workload
        if work.groups == 0 and work.pattern != "replay":
            text = "nothing will end this run: set system.duration_s or a number of groups"
            yield Problem(f"device[{index}].workload.groups", text)


def _traces(scenario: Scenario) -> Iterator[Problem]:
    replaying = [
        index for index, each in enumerate(scenario.device) if each.workload.pattern == "replay"
    ]
    if replaying and not scenario.trace.files:
        path = f"device[{replaying[0]}].workload.pattern"
        yield Problem(path, "replay needs a trace: name one in trace.files")
    if scenario.trace.files and not replaying:
        text = "no device replays it: set workload.pattern = 'replay' or remove the files"
        yield Problem("trace.files", text)
    if scenario.trace.files.count("-") > 1:
        yield Problem("trace.files", "standard input ('-') can be read only once")


def compiled(scenario: Scenario) -> Compiled:
    """The compiled programs of a scenario. Raises ProgramError with all errors."""
    return compile_programs(
        [program.ops for program in scenario.program],
        [device.name for device in devices(scenario)],
        [tenant.name for tenant in tenants(scenario)],
    )


def _programs(scenario: Scenario) -> Iterator[Problem]:
    try:
        found = compiled(scenario)
    except ProgramError as error:
        yield from error.problems
        return
    if found.endless is not None and scenario.system.duration_s == 0:
        program, op = found.endless
        text = "nothing will end this run: set system.duration_s or a number of times"
        yield Problem(f"program[{program}].ops[{op}]", text)


_RULES: tuple[Callable[[Scenario], Iterator[Problem]], ...] = (
    _supported,
    _counts,
    _names_differ,
    _names_known,
    _bound,
    _served,
    _groups_fit,
    _workloads,
    _defects,
    _release_domains,
    _memory,
    _ends,
    _traces,
    _programs,
)


def problems(scenario: Scenario) -> list[Problem]:
    """All problems that prevent the scenario from running."""
    return [problem for rule in _RULES for problem in rule(scenario)]


def _runs_dry(scenario: Scenario, device: Device) -> bool:
    """Whether an endless workload touches each page of a fixed set, and nobody takes one away."""
    endless = device.workload.groups == 0 and device.workload.requests == "absent"
    return endless and not scenario.program and not scenario.trace.files


def notes(scenario: Scenario, sources: Mapping[str, str]) -> list[str]:
    """Legal settings with surprising effects. Defaults are not commented on."""
    found = []
    for index, device in enumerate(scenario.device):
        path = f"device[{index}].groups_in_flight"
        fit = device.credits // device.group_pages
        if path in sources and device.groups_in_flight > fit:
            text = f"{device.credits} credits allow only {fit} groups of {device.group_pages}"
            found.append(f"$.{path} = {device.groups_in_flight} has no effect: {text}")
        if _runs_dry(scenario, device):
            text = f"once its {device.workload.pages} pages are present, nothing faults any more"
            found.append(
                f"$.device[{index}].workload: {text}; requests = 'always' asks all the same"
            )
    offered = sum(device.credits * device.count for device in scenario.device)
    records = scenario.iommu.prq_records
    if offered > records:
        text = f"the devices may have {offered} requests outstanding, the queue holds {records}"
        found.append(f"the page request queue can overflow: {text} records")
    return found
