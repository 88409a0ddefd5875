# SPDX-License-Identifier: MIT
"""`iopf race`: controlled interleavings."""

from __future__ import annotations

from iopf.tools.cli.lazy import Entry, LazyGroup

ENTRIES = {
    "list": Entry("iopf.tools.cli.commands.race.list", "the catalogue of historic races"),
    "show": Entry("iopf.tools.cli.commands.race.show", "story, program and oracle of a race"),
    "run": Entry(
        "iopf.tools.cli.commands.race.run", "search for a race, print its minimised schedule"
    ),
    "replay": Entry("iopf.tools.cli.commands.race.replay", "replay a schedule file"),
    "minimise": Entry(
        "iopf.tools.cli.commands.race.minimise", "minimise the race of a schedule file"
    ),
    "prove": Entry(
        "iopf.tools.cli.commands.race.prove", "run all schedules, or all within a bound"
    ),
    "fuzz": Entry("iopf.tools.cli.commands.race.fuzz", "random programs and random schedules"),
    "kill": Entry("iopf.tools.cli.commands.race.kill", "kill actors at their scheduling points"),
    "bench": Entry("iopf.tools.cli.commands.race.bench", "efficiency and speed of the search"),
}

command = LazyGroup(
    "race",
    entries=ENTRIES,
    examples=(
        ("iopf race list", "historic races of the fault path"),
        ("iopf race run remove-before-drain", "find one and print its minimised schedule"),
    ),
    help="Search, replay and minimise interleavings of the processes of a system.",
)
