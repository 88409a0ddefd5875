# SPDX-License-Identifier: MIT
"""`iopf run`: run one system, from scenario to verdict."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from iopf.emulator.scenario.load import Layer
from iopf.emulator.scenario.resolution import Resolved, resolve
from iopf.emulator.spec.text import counted, printable
from iopf.emulator.trace.source import TraceError
from iopf.shm.objects import ArenaError
from iopf.tools.status import Failed, Status
from iopf.tools.supervisor.event_log import write_events
from iopf.tools.supervisor.monitor import Monitor, Outcome
from iopf.tools.supervisor.plan import plan_system
from iopf.tools.supervisor.report import render as render_run
from iopf.tools.supervisor.result import RunDirectory, build_result
from iopf.tools.supervisor.status_line import StatusLine
from iopf.tools.supervisor.system import Options, System


class RunDirectoryError(Failed):
    """The run directory cannot be created or written: a name that is no directory is an error of the command line (status 2)."""

    def __init__(self, error: OSError) -> None:
        text = f"{error.filename}: cannot write the run directory: {error.strerror}"
        super().__init__(f"{text}; choose another with --run-dir")
        named = isinstance(error, NotADirectoryError | FileExistsError)
        self.status = Status.USAGE if named else Status.MACHINE


def _options(resolved: Resolved) -> Options:
    system, checks = resolved.scenario.system, resolved.scenario.checks
    noise = (system.noise_yield_in, system.noise_sleep_in) if system.noise else (0, 0)
    return Options(lockdep=checks.lockdep, poison=checks.poison, noise=noise)


def run_name(resolved: Resolved) -> str:
    """Name of the run: that of the system, of the scenario, or of the replayed traces."""
    own = resolved.scenario.system.name
    files = resolved.scenario.trace.files
    if resolved.sources.get("system.name", "default") != "default":
        return own
    if resolved.name == "defaults" and files:
        names = ("stdin" if file == "-" else Path(file).name.split(".")[0] for file in files[:3])
        return printable("+".join(names))
    return printable(resolved.name)


def execute(
    resolved: Resolved, line: StatusLine, stop_file: Path | None = None, *, sizes: bool = False
) -> dict[str, Any]:
    """Run one system and return its result (the object of result.json). Raises TraceError, ArenaError."""
    plan = plan_system(resolved.scenario, run_name(resolved), resolved.seed, line.progress)
    line.clear()
    if plan.trace is not None:
        faults = f" from {counted(plan.trace.faults, 'page fault')}" if plan.trace.faults else ""
        line.say(
            f"trace: {counted(plan.trace.requests, 'request')}{faults} in "
            f"{counted(plan.trace.lines, 'line')}, {counted(len(plan.trace.tenants), 'process', 'processes')}"
        )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    scenario = resolved.scenario.system
    meta = {
        "name": plan.name,
        "seed": resolved.seed,
        "started": time.time(),
        "argv": [printable(each) for each in sys.argv[1:]],
    }
    with System.build(plan, _options(resolved), meta, line.say) as system:
        line.attach(system)
        pss = system.pss_bytes() if sizes else {}
        monitor = Monitor(
            system, scenario.duration_s, scenario.watchdog_s, line.say, line.tick, stop_file
        )
        outcome: Outcome = monitor.run()
        line.clear()
        result = build_result(resolved, plan, system, outcome)
        if stop_file is not None and resolved.scenario.system.events != "none":
            _write_events(system, stop_file.with_name("events.bin"), result, line)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result["cpu_s"] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 6)
    result["pss_bytes"] = sum(pss.values())
    result["pss_by_role"] = pss
    return result


def _write_events(system: System, path: Path, result: dict[str, Any], line: StatusLine) -> None:
    """The event log is worth less than the result: a disk without room for it must not lose that."""
    result["unwritten"] = None
    try:
        result["events"] = write_events(system, path)
    except OSError as error:
        result["unwritten"] = f"{error.filename}: cannot write: {error.strerror}"
        line.error(result["unwritten"])


def measure(resolved: Resolved, *, sizes: bool = False) -> dict[str, Any]:
    """Run silently and return the result; for benchmarks. ``sizes`` reads the memory of every process after the start, which takes a
    while with many. Raises TraceError, ArenaError."""
    return execute(resolved, StatusLine("never", quiet=2), sizes=sizes)


def document_of(programs: Sequence[Sequence[str]], tables: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario of programs written in Python, as plain tables."""
    return {**tables, "program": [{"ops": list(ops)} for ops in programs]}


def run_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Run a scenario given as plain tables, without the user's defaults; return the result object. For tests and benchmarks; the
    interface for others is `iopf.tools.api`. Raises ScenarioError, TraceError, ArenaError."""
    made = Layer("scenario", {"schema": 1, **document})
    return measure(resolve(None, [], {}, environ={}, made=made))


def run_programs(*programs: Sequence[str], **tables: Any) -> dict[str, Any]:
    """As `run_document`, of programs (`iopf help programs`); each is a list of operations."""
    return run_document(document_of(programs, tables))


def run_scenario(
    resolved: Resolved,
    *,
    json_out: bool = False,
    status: str = "auto",
    run_dir: str | None = None,
    quiet: int = 0,
    render: Callable[[dict[str, Any], Path, int], str] = render_run,
) -> int:
    """Run a resolved scenario, print the result with `render`, write the run directory; return the exit status."""
    import click

    line = StatusLine(status, quiet=quiet)
    for note in resolved.notes:
        line.say(note)
    try:
        directory = RunDirectory.create(run_dir, resolved, run_name(resolved))
    except OSError as error:
        raise RunDirectoryError(error) from error
    try:
        result = execute(resolved, line, directory.path / "STOP")
    except TraceError as error:
        directory.discard()
        line.error(str(error))
        return Status.USAGE
    except ArenaError as error:
        directory.discard()
        line.error(str(error))
        return error.status
    try:
        if json_out:
            import json

            sys.stdout.write(json.dumps(result) + "\n")
        else:
            text = render(result, directory.path, quiet)
            click.echo(_colored(text, result["verdict"]), nl=False)
        sys.stdout.flush()
    finally:  # also when nobody reads the output
        written = _keep(directory, result, line)
    return int(result["status"]) or (Status.OK if written else Status.MACHINE)


def _colored(text: str, verdict: str) -> str:
    """The verdict in colour, which click removes where none is wanted."""
    import click

    head, line = f"verdict     {verdict}", text.splitlines()[-1]
    if not line.startswith(head):
        return text
    shown = click.style(verdict, fg="green" if verdict == "PASS" else "red", bold=True)
    return f"{text[: -len(line) - 1]}verdict     {shown}{line[len(head) :]}\n"


def _keep(directory: RunDirectory, result: dict[str, Any], line: StatusLine) -> bool:
    """Write the run directory; false, after a line that names the file, if something could not be written. Without room for all, the
    event log makes room for the result."""
    events = directory.path / "events.bin"
    try:
        try:
            directory.write(result, line.log)
        except OSError:
            if not events.exists():
                raise
            events.unlink()
            result["unwritten"] = f"{events}: removed to make room for the result"
            directory.write(result, line.log)
            line.error(result["unwritten"])
    except OSError as error:
        line.error(
            f"{error.filename}: cannot write: {error.strerror}; the verdict stands, but the run directory is incomplete"
        )
        return False
    return result.get("unwritten") is None
