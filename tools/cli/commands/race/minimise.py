# SPDX-License-Identifier: MIT
"""`iopf race minimise`: minimise the race of a schedule file."""

from __future__ import annotations

from pathlib import Path

import click
from iopf.emulator.spec.text import counted
from iopf.tools.cli.commands.race.common import constraint_lines, full_option, schedule_lines
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.output import detail, echo, output_option, quiet_option, remark, written
from iopf.tools.status import Status


@click.command(
    "minimise",
    cls=Command,
    examples=(
        ("iopf race minimise uaf.json", "remove operations and preemptions, print the rest"),
        ("iopf race minimise uaf.json -o small.json", "and save it"),
    ),
)
@click.argument("file", type=click.Path(dir_okay=False))
@full_option
@output_option("Write the minimised race to a file.")
@quiet_option
@click.pass_context
def command(ctx: click.Context, file: str, full: bool, output: Path | None) -> int:
    """Remove operations, settings and preemptions, as long as the race of FILE fails in the same way.

    Status 1: it fails, and the minimised race is printed. Status 0: it no longer fails.
    """
    import msgspec
    from iopf.emulator.races.schedule_file import ScheduleError, build_id, points_id, read, write
    from iopf.tools.lab.play.replay import lab_in
    from iopf.tools.lab.play.system import build_lab
    from iopf.tools.lab.search.minimise import constraints_of
    from iopf.tools.lab.search.minimise_programs import MINIMISE_S, minimise_programs

    try:
        schedule = read(Path(file))
        lab_in(schedule, Path(file)).close()
    except ScheduleError as error:
        ctx.fail(str(error))
    before = sum(len(program) for program in schedule.programs)
    small = minimise_programs(
        schedule.programs,
        schedule.tables,
        schedule.segments,
        tell=remark,
    )
    if small is None:
        echo("it no longer fails")
        return Status.OK
    after = sum(len(program) for program in small.programs)
    echo(
        f"{counted(before, 'operation')}, {counted(schedule.preemptions, 'preemption')}; minimised to "
        f"{after} and {small.failure.preemptions}, {counted(len(small.failure.path), 'step')}"
    )
    detail(
        f"  program {number}: {'; '.join(program)}" for number, program in enumerate(small.programs)
    )
    detail(small.found.what or [], level=2)
    if not small.complete:
        remark(f"minimising ended after {MINIMISE_S:.0f} s; run it again on the result to go on")
    tables = {**small.tables, "memory": small.memory, "still": small.still}
    with build_lab(*small.programs, **tables) as lab:
        constraints = constraints_of(lab, small.failure)
        lab.scheduler.replay(small.failure.path)
        detail(["", *schedule_lines(lab, full=full, constraints=constraints)])
        if full:
            detail(constraint_lines(constraints, numbered=True))
    if output is not None:
        made = msgspec.structs.replace(
            schedule,
            build=build_id(),
            points=points_id(),
            programs=small.programs,
            scenario={name: small.tables[name] for name in schedule.scenario},
            memory=small.memory,
            still=small.still,
            failure=small.found.what or [],
            preemptions=small.failure.preemptions,
            segments=small.segments,
            constraints=None if constraints is None else [str(each) for each in constraints],
            trace_hash=f"{small.trace_hash:016x}",
        )
        written(output, lambda: write(made, output))
    return Status.FAILED
