# SPDX-License-Identifier: MIT
"""The objects of the path, with the kernel's names. They have state and no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

SUCCESS, INVALID, FAILURE = 0, 1, 15
ENOENT, EBADF, ENOMEM, EFAULT, EBUSY, ENODEV, EINVAL, ESPIPE, EOPNOTSUPP = (
    -2, -9, -12, -14, -16, -19, -22, -29, -95,
)  # fmt: skip
RID = 0  # the slot of requests without PASID, as IOMMU_NO_PASID


class DomainKind(Enum):
    """Fault handling of a domain: only `SVA` and `FAULT` have a handler."""

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
    """One page request. `kind` 1 is a page request, other values are not."""

    device: Device
    pasid: int | None
    prgi: int
    page: int
    perm: int
    last: bool
    kind: int = 1

    @property
    def slot(self) -> int:
        """The key for its handler: its PASID, or the RID."""
        return RID if self.pasid is None else self.pasid


@dataclass(eq=False, slots=True)
class Group:
    """A page request group: its requests in order of arrival, the last one at the end.

    `pending` while it is on a list of its device. `answered` suppresses a second answer in generations that check it. `freed_by` names the
    code that freed it: a later use is a use after free.
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
    """A device's entry on an IOPF queue (v5.13: iopf_device_param): its partials, its groups."""

    partial: list[Request] = field(default_factory=list)
    faults: list[Group] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Domain:
    """An I/O page table and its fault handling."""

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
    users: int = 1


@dataclass(eq=False, slots=True)
class FaultObject:
    """A queue of iommufd: groups not yet read, groups with user space by cookie, cookies read."""

    deliver: list[Group] = field(default_factory=list)
    response: dict[int, Group] = field(default_factory=dict)
    read: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Device:
    """A function and the kernel's state for it.

    `slots` is the PASID table of the hardware and the array of handles in one; `quiet` are PASIDs whose address space died while bound.
    `handler` and `copies` exist to v6.8: the registered fault handler and the pending responses. `labels` maps a PRGI to its last group, so
    that the device can match an answer; `sending` has the PRGI of groups without their last request, `waiting` the labels without an
    answer. A Failure sets `pri_off` (PCIe: RF) until the driver plugs the function again.
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
