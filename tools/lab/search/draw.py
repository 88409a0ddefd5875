# SPDX-License-Identifier: MIT
"""Random programs within the contracts: operations that a driver, tenant or function may do at any time, in random order.

The system is a configuration at random (`tools/configuration.py`). Every program belongs to one actor. Lines before `start` set the
system up; lines after it run concurrently and may fail. Excluded are operations whose contract requires a drain first
(`queue-remove`), operations that make answers themselves (`report`, `respond`, `reset`), and operations that wait for others
(`serve`, `barrier`). Some draws are invalid, such as a line after `exit`; `build_lab` rejects those and the next program is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from iopf.emulator.spec.kernels import NEWEST, since, span
from iopf.tools.configuration import Configuration, draw_configuration, needs

NEWER = since("v6.11")
REGISTERING = span("v5.13", "v6.2")  # drivers register fault handlers
_PASIDS = (5, 6)
_MOST_LINES = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """Programs and tables, as `build_lab` takes them."""

    programs: list[list[str]]
    tables: dict[str, Any]
    queue_records: int = 0
    generation: str = NEWEST
    made_by: str = "drawn"
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        return {**self.tables, "queue_records": self.queue_records}


def tables_of(drawn: Configuration, tenants: int, defects: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a system of this configuration. Options that keep most draws from failing in the one known way of the catalogue are
    always on."""
    made = drawn.tables(needs(drawn.generation))
    return {
        "kernel": {**made["kernel"], "defects": list(defects)},
        "iommu": made["iommu"],
        "device": [{"count": drawn.devices, **made["device"]}],
        "tenant": [{"count": tenants}],
    }


def _configuration(random: Random, generation: str, devices: int) -> Configuration:
    # A group of a program has up to three requests, and a program keeps several open.
    return draw_configuration(
        random,
        generation=generation,
        devices=devices,
        credits=random.choice((8, 32)),
        handlers=random.choice((1, 1, 2)),
    )


def draw(random: Random, generation: str, defects: Sequence[str] = ()) -> Drawn:
    """Draw a system and its programs. `defects`: historic bugs to enable."""
    devices, tenants = random.choice((1, 1, 1, 2, 3)), random.choice((1, 1, 2))
    numbers = {"devices": devices, "tenants": tenants}
    programs = [_tenant(random, generation, t, devices) for t in range(tenants)]
    programs += [_device(random, generation, d, tenants) for d in range(devices)]
    programs += [
        _start(f"k{k}", [], _lines(random, lambda: _driver_line(random, generation, devices)))
        for k in range(random.choice((0, 0, 1, 1, 2)))
    ]
    configuration = _configuration(random, generation, devices)
    tables = tables_of(configuration, tenants, defects)
    return Drawn(programs, tables, random.choice((0, 0, 8)), generation, "drawn", numbers)


def mutate(random: Random, drawn: Drawn) -> Drawn:
    """Add, remove or replace a line; sometimes draw another configuration."""
    programs = [list(program) for program in drawn.programs]
    number = random.randrange(len(programs))
    program = programs[number]
    start = next(i for i, line in enumerate(program) if line.endswith("start"))
    actor = program[start].split(":")[0]
    change = random.random()
    if change < 0.1:
        other = _configuration(random, drawn.generation, drawn.numbers["devices"])
        tables = tables_of(other, drawn.numbers["tenants"], drawn.tables["kernel"]["defects"])
        return replace(drawn, tables=tables, queue_records=random.choice((0, 8)), made_by="mutated")
    if change < 0.4 and len(program) > start + 2:
        del program[random.randrange(start + 1, len(program))]
    else:
        line = _line(random, drawn, actor)
        if change < 0.7 and len(program) > start + 1:
            program[random.randrange(start + 1, len(program))] = line
        elif len(program) <= start + _MOST_LINES + 1:
            program.insert(random.randrange(start + 1, len(program) + 1), line)
    return replace(drawn, programs=programs, made_by="mutated")


def _line(random: Random, drawn: Drawn, actor: str) -> str:
    devices, tenants = drawn.numbers["devices"], drawn.numbers["tenants"]
    if actor.startswith("t"):
        t = int(actor[1:])
        opened = any(
            line.startswith(f"fault-alloc t{t}") for program in drawn.programs for line in program
        )
        return _tenant_line(random, drawn.generation, t, devices, opened=opened)
    if actor.startswith("d"):
        return _device_line(random, drawn.generation, int(actor[1:]), tenants)
    return f"{actor}: {_driver_line(random, drawn.generation, devices)}"


def _lines(random: Random, one: Any) -> list[str]:
    return [one() for _ in range(random.randint(1, _MOST_LINES))]


def _start(actor: str, before: list[str], behind: list[str]) -> list[str]:
    """Lines whose verb names the actor have no prefix; a driver's lines always have one."""
    if actor.startswith("k"):
        behind = [f"{actor}: {line}" for line in behind]
    return [*before, f"{actor}: start", *behind]


def _tenant(random: Random, generation: str, t: int, devices: int) -> list[str]:
    before = [f"map t{t} 4"]
    before += [f"bind d{d} t{t}" for d in range(devices)]
    if generation in NEWER and random.random() < 0.4:
        before.append(f"fault-alloc t{t} f{t}")
        before.append(
            f"attach d{random.randrange(devices)} t{t} pasid={_PASIDS[t]} {_domain(random, t)}"
        )
    opened = len(before) > devices + 1
    return _start(
        f"t{t}",
        before,
        _lines(random, lambda: _tenant_line(random, generation, t, devices, opened=opened)),
    )


def _domain(random: Random, t: int, *, opened: bool = True) -> str:
    kinds = ("domain=paging", "domain=identity", "domain=blocking")
    return random.choice((f"domain=fault fault=f{t}", *kinds) if opened else kinds)


def _tenant_line(random: Random, generation: str, t: int, devices: int, *, opened: bool) -> str:
    return f"{random.choice(tenant_lines(random, generation, t, devices, opened=opened))} try"


def tenant_lines(
    random: Random, generation: str, t: int, devices: int, *, opened: bool
) -> list[str]:
    """One line of each operation that tenant `t` may do; `opened`: it has a fault object."""
    d, page = random.randrange(devices), random.randrange(4)
    common = [
        f"unbind d{d} t{t}",
        f"unbind d{d} t{t}",
        f"bind d{d} t{t}",
        f"rebind d{d} t{t}",
        f"exit t{t}",
        f"exec t{t}",
        f"spawn t{t}",
        f"unmap t{t} 2 at={page}",
        f"map t{t} 4",
        f"protect t{t} 2 at={page} prot=r",
        f"zap t{t} 2 at={page}",
        f"touch t{t} 2 at={page}",
    ]
    if generation in NEWER:
        pasid = _PASIDS[t]
        common += [
            f"attach d{d} t{t} pasid={pasid} {_domain(random, t, opened=opened)}",
            f"replace d{d} t{t} pasid={pasid} {_domain(random, t, opened=opened)}",
            f"detach d{d} t{t} pasid={pasid}",
        ]
    if opened:
        common += [
            f"read f{t} t{t} bytes={random.choice((40, 80, 400))}",
            f"write f{t} t{t} nth={random.choice((0, 1))} code={random.choice(('success', 'invalid'))}",
            f"fault-close t{t} f{t}",
        ]
    return common


def _device(random: Random, generation: str, d: int, tenants: int) -> list[str]:
    before = [f"wait-bound d{d} t{t}" for t in range(tenants)]
    if random.random() < 0.3:
        before.append(f"send d{d} t0 pages=1 group=z prgi=5 open")
    return _start(
        f"d{d}", before, _lines(random, lambda: _device_line(random, generation, d, tenants))
    )


def _device_line(random: Random, generation: str, d: int, tenants: int) -> str:
    return f"{random.choice(device_lines(random, generation, d, tenants))} try"


def device_lines(random: Random, generation: str, d: int, tenants: int) -> list[str]:
    """One line of each operation that device `d` may do."""
    t = random.randrange(tenants)
    pages, group = random.choice((1, 1, 2, 3)), f"g{random.randrange(40)}"
    lines = [
        f"send d{d} t{t} pages={pages} group={group}",
        f"send d{d} t{t} pages={pages} group={group} retry",
        f"send d{d} t{t} pages={pages} group={group} open",
        f"send d{d} t0 pages={pages} group=z",
        f"send d{d} t{t} pages=1 at=9 group={group}",
        f"send d{d} t{t} pages={pages} rw=x group={group}",
        f"await d{d}",
        f"translate d{d} t{t} pages=2",
        f"marker d{d} t{t}",
    ]
    if generation in NEWER:
        lines.append(f"send d{d} pages={pages} pasid={_PASIDS[t]} group={group}")
        lines.append(f"translate d{d} pages=2 pasid={_PASIDS[t]}")
    return lines


def _driver_line(random: Random, generation: str, devices: int) -> str:
    return f"{random.choice(driver_lines(random, generation, devices))} try"


def driver_lines(random: Random, generation: str, devices: int) -> list[str]:
    """One line of each operation that a driver may do."""
    d = random.randrange(devices)
    failing = random.choice(("fault", "handle", "domain", "table", "param"))
    lines = [
        f"remove d{d}",
        f"remove d{d}",
        f"plug d{d}",
        f"recover d{d}",
        f"flush d{d}",
        f"discard d{d}",
        f"drain d{d} pasid=1",
        f"queue-add d{d}",
        f"fail {failing} nth=1",
    ]
    if generation in REGISTERING:
        lines += [f"register d{d}", f"unregister d{d}"]
    return lines
