# SPDX-License-Identifier: MIT
"""Random programs for a stress run: every line may fail, every program repeats until the end.

The seed determines the programs, and the scenario's seed their choices at run time, so the same command gives the same programs. The
interleaving depends on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from iopf.tools.stress.mix import DRIVER, TENANT, Mix

PAGES = 64  # mapped by a tenant
STEP = 16
STRAY_PASID = 800
PLUGGED_MAX = 128  # devices that one driver removes and plugs, limited by the size of its program
USER_PASID = 900  # the first PASID of VMMs; lower ones belong to address spaces
PASIDS_PER_VMM = 4
IOASID = 4000  # above the PASIDs that address spaces take from the same framework until v6.1
POOLS = ("fault", "group", "param", "handle", "domain")
MM_NTH = 30  # after a failed mm allocation a tenant is idle until its next exec or exit

Choice = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Shape:
    """Numbers of tenants, VMMs and so on. A VMM is two tenants, which come last: one serves the fault object, one attaches domains."""

    devices: int
    tenants: int
    vmms: int

    @property
    def all_tenants(self) -> int:
        return self.tenants + 2 * self.vmms


def _forever(start: list[str], choices: list[Choice]) -> list[str]:
    """A program that repeatedly runs one of the choices, chosen by weight."""
    given = [(weight, lines) for weight, lines in choices if weight > 0]
    ops = [*start, "repeat forever"]
    for number, (weight, lines) in enumerate(given):
        ops += [f"{'or' if number else 'choose'} weight={weight}", *lines]
    return [*ops, "end", "end"]


def _partners(rng: Random, shape: Shape) -> list[list[int]]:
    """Devices by tenant: each device has one tenant, and some have a second one."""
    bound: list[list[int]] = [[] for _ in range(shape.tenants)]
    for device in range(shape.devices):
        bound[device % shape.tenants].append(device)
        if shape.tenants > 1 and rng.random() < 0.5:
            other = rng.randrange(shape.tenants)
            if device not in bound[other]:
                bound[other].append(device)
    return bound


def _tenant(t: int, devices: list[int], rng: Random, mix: Mix) -> list[str]:
    def at() -> int:
        return rng.randrange(0, PAGES - STEP + 1)

    bind_all = [f"bind d{d} t{t} try" for d in devices]
    plain: dict[str, list[str]] = {
        "rest": [f"t{t}: pause {rng.randint(1, 5)}ms"],
        "map": [f"map t{t} {PAGES} try", f"map t{t} {STEP} at={at()} try"],
        "unmap": [f"unmap t{t} {STEP} at={at()} try"],
        "protect": [f"protect t{t} {STEP} at={at()} prot=r try"],
        "zap": [f"zap t{t} {2 * STEP} at={at() // 2} try"],
        "touch": [f"touch t{t} {STEP // 2} at={at()} try"],
        "exec": [f"exec t{t} try", f"map t{t} {PAGES} try", *bind_all],
        "spawn": [f"spawn t{t} try", f"map t{t} {PAGES} try", *bind_all],
    }
    scale = max(len(devices), 1)
    choices = [(mix[name] * scale, plain[name]) for name in TENANT if name in plain]
    for d in devices:
        choices += [
            (mix["bind"], [f"bind d{d} t{t} try"]),
            (mix["unbind"], [f"unbind d{d} t{t} try"]),
            (mix["rebind"], [f"rebind d{d} t{t} try"]),
        ]
    return _forever([f"map t{t} {PAGES} try", *bind_all], choices)


def _vmm(number: int, first: int, devices: list[int], rng: Random, mix: Mix) -> list[list[str]]:
    """Two programs: tenant `first` serves the fault object, the next one attaches and detaches domains."""
    server, manager, fault = first, first + 1, f"f{number}"
    # Only the manager rests: faults should wait only while the object is closed or a group is kept.
    serving: list[Choice] = [
        (mix["serve"], [f"serve {fault} t{server} groups={rng.randint(2, 8)} code=success try"]),
        (mix["serve"] // 4, [f"serve {fault} t{server} groups=1 code=invalid try"]),
        (mix["read"], [f"read {fault} t{server} bytes={40 * rng.randint(1, 12)} try"]),
        (mix["write"], [f"write {fault} t{server} cookie={rng.randint(1, 9999)} code=success try"]),
        (mix["write"], [f"write {fault} t{server} nth=0 code={rng.choice([2, 15])} try"]),
        (
            mix["close"],
            [f"fault-close t{server} {fault} try", f"fault-alloc t{server} {fault} try"],
        ),
        (1, [f"t{server}: pause 1ms"]),
    ]
    managing: list[Choice] = [(mix["rest"], [f"t{manager}: pause {rng.randint(1, 5)}ms"])]
    for pasid, d in user_pasids(number, devices):
        where = f"d{d} t{manager} pasid={pasid}"
        for domain in ("paging", "blocking", "identity", f"fault fault={fault}"):
            weight = 3 if "fault" in domain else 1
            managing += [
                (mix["attach"] * weight, [f"attach {where} domain={domain} try"]),
                (mix["replace"] * weight, [f"replace {where} domain={domain} try"]),
            ]
        managing.append((mix["detach"], [f"detach {where} try"]))
    return [
        _forever([f"fault-alloc t{server} {fault} try"], serving),
        _forever([f"map t{manager} {PAGES} try"], managing),
    ]


def user_pasids(number: int, devices: list[int]) -> Iterator[tuple[int, int]]:
    """(PASID, device) of the attachments of a VMM."""
    for n, device in enumerate(devices):
        yield USER_PASID + number * PASIDS_PER_VMM + n, device


def _device(d: int, tenants: list[int], pasids: list[int], rng: Random, mix: Mix) -> list[str]:
    def at() -> int:
        return rng.randrange(PAGES - 8)

    choices: list[Choice] = [
        (mix["idle"], [f"d{d}: pause {rng.randint(100, 3000)}us"]),
        (mix["await"], [f"await d{d} try"]),
        (mix["stray"], [f"send d{d} pasid={STRAY_PASID} pages={rng.randint(1, 3)} try"]),
    ]
    for number, t in enumerate(tenants):
        to, rw = f"send d{d} t{t}", rng.choice(["r", "w", "rw"])
        label = f"open-{number}"
        first, second = (f"{to} pages={rng.randint(1, 3)} at={at()} group={label}" for _ in "12")
        choices += [
            (mix["send"], [f"{to} pages=1 at={at()} rw={rw} try"]),
            (mix["send"], [f"{to} pages={rng.randint(2, 8)} at={at()} rw={rw} try"]),
            (mix["open"], [f"{first} open try", f"{second} try"]),
            (mix["hole"], [f"{to} pages=2 at={PAGES + rng.randrange(4096)} try"]),
            (
                mix["access"],
                [f"translate d{d} t{t} pages={rng.randint(1, 8)} at={at()} rw={rw} try"],
            ),
            (mix["marker"], [f"marker d{d} t{t} try"]),
        ]
    for pasid in pasids:
        text = f"send d{d} pasid={pasid} pages={rng.randint(1, 4)} at={at()} try"
        choices.append((mix["user"], [text]))
        text = f"translate d{d} pasid={pasid} pages={rng.randint(1, 4)} at={at()} try"
        choices.append((mix["access"], [text]))
    if not any(mix[name] for name in ("idle", "await")):
        choices.append((1, [f"await d{d} try"]))
    return _forever([], choices)


def _hotplug(devices: list[int], rng: Random, mix: Mix) -> list[str]:
    choices: list[Choice] = [(mix["quiet"], [f"k0: pause {rng.randint(2, 12)}ms"])]

    def again(d: int) -> list[str]:
        return ["k0: let-go workers", "k0: pause 1ms", f"queue-add d{d} try"]

    for d in devices:
        gap = f"k0: pause {rng.randint(100, 4000)}us"
        choices += [
            (mix["remove"], [f"remove d{d} try", gap, f"plug d{d} try"]),
            (mix["unqueue"], [f"queue-remove d{d} try", gap, f"queue-add d{d} try"]),
            (mix["unqueue"], ["k0: hold workers", gap, f"queue-remove d{d} try", *again(d)]),
            (mix["flush"], [f"flush d{d} try"]),
        ]
    # The same pause for any number of devices.
    weight, lines = choices[0]
    choices[0] = (weight * max(len(devices), 1), lines)
    return _forever([], choices)


def _disturber(devices: int, rng: Random, mix: Mix) -> list[str]:
    choices: list[Choice] = [(mix["quiet"], [f"k1: pause {rng.randint(2, 12)}ms"])]
    choices += [(mix["fail"], [f"k1: fail {pool} nth={rng.randint(1, 9)}"]) for pool in POOLS]
    choices.append((mix["fail"], [f"k1: fail mm nth={rng.randint(MM_NTH // 2, MM_NTH)}"]))
    stand_still = f"pause {rng.randint(1, 8)}ms"
    choices += [
        (mix["refuse"], [f"k1: refuse {rng.randint(1, 4)}"]),
        (mix["overflow"], ["k1: hold irq", f"k1: {stand_still}", "k1: let-go irq"]),
        (mix["backlog"], ["k1: hold workers", f"k1: {stand_still}", "k1: let-go workers"]),
    ]
    number = f"id={IOASID}"
    ioasid = [
        f"k1: ioasid-alloc set=7 min={IOASID} max={IOASID} try",
        f"k1: ioasid-set {number} try",
    ]
    ioasid += [f"k1: ioasid-find set=7 {number} try", f"k1: ioasid-free {number} try"]
    choices.append((mix["ioasid"], ioasid))
    if reports(devices, mix):
        # On behalf of a device that sends nothing, so that the answer cannot match one of its groups.
        event = f"k1: report d{devices - 1} pasid={STRAY_PASID} prgi={rng.randrange(512)}"
        choices += [
            (mix["report"], [f"{event} type=2 try"]),
            (mix["report"], [f"{event} open try", f"{event} try"]),
        ]
    return _forever([], choices)


def _repairer(devices: int) -> list[str]:
    """Recovery by device drivers after a Response Failure, for one device after the other."""
    recoveries = [f"k2: recover d{d} try" for d in range(devices)]
    return ["repeat forever", *recoveries, "k2: pause 5ms", "end"]


def reports(devices: int, mix: Mix) -> bool:
    """Whether the last device is silent because drivers report events on its behalf."""
    return devices > 1 and mix["report"] > 0


def stress_programs(shape: Shape, seed: int, mix: Mix) -> list[list[str]]:
    """The operations of every program of the run, in this order: tenants, VMMs, devices, drivers."""
    rng = Random(seed)
    bound = _partners(rng, shape)
    programs = [_tenant(t, devices, rng, mix) for t, devices in enumerate(bound)]
    user: dict[int, list[int]] = {}
    for number in range(shape.vmms):
        devices = rng.sample(range(shape.devices), min(PASIDS_PER_VMM, shape.devices))
        for pasid, device in user_pasids(number, devices):
            user.setdefault(device, []).append(pasid)
        programs += _vmm(number, shape.tenants + 2 * number, devices, rng, mix)
    for device in range(shape.devices):
        tenants = [t for t, devices in enumerate(bound) if device in devices]
        if device == shape.devices - 1 and reports(shape.devices, mix):
            programs.append([f"d{device}: pause 1ms"])
            continue
        programs.append(_device(device, tenants, user.get(device, []), rng, mix))
    if any(mix[name] for name in DRIVER):
        plugged = sorted(rng.sample(range(shape.devices), min(PLUGGED_MAX, shape.devices)))
        programs += [_hotplug(plugged, rng, mix), _disturber(shape.devices, rng, mix)]
    programs.append(_repairer(shape.devices))
    return programs
