# SPDX-License-Identifier: MIT
"""The event log of a run: the flight recorders of all processes, merged by time.

``events.bin`` is a stream of msgpack values: a header map, then one array ``[t_ns, actor, site, a, b]`` per event, oldest first.
``t_ns`` counts from the start of the run; ``tools/watch/event_fields.py`` says what ``a`` and ``b`` are. `iopf events` prints it
(``tools/watch/events.py``).
"""

from __future__ import annotations

from pathlib import Path

import msgpack
from iopf.emulator.spec.roles import slots_of
from iopf.emulator.spec.sites import Site
from iopf.tools.files import whole
from iopf.tools.supervisor.system import System


def write_events(system: System, path: Path) -> int:
    """Write the log; return the number of events. Each process keeps its last ``system.event_records`` events."""
    rows: list[tuple[int, int, int, int, int]] = []
    lost = {}
    for slot, name in enumerate(system.names):
        gone, events = system.snapshot.events(slot)
        if gone:
            lost[name] = gone
        rows += [(t_ns, slot, site, a, b) for t_ns, site, a, b in events]
    rows.sort()
    first, count = slots_of(system.plan.config)["device"]
    header = {
        "type": "events",
        "schema": "iopf/1",
        "format": 2,  # FORMAT of `tools/watch/events.py`
        "actors": system.names,
        "devices": system.names[first : first + count],
        "sites": {site.value: site.name.lower() for site in Site},
        "overwritten": lost,
        "events": len(rows),
    }
    with whole(path) as file:
        packer = msgpack.Packer()
        file.write(packer.pack(header))
        file.write(b"".join(map(packer.pack, rows)))
    return len(rows)
