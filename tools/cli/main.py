# SPDX-License-Identifier: MIT
"""Entry point of `iopf`: dispatches commands, and turns every outcome into one line and a status."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence

import click
from iopf.emulator.spec.text import printable
from iopf.shm.procs import ending_signals
from iopf.tools.cli.color import wants_color
from iopf.tools.cli.lazy import Entry, LazyGroup
from iopf.tools.cli.streams import discard, leave_terminal, open_streams
from iopf.tools.status import Status, stopped_by

_NO_NUMBER = re.compile(r"is not a valid (integer|float)( range)?\.?$")
_NUMBERS = {"integer": "is not an integer", "float": "is not a number"}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

ENTRIES = {
    "demo": Entry("iopf.tools.cli.commands.demo", "replay a shipped trace on four devices"),
    "run": Entry("iopf.tools.cli.commands.run", "run a scenario or a trace and check it"),
    "stress": Entry("iopf.tools.cli.commands.stress", "random programs on many devices, checked"),
    "race": Entry("iopf.tools.cli.commands.race", "search, replay and minimise interleavings"),
    "check": Entry("iopf.tools.cli.commands.check", "check scenarios without running them"),
    "show": Entry(
        "iopf.tools.cli.commands.show", "every value of a scenario and where it comes from"
    ),
    "kernels": Entry("iopf.tools.cli.commands.kernels", "what kernel generations do with a fault"),
    "kernel": Entry("iopf.tools.cli.commands.kernel", "build Linux's own fault path from a tree"),
    "events": Entry("iopf.tools.cli.commands.events", "the last events of a run"),
    "ps": Entry("iopf.tools.cli.commands.ps", "list running emulators"),
    "top": Entry("iopf.tools.cli.commands.top", "watch the counters of a running emulator"),
    "clean": Entry("iopf.tools.cli.commands.clean", "remove the shared memory of killed runs"),
    "bench": Entry("iopf.tools.cli.commands.bench", "measure this machine against other queues"),
    "help": Entry(
        "iopf.tools.cli.commands.help", "explain a topic: exit-codes, scenario, programs ..."
    ),
}


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from iopf.tools.cli.version import version_line

    click.echo(version_line())
    ctx.exit(Status.OK)


@click.group(
    cls=LazyGroup,
    entries=ENTRIES,
    examples=(
        ("iopf demo", "replay a recorded trace on four devices, a minute at most"),
        ("iopf run quickstart --seed 7", "run a shipped scenario with a fixed seed"),
    ),
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour in the output; auto respects NO_COLOR, FORCE_COLOR and TERM.",
)
@click.option("--debug", is_flag=True, help="Show the traceback when iopf itself fails.")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show versions and exit.",
)
@click.pass_context
def cli(ctx: click.Context, color: str, debug: bool) -> None:
    """Emulator of the Linux I/O page fault path: devices, IOMMU and kernel as processes."""
    ctx.color = wants_color(color, sys.stdout)


class _Termination:
    """Interrupt the command on an ending signal that it does not handle, like Ctrl-C, so that it closes its resources."""

    def __init__(self) -> None:
        self.status = Status.INTERRUPTED
        self._heard = [each for each in ending_signals() if each != signal.SIGINT]

    def take(self, number: int, _frame: object) -> None:
        for each in self._heard:
            signal.signal(each, signal.SIG_IGN)  # only once: the command is closing its resources
        self.status = stopped_by(number)
        if number == signal.SIGHUP:
            leave_terminal()
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def looked_for(self) -> Iterator[None]:
        before = {each: signal.signal(each, self.take) for each in self._heard}
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by `entry`
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iopf` with these arguments and return the exit status. Prints no traceback."""
    open_streams()
    stdout, termination = sys.stdout, _Termination()
    args = list(sys.argv[1:] if argv is None else argv)
    if not args:
        args = ["--help"]
    try:
        with termination.looked_for():
            outcome = cli.main(args=args, prog_name="iopf", standalone_mode=False)
            sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit:
        # click exits this way after a completion, and when the reader of a pipe has closed it.
        if sys.stdout is not stdout:
            return _pipe_closed()
        raise
    except (click.exceptions.Abort, KeyboardInterrupt):
        _remove_own()
        _say(f"iopf: {termination.status.name.lower().replace('_', ' ')}")
        return termination.status
    except click.ClickException as error:
        return _say_usage(error)
    except Exception as error:
        _remove_own()
        return _report(error, debug="--debug" in args)
    if outcome == Status.INTERRUPTED:
        return termination.status  # the command has printed its result
    return int(outcome) if isinstance(outcome, int) else Status.OK


def _remove_own() -> None:
    """A signal may arrive while a segment is created, and end as an error where click cannot write."""
    from iopf.shm.objects import ArenaError, find_all, remove

    try:
        for name in find_all():
            if name.pid == os.getpid():
                remove(name)
    except ArenaError as error:
        _say(f"iopf: {error}")


def _say(line: str) -> None:
    """Print one line on standard error; if that fails, only the status reports the error."""
    try:
        click.echo(printable(line), err=True)
    except OSError:
        discard(sys.stderr)


def _say_usage(error: click.ClickException) -> int:
    """Print a usage error as one line instead of click's three lines and usage text."""
    where = "iopf"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        where = error.ctx.command_path
    message = " ".join(error.format_message().split())
    message = _NO_NUMBER.sub(lambda found: _NUMBERS[found[1]], message)
    _say(f"iopf: {message[:1].lower()}{message[1:].rstrip('.')} (see {where} --help)")
    return Status.USAGE


def _report(error: Exception, debug: bool) -> int:
    from iopf.emulator.scenario.errors import ScenarioError
    from iopf.shm.objects import ArenaError
    from iopf.tools.status import Failed

    if isinstance(error, ScenarioError):
        for line in error.lines:
            _say(f"iopf: {line}")
        return error.status
    if isinstance(error, (ArenaError, Failed)):
        _say(f"iopf: {error}")
        return error.status
    if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
        discard(sys.stdout)
        _say(f"iopf: standard output: cannot write: {error.strerror}")
        return Status.MACHINE
    if debug:
        import traceback

        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"
    hint = "this is a bug" if debug else "this is a bug; run again with --debug for details"
    _say(f"iopf: internal error: {what}; {hint}")
    return Status.UNTRUSTED


def _pipe_closed() -> int:
    """The reader closed the pipe. Buffered output must not fail again at exit."""
    discard(sys.stdout)
    try:
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)
    return Status.PIPE_CLOSED


if __name__ == "__main__":
    sys.exit(main())
