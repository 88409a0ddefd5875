# SPDX-License-Identifier: MIT
"""pytest plugin: races as regression tests.

    @pytest.mark.race(schedules=2000, seed=1)
    def test_unbind_against_a_fault(iopf_race):
        iopf_race(
            ["map t0 4", "bind d0 t0", "t0: start", "unbind d0 t0"],
            ["wait-bound d0 t0", "d0: start", "send d0 t0 pages=1 group=a try"],
        )

Every pytest run in an environment with the emulator loads this module, so it imports nothing else until a test requests the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = (
    "race(schedules=1000, executions=None, seconds=60, depth=None, seed=1, memory='tso', mode='fibers'): budget and "
    "strategy of the schedules that iopf_race runs; depth selects PCT of that depth instead of the portfolio; "
    "executions is the budget of iopf_race.prove"
)
REPORT = pytest.StashKey[dict[str, str]]()  # report sections by title
CALLED = pytest.StashKey[bool]()  # set if the test has the fixture; whether it was called
INCONCLUSIVE = pytest.StashKey[bool]()  # set if the seconds of a proof ended too early


class Inconclusive:
    """Counts inconclusive proofs. pytest itself counts them as skipped, with exit status 0."""

    def __init__(self) -> None:
        self._reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if getattr(report, "iopf_inconclusive", False):
            self._reports.append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        if getattr(report, "iopf_inconclusive", False):
            return "inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})
        return None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._reports:
            terminalreporter.write_sep("=", "inconclusive proofs")
        for report in self._reports:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            terminalreporter.write_line(f"INCONCLUSIVE {report.nodeid} - {reason}")

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Like `iopf race prove`, the run is inconclusive if nothing failed."""
        if self._reports and exitstatus == pytest.ExitCode.OK:
            from importlib import import_module

            session.exitstatus = import_module("iopf.tools.status").Status.INCONCLUSIVE


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.pluginmanager.register(Inconclusive(), "iopf_inconclusive")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("iopf").addoption(
        "--iopf-schedules",
        metavar="DIR",
        default=".iopf-schedules",
        help="directory for failing schedules of iopf_race, relative to pytest's start directory (default .iopf-schedules)",
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if report.when != "call":
        return
    if report.skipped and item.stash.get(INCONCLUSIVE, False):
        report.iopf_inconclusive = True
        path, line, _ = item.reportinfo()
        report.longrepr = (str(path), (line or 0) + 1, report.longrepr[2].removeprefix("Skipped: "))
    report.sections.extend(item.stash.get(REPORT, {}).items())
    crash = getattr(report.longrepr, "reprcrash", None)
    if CALLED in item.stash and crash is not None and report.failed:
        # Under CI, pytest repeats the whole message in its summary.
        crash.message = crash.message.partition("\n")[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that has the marker and the fixture but never calls it. A marker `race` without the fixture may belong to another
    plugin."""
    outcome: Any = yield
    marked = item.get_closest_marker("race") is not None
    if marked and outcome.excinfo is None and not item.stash.get(CALLED, True):
        text = "marked race, but iopf_race was never called: the test checks nothing"
        outcome.force_exception(pytest.fail.Exception(text, pytrace=False))


@pytest.fixture
def iopf_race(request: pytest.FixtureRequest) -> Any:
    """Run schedules of programs; fail the test with the minimised failing schedule. See `tools/lab/pytest/testing.py`."""
    # Imported by name: this package must not depend on the tools that build systems.
    from importlib import import_module

    made = import_module("iopf.tools.lab.pytest.testing").race_fixture
    return made(request, REPORT, CALLED, INCONCLUSIVE)
