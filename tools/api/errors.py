# SPDX-License-Identifier: MIT
"""The one exception of the Python interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from iopf.emulator.races.schedule_file import ScheduleError
from iopf.emulator.scenario.errors import ScenarioError
from iopf.emulator.spec.text import printable
from iopf.emulator.trace.source import TraceError
from iopf.shm.objects import ArenaError
from iopf.tools.lab.play.mistakes import located_errors
from iopf.tools.lab.play.system import LabError, LabOpenError
from iopf.tools.status import Failed, Status


class IopfError(Exception):
    """A call that did not run. `lines`: one per mistake, with its place and what to do; `status`: what `iopf` would exit with."""

    def __init__(self, lines: Sequence[str], status: Status = Status.USAGE) -> None:
        self.lines = tuple(printable(line) for line in lines)
        self.status = status
        super().__init__("\n".join(self.lines))


@contextmanager
def reported(programs: Sequence[Sequence[str]] = ()) -> Iterator[None]:
    """Turn the exceptions below this package into IopfError. `programs`: those of the call, to which mistakes are located."""
    try:
        yield
    except ScenarioError as error:
        raise IopfError(located_errors(error, programs), Status(error.status)) from None
    except ArenaError as error:
        raise IopfError([str(error)], Status(error.status)) from None
    except Failed as error:
        raise IopfError([str(error)], error.status) from None
    except (LabError, LabOpenError, ScheduleError, TraceError) as error:
        raise IopfError([str(error)]) from None
