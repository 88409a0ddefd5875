"""The objects of the path, with the kernel's names. They hold state and know no rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

SUCCESS, INVALID, FAILURE = 0, 1, 15
ENOENT, EBADF, ENOMEM, EFAULT, EBUSY, ENODEV, EINVAL, ESPIPE, EOPNOTSUPP = (
    -2, -9, -12, -14, -16, -19, -22, -29, -95,
)  # fmt: skip
RID = 0  # the slot of requests without PASID, as IOMMU_NO_PASID


class DomainKind(Enum):
    """What a domain does with faults: only `SVA` and `FAULT` have a handler."""

    BLOCKING = 1
    IDENTITY = 2
    PAGING = 3
    FAULT = 4
    SVA = 5


@dataclass(eq=False, slots=True)
class Mm:
    """An address space: page number -> protection bits (1 read, 2 write, 4 execute)."""

    pages: dict[int, int] = field(default_factory=dict)
    alive: bool = True
    pasid: int = 0


@dataclass(eq=False, slots=True)
class Request:
    """One page request. `kind` 1 is a page request, everything else is none."""

    device: Device
    pasid: int | None
    prgi: int
    page: int
    perm: int
    last: bool
    kind: int = 1

    @property
    def slot(self) -> int:
        """Where its handler is looked up: its PASID, or the RID."""
        return RID if self.pasid is None else self.pasid


@dataclass(eq=False, slots=True)
class Group:
    """A page request group: its requests in order of arrival, the last one at the end.

    `pending` while a list of its device has it. `answered` stops a second answer where the
    generation looks at it. `freed_by` names who freed it: a later use is a use after free.
    """

    requests: list[Request]
    param: FaultParam | None = None
    handle: Handle | None = None
    domain: Domain | None = None
    pending: bool = False
    answered: bool = False
    freed_by: str | None = None

    @property
    def last(self) -> Request:
        return self.requests[-1]

    @property
    def device(self) -> Device:
        return self.last.device


@dataclass(eq=False, slots=True)
class FaultParam:
    """A device's place on an IOPF queue (v5.13: iopf_device_param): its partials, its groups."""

    partial: list[Request] = field(default_factory=list)
    faults: list[Group] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Domain:
    """An I/O page table and what becomes of its faults."""

    kind: DomainKind
    mm: Mm | None = None
    sink: FaultObject | None = None

    @property
    def handles_faults(self) -> bool:
        return self.kind in (DomainKind.SVA, DomainKind.FAULT)


@dataclass(eq=False, slots=True)
class Handle:
    """The attachment of a domain to (device, PASID or RID)."""

    domain: Domain
    device: Device
    slot: int


@dataclass(eq=False, slots=True)
class FaultObject:
    """A queue of iommufd: groups not yet read, groups with user space by cookie, cookies read."""

    deliver: list[Group] = field(default_factory=list)
    response: dict[int, Group] = field(default_factory=dict)
    read: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Device:
    """A function and what the kernel keeps for it.

    `slots` is the PASID table of the hardware and the array of handles in one; `quiet` are PASIDs
    whose address space has ended while bound. `handler` and `copies` are of kernels to v6.8: the
    registered fault handler and the pending responses. `labels` maps a PRGI to the group that used
    it last, which is how the device knows what an answer is for; `sending` has the PRGI of groups whose
    last request has not been sent, `waiting` the labels that have no answer yet. A Failure sets `pri_off` (PCIe: RF)
    until the driver plugs the function in anew.
    """

    index: int
    registered: bool = True
    param: FaultParam | None = None
    slots: dict[int, Handle] = field(default_factory=dict)
    quiet: set[int] = field(default_factory=set)
    iopf_users: int = 0
    handler: bool = True
    copies: list[Group] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    sending: dict[str, int] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    next_prgi: int = 0
    pri_off: bool = False


@dataclass(eq=False, slots=True)
class Tenant:
    """A process: its address space, and the handles of its bound devices."""

    index: int
    mm: Mm | None = None
    files: dict[int, Handle] = field(default_factory=dict)
    born: bool = True
