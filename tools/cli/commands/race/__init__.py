"""`iopf race`: the race laboratory."""

from __future__ import annotations

from iopf.tools.cli.lazy import Entry, LazyGroup

ENTRIES = {
    "list": Entry("iopf.tools.cli.commands.race.list", "the catalogue of historic races"),
    "show": Entry(
        "iopf.tools.cli.commands.race.show", "the story of a race, its program and its oracle"
    ),
    "run": Entry(
        "iopf.tools.cli.commands.race.run", "search for a race, print its shortest schedule"
    ),
    "replay": Entry("iopf.tools.cli.commands.race.replay", "play a schedule file again"),
    "minimise": Entry(
        "iopf.tools.cli.commands.race.minimise", "leave out what a failure does not need"
    ),
    "prove": Entry(
        "iopf.tools.cli.commands.race.prove", "every schedule, or every one up to a bound"
    ),
    "fuzz": Entry("iopf.tools.cli.commands.race.fuzz", "random programs and random schedules"),
    "kill": Entry("iopf.tools.cli.commands.race.kill", "kill actors at their scheduling points"),
    "bench": Entry("iopf.tools.cli.commands.race.bench", "how well and how fast races are found"),
}

command = LazyGroup(
    "race",
    entries=ENTRIES,
    examples=(
        ("iopf race list", "historic races of the fault path that can be put back"),
        ("iopf race run remove-before-drain", "find one and print its shortest schedule"),
    ),
    help="Search, replay and shorten interleavings of the processes of a system.",
)
