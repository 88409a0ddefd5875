"""The sections of a scenario and their fields: type, bounds, default and meaning.

This file is the only place where a default or a bound is written down. `iopf help scenario`, the
JSON schema for editors and `iopf show` are generated from it. Units are in the field names
(`_s`, `_ns`, `_pages`); a record is one page request, a group is what shares one answer.
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
Pattern = Literal["sequential", "strided", "zipf", "chase", "bursts", "replay"]

# Known names that this version cannot run are refused with exit status 4, not taken for typing
# errors: a campaign that names them is skipped, not failed.
SUPPORTED_PROFILES: frozenset[str] = frozenset({"vtd"})
PATTERNS: tuple[str, ...] = get_args(Pattern)
PROFILES: tuple[str, ...] = get_args(Profile)

DEVICES_MAX = 256
TENANTS_MAX = 64
PROGRAMS_MAX = 328  # each device, tenant and driver may have its own

_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"


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
    """What all tables share: immutable once read, and no key passes unnoticed."""


class System(Section, frozen=True, kw_only=True):
    """The run as a whole."""

    name: Annotated[str, _name("name of the run, used for the run directory")] = "iopf"
    seed: (
        Annotated[int, _in(0, 2**63 - 1, "seed of every random stream; none = from the clock")]
        | None
    ) = None
    duration_s: Annotated[float, _in(0, 86400, "how long to run; 0 = until the work is done")] = 0.0
    watchdog_s: Annotated[float, _in(0.5, 3600, "give up when nothing moved for so long")] = 5.0
    noise: Annotated[bool, _of("yield and sleep at random scheduling points")] = False
    noise_yield_in: Annotated[int, _in(1, 2**20, "noise: yield at one point in N")] = 32
    noise_sleep_in: Annotated[int, _in(1, 2**20, "noise: sleep at one point in N")] = 256
    event_records: Annotated[int, _power(64, 2**20, "records in the event ring of a process")] = (
        4096
    )


class Iommu(Section, frozen=True, kw_only=True):
    """The hardware between devices and kernel."""

    profile: Annotated[Profile, _of("whose IOMMU: record layouts and rules")] = "vtd"
    prq_records: Annotated[int, _power(128, 16384, "size of the page request queue")] = 2048
    max_pasids: Annotated[int, _power(16, 65536, "size of the PASID space")] = 1024
    command_records: Annotated[int, _power(64, 65536, "size of the command queue")] = 1024
    units: Annotated[int, _in(1, 8, "IOMMUs; devices are behind them in turn")] = 1


class Kernel(Section, frozen=True, kw_only=True):
    """The emulated kernel."""

    generation: Annotated[
        Generation, _of("whose fault handling: a generation, or a kernel version")
    ] = NEWEST
    handlers: Annotated[int, _in(1, 32, "processes in the fault handler pool")] = 2
    queues: Annotated[Queues, _of("who shares an iopf queue and its workqueue")] = "iommu"
    options: Annotated[list[KernelOption], _of("proposals of reviewers, all off by default")] = (
        field(default_factory=list)
    )
    defects: Annotated[list[str], _of("historic bugs put back, by slug: `iopf race list`")] = field(
        default_factory=list
    )
    groups: Annotated[int, _in(0, 2**20, "pool of group objects; 0 = derived")] = 0
    faults: Annotated[int, _in(0, 2**22, "pool of fault objects; 0 = derived")] = 0


class Workload(Section, frozen=True, kw_only=True):
    """What a device asks for."""

    pattern: Annotated[Pattern, _of("order in which pages are touched")] = "sequential"
    groups: Annotated[
        int,
        _in(0, 2**40, "groups each device sends; 0 = until duration_s, or the end of the trace"),
    ] = 1000
    pages: Annotated[int, _in(1, 2**30, "working set")] = 65536
    stride_pages: Annotated[int, _in(1, 2**20, "strided: distance of two groups")] = 16
    zipf_s: Annotated[float, _in(0.01, 10, "zipf: skew; larger = fewer hot pages")] = 1.1
    write_ratio: Annotated[float, _in(0, 1, "share of requests that ask to write")] = 0.3
    exec_ratio: Annotated[float, _in(0, 1, "share of requests that ask to execute")] = 0.0
    burst_groups: Annotated[int, _in(1, 2**20, "bursts: groups sent back to back")] = 32
    gap_ns: Annotated[int, _in(0, 10**12, "pause between groups, or between bursts")] = 0
    interleave: Annotated[
        int, _in(1, 512, "groups whose requests are sent in turn; 1 = group after group")
    ] = 1
    private_ratio: Annotated[
        float, _in(0, 1, "share of requests with private data (VT-d revisions 3.x)")
    ] = 0.0
    requests: Annotated[
        Literal["absent", "always"],
        _of("absent = only for pages without a translation; always = for every access"),
    ] = "absent"


class Device(Section, frozen=True, kw_only=True):
    """A PCIe function, or `count` equal ones."""

    name: Annotated[str, _name("name; `name-0`, `name-1` ... when count > 1")] | None = None
    count: Annotated[int, _in(1, DEVICES_MAX, "how many of this kind")] = 1
    credits: Annotated[int, _in(1, 32768, "outstanding page requests allowed (PRI)")] = 32
    groups_in_flight: Annotated[int, _in(1, 512, "groups that may wait for their answer")] = 16
    group_pages: Annotated[int, _in(1, 64, "page requests in a group; <= credits")] = 4
    tenant: Annotated[str, _name("tenant whose memory it uses; none = in turn")] | None = None
    stop: Annotated[
        Literal["marker", "wait"], _of("how it stops: stop marker, or wait for all answers")
    ] = "wait"
    atc_entries: Annotated[int, _in(1, 2**20, "size of its translation cache")] = 256
    max_pasids: Annotated[int, _in(0, 65536, "PASIDs it can have; 0 = all of the IOMMU")] = 0
    release_domain: Annotated[
        Literal["blocking", "identity"],
        _of("what its RID is left with at removal (v6.9 and later)"),
    ] = "blocking"
    max_retries: Annotated[int, _in(0, 2**20, "tries of a group after Success; 0 = no bound")] = 0
    workload: Annotated[Workload, _of("what it asks for")] = field(default_factory=Workload)


class Tenant(Section, frozen=True, kw_only=True):
    """A process that owns an address space, or `count` equal ones."""

    name: Annotated[str, _name("name; `name-0`, `name-1` ... when count > 1")] | None = None
    count: Annotated[int, _in(1, TENANTS_MAX, "how many of this kind")] = 1
    vmas: Annotated[int, _in(1, 10_000, "mapped areas")] = 16
    pages: Annotated[int, _in(1, 2**30, "mapped pages over all areas; >= vmas")] = 65536
    bind: Annotated[
        Annotated[list[str], Meta(max_length=DEVICES_MAX)] | Literal["all"],
        _of("names of the devices it binds"),
    ] = "all"


class Program(Section, frozen=True, kw_only=True):
    """What tenants, devices and drivers do instead of their workload: `iopf help programs`."""

    name: Annotated[str, _name("name for reports")] | None = None
    ops: Annotated[
        list[str], Meta(max_length=4096, description="operations, like 'bind d0 t0', in order")
    ] = field(default_factory=list)


class Faults(Section, frozen=True, kw_only=True):
    """What resolving a fault costs, and how many requests are wrong on purpose."""

    minor_ns: Annotated[int, _in(0, 10**10, "service time of a minor fault")] = 0
    major_ns: Annotated[int, _in(0, 10**10, "service time of a major fault")] = 0
    major_ratio: Annotated[float, _in(0, 1, "share of faults that are major")] = 0.0
    jitter: Annotated[
        Literal["fixed", "exponential"], _of("the times are exact, or means of a distribution")
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
        _of("times faster than recorded; max = without pauses"),
    ] = "max"
    group_limit: Annotated[int, _in(1, 64, "neighbouring faults put into one group")] = 16
    lenient: Annotated[bool, _of("skip lines that cannot be read, and count them")] = False


class Checks(Section, frozen=True, kw_only=True):
    """Oracles that are on during the run."""

    account: Annotated[bool, _of("every request is answered, in flight or lost by name")] = True
    lockdep: Annotated[bool, _of("order of lock classes")] = True
    poison: Annotated[bool, _of("use of freed objects")] = True
    ref_limit: Annotated[
        int, _in(0, 2**30, "references to one object that are too many; 0: those that saturate")
    ] = 0
    known: Annotated[
        Literal["fail", "count"],
        _of(
            "use of freed groups that the generation is known for: fails the run, or is counted and contained"
        ),
    ] = "fail"


class Scenario(Section, frozen=True, kw_only=True):
    """A whole scenario. Every section may be left out."""

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
# Fewest and most entries of each list.
LIST_LIMITS: dict[str, tuple[int, int]] = {
    "device": (1, DEVICES_MAX),
    "tenant": (1, TENANTS_MAX),
    "program": (0, PROGRAMS_MAX),
}
