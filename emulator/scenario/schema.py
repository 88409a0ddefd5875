# SPDX-License-Identifier: MIT
"""The sections of a scenario and their fields: type, bounds, default and meaning.

Defaults and bounds are defined only in this file. `iopf help scenario`, the JSON schema for editors and `iopf show` are generated from
it. Field names end in their unit (`_s`, `_ns`, `_pages`); a record is one page request, a group is the requests with a common answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from iopf.emulator.spec.kernels import GENERATIONS, NEWEST
from msgspec import Meta, Struct, field

SCHEMA = 1

Profile = Literal["vtd", "smmuv3-pri", "smmuv3-stall", "amd", "riscv"]
if TYPE_CHECKING:
    Generation = str
else:
    Generation = Literal[GENERATIONS]
Queues = Literal["global", "iommu", "device", "domain"]
KernelOption = Literal[
    "sync",
    "eager",
    "group-lists",
    "early-private",
    "highpri",
    "match-pasid",
    "answer-last",
    "drain-always",
]
Events = Literal["all", "groups", "none"]
Pattern = Literal["sequential", "strided", "zipf", "chase", "bursts", "replay"]

# Known names that this version does not support are refused with exit status 4, not as typing errors: a campaign skips them.
SUPPORTED_PROFILES: frozenset[str] = frozenset({"vtd"})
PATTERNS: tuple[str, ...] = get_args(Pattern)
PROFILES: tuple[str, ...] = get_args(Profile)

DEVICES_MAX = 256
TENANTS_MAX = 256
PROGRAMS_MAX = 520  # each device, tenant and driver may have its own

# `$` alone matches before a final newline too.
_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$(?!\n)"


def _of(text: str) -> Meta:
    return Meta(description=text)


def _in(low: float, high: float, text: str) -> Meta:
    return Meta(ge=low, le=high, description=text)


def _power(low: int, high: int, text: str) -> Meta:
    """A power of two. msgspec has no such bound, so `convert` reads it from `extra`."""
    powers = [1 << n for n in range(32) if low <= 1 << n <= high]
    extra: dict[str, Any] = {"power_of_two": True}
    return Meta(ge=low, le=high, description=text, extra=extra, extra_json_schema={"enum": powers})


def _name(text: str) -> Meta:
    return Meta(pattern=_NAME_PATTERN, description=text)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables: immutable, and unknown keys are errors."""


class System(Section, frozen=True, kw_only=True):
    """The run as a whole."""

    name: Annotated[str, _name("name of the run, used for the run directory")] = "iopf"
    seed: (
        Annotated[int, _in(0, 2**63 - 1, "seed of every random stream; none = from the clock")]
        | None
    ) = None
    duration_s: Annotated[float, _in(0, 86400, "duration; 0 = until all work is done")] = 0.0
    watchdog_s: Annotated[
        float, _in(0.5, 3600, "abandon the run after this time without progress")
    ] = 5.0
    noise: Annotated[bool, _of("yield and sleep at random scheduling points")] = False
    noise_yield_in: Annotated[int, _in(1, 2**20, "noise: yield at one point in N")] = 32
    noise_sleep_in: Annotated[int, _in(1, 2**20, "noise: sleep at one point in N")] = 256
    board_mib: Annotated[
        int, _in(16, 2**20, "largest shared memory of the run; refused beyond")
    ] = 4096
    event_records: Annotated[int, _power(64, 2**20, "records in the event ring of a process")] = (
        4096
    )
    events: Annotated[
        Events,
        _of("what processes record for `iopf events`: all, groups (no single requests), none"),
    ] = "groups"


class Iommu(Section, frozen=True, kw_only=True):
    """The hardware between devices and kernel."""

    profile: Annotated[Profile, _of("IOMMU vendor: record layouts and rules")] = "vtd"
    prq_records: Annotated[int, _power(128, 16384, "size of the page request queue")] = 2048
    max_pasids: Annotated[int, _power(16, 65536, "size of the PASID space")] = 1024
    command_records: Annotated[int, _power(64, 65536, "size of the command queue")] = 1024
    units: Annotated[int, _in(1, 8, "number of IOMMUs; devices are assigned in turn")] = 1


class Kernel(Section, frozen=True, kw_only=True):
    """The emulated kernel."""

    generation: Annotated[
        Generation, _of("fault handling of a generation, or of a kernel version")
    ] = NEWEST
    handlers: Annotated[int, _in(1, 32, "processes in the fault handler pool")] = 2
    queues: Annotated[Queues, _of("sharing of an iopf queue and its workqueue")] = "iommu"
    options: Annotated[list[KernelOption], _of("proposals of reviewers, all off by default")] = (
        field(default_factory=list)
    )
    defects: Annotated[list[str], _of("historic bugs to enable, by slug: `iopf race list`")] = (
        field(default_factory=list)
    )
    groups: Annotated[int, _in(0, 2**20, "pool of group objects; 0 = derived")] = 0
    faults: Annotated[int, _in(0, 2**22, "pool of fault objects; 0 = derived")] = 0


class Workload(Section, frozen=True, kw_only=True):
    """The accesses of a device."""

    pattern: Annotated[Pattern, _of("order of page accesses")] = "sequential"
    groups: Annotated[
        int,
        _in(0, 2**40, "groups per device; 0 = until duration_s, or the end of the trace"),
    ] = 1000
    pages: Annotated[int, _in(1, 2**30, "working set")] = 65536
    stride_pages: Annotated[int, _in(1, 2**20, "strided: distance between groups")] = 16
    zipf_s: Annotated[float, _in(0.01, 10, "zipf: skew; larger = fewer hot pages")] = 1.1
    write_ratio: Annotated[float, _in(0, 1, "share of write requests")] = 0.3
    exec_ratio: Annotated[float, _in(0, 1, "share of execute requests")] = 0.0
    burst_groups: Annotated[int, _in(1, 2**20, "bursts: groups sent back to back")] = 32
    gap_ns: Annotated[int, _in(0, 10**12, "pause between groups, or between bursts")] = 0
    interleave: Annotated[
        int, _in(1, 512, "groups with interleaved requests; 1 = no interleaving")
    ] = 1
    private_ratio: Annotated[
        float, _in(0, 1, "share of requests with private data (VT-d revisions 3.x)")
    ] = 0.0
    requests: Annotated[
        Literal["absent", "always"],
        _of("absent = request pages without a translation; always = request every access"),
    ] = "absent"


class Device(Section, frozen=True, kw_only=True):
    """A PCIe function, or `count` equal ones."""

    name: Annotated[str, _name("name; `name-0`, `name-1` ... when count > 1")] | None = None
    count: Annotated[int, _in(1, DEVICES_MAX, "number of instances")] = 1
    credits: Annotated[int, _in(1, 32768, "outstanding page requests allowed (PRI)")] = 32
    groups_in_flight: Annotated[int, _in(1, 512, "groups waiting for their answer")] = 16
    group_pages: Annotated[int, _in(1, 64, "page requests in a group; <= credits")] = 4
    tenant: Annotated[str, _name("tenant whose memory it uses; none = assigned in turn")] | None = (
        None
    )
    stop: Annotated[
        Literal["marker", "wait"], _of("stop by a stop marker, or by waiting for all answers")
    ] = "wait"
    atc_entries: Annotated[int, _in(1, 2**20, "size of its translation cache")] = 256
    max_pasids: Annotated[int, _in(0, 65536, "PASID limit; 0 = that of the IOMMU")] = 0
    release_domain: Annotated[
        Literal["blocking", "identity"],
        _of("domain of its RID after removal (v6.9 and later)"),
    ] = "blocking"
    dtlb_extra_inval: Annotated[
        bool,
        _of("completes an ATC invalidation before its posted writes; v6.2 and later send a second"),
    ] = False
    max_retries: Annotated[int, _in(0, 2**20, "retries of a group after Success; 0 = no limit")] = 0
    workload: Annotated[Workload, _of("its accesses")] = field(default_factory=Workload)


class Tenant(Section, frozen=True, kw_only=True):
    """A process that owns an address space, or `count` equal ones."""

    name: Annotated[str, _name("name; `name-0`, `name-1` ... when count > 1")] | None = None
    count: Annotated[int, _in(1, TENANTS_MAX, "number of instances")] = 1
    vmas: Annotated[int, _in(1, 10_000, "mapped areas")] = 16
    pages: Annotated[int, _in(1, 2**30, "mapped pages over all areas; >= vmas")] = 65536
    bind: Annotated[
        Annotated[list[str], Meta(max_length=DEVICES_MAX)] | Literal["all"],
        _of("names of the devices it binds"),
    ] = "all"


class Program(Section, frozen=True, kw_only=True):
    """Operations of tenants, devices and drivers instead of workloads: `iopf help programs`."""

    name: Annotated[str, _name("name for reports")] | None = None
    ops: Annotated[
        list[str], Meta(max_length=4096, description="operations, like 'bind d0 t0', in order")
    ] = field(default_factory=list)


class Faults(Section, frozen=True, kw_only=True):
    """Cost of resolving a fault, and the share of invalid requests."""

    minor_ns: Annotated[int, _in(0, 10**10, "service time of a minor fault")] = 0
    major_ns: Annotated[int, _in(0, 10**10, "service time of a major fault")] = 0
    major_ratio: Annotated[float, _in(0, 1, "share of faults that are major")] = 0.0
    jitter: Annotated[
        Literal["fixed", "exponential"], _of("times are constant, or means of a distribution")
    ] = "fixed"
    invalid_ratio: Annotated[float, _in(0, 1, "share of requests outside every mapping")] = 0.0


class Trace(Section, frozen=True, kw_only=True):
    """Recorded faults, for devices whose workload pattern is `replay`."""

    files: Annotated[
        list[str],
        Meta(max_length=64, description="shipped names, paths relative to this file, or `-`"),
    ] = field(default_factory=list)
    speed: Annotated[
        Annotated[float, Meta(ge=0.001, le=1_000_000)] | Literal["max"],
        _of("speed relative to the recording; max = without pauses"),
    ] = "max"
    group_limit: Annotated[int, _in(1, 64, "maximum neighbouring faults in one group")] = 16
    lenient: Annotated[bool, _of("skip and count unreadable lines")] = False
    max_events: Annotated[
        int, _in(1, 10**8, "refuse traces with more events; each takes about 1 KB of memory")
    ] = 250_000


class Checks(Section, frozen=True, kw_only=True):
    """Oracles enabled during the run."""

    account: Annotated[bool, _of("every request is answered, in flight, or lost with a reason")] = (
        True
    )
    lockdep: Annotated[bool, _of("order of lock classes")] = True
    poison: Annotated[bool, _of("use of freed objects")] = True
    ref_limit: Annotated[
        int, _in(0, 2**30, "reference count that is a violation; 0: only saturation")
    ] = 0
    known: Annotated[
        Literal["fail", "count"],
        _of("known uses of freed groups: fail the run, or count and contain them"),
    ] = "fail"
    warnings: Annotated[
        Literal["fail", "count"],
        _of("true WARN_ONs of the kernel: fail the run, or only count them"),
    ] = "fail"


class Scenario(Section, frozen=True, kw_only=True):
    """A whole scenario. Every section is optional."""

    schema: Annotated[Literal[1], _of("version of this format; must be the first key")] = 1
    system: System = field(default_factory=System)
    iommu: Iommu = field(default_factory=Iommu)
    kernel: Kernel = field(default_factory=Kernel)
    faults: Faults = field(default_factory=Faults)
    trace: Trace = field(default_factory=Trace)
    checks: Checks = field(default_factory=Checks)
    device: Annotated[list[Device], Meta(min_length=1, max_length=DEVICES_MAX)] = field(
        default_factory=lambda: [Device()]
    )
    tenant: Annotated[list[Tenant], Meta(min_length=1, max_length=TENANTS_MAX)] = field(
        default_factory=lambda: [Tenant()]
    )
    program: Annotated[list[Program], Meta(max_length=PROGRAMS_MAX)] = field(default_factory=list)


TABLES: dict[str, type[Section]] = {
    "system": System,
    "iommu": Iommu,
    "kernel": Kernel,
    "faults": Faults,
    "trace": Trace,
    "checks": Checks,
}
LISTS: dict[str, type[Section]] = {"device": Device, "tenant": Tenant, "program": Program}
# Minimum and maximum number of entries of each list.
LIST_LIMITS: dict[str, tuple[int, int]] = {
    "device": (1, DEVICES_MAX),
    "tenant": (1, TENANTS_MAX),
    "program": (0, PROGRAMS_MAX),
}
