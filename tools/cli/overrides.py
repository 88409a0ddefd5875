# SPDX-License-Identifier: MIT
"""Command-line options that change scenario values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from iopf.tools.cli.options import QUIET, json_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Flags = dict[str, tuple[Any, str]]
F = TypeVar("F", bound=Callable[..., Any])

# Option name of the click parameter -> path in the scenario and the option as given by the user.
_PATHS = {
    "devices": ("device.count", "--devices"),
    "handlers": ("kernel.handlers", "--handlers"),
    "iommu": ("iommu.profile", "--iommu"),
    "kernel": ("kernel.generation", "--kernel"),
    "defects": ("kernel.defects", "--defect"),
    "prq": ("iommu.prq_records", "--prq"),
    "credits": ("device.credits", "--credits"),
    "group_limit": ("trace.group_limit", "--group-limit"),
    "groups_in_flight": ("device.groups_in_flight", "--groups-in-flight"),
    "pattern": ("device.workload.pattern", "--pattern"),
    "seed": ("system.seed", "--seed"),
    "duration": ("system.duration_s", "--duration"),
    "speed": ("trace.speed", "--speed"),
    "noise": ("system.noise", "--noise"),
    "lenient": ("trace.lenient", "--lenient"),
    "max_events": ("trace.max_events", "--max-events"),
}


def complete_scenario(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Shipped scenarios by name; the shell completes files itself."""
    from click.shell_completion import CompletionItem
    from iopf.emulator.scenario.shipped import scenario_names

    names = [name for name in scenario_names() if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def complete_trace(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Shipped traces by name; the shell completes files itself."""
    from click.shell_completion import CompletionItem
    from iopf.emulator.scenario.shipped import trace_names

    names = [name for name in trace_names() if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


def set_option(function: F) -> F:
    """--set, for every field, also those without an option."""
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="PATH=VALUE",
        help="Set any value, like device[0].credits=64; repeatable (iopf help scenario).",
    )(function)


def _complete_defect(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem
    from iopf.emulator.spec.defects import defect_slugs

    return [CompletionItem(slug) for slug in defect_slugs() if slug.startswith(incomplete)]


def defect_option(function: F) -> F:
    """--defect, which enables historic bugs."""
    return click.option(
        "--defect",
        "defects",
        multiple=True,
        metavar="SLUG",
        shell_complete=_complete_defect,
        help="Enable a historic bug; repeatable (iopf race list).",
    )(function)


_OUTPUT = (
    json_option,
    click.option(
        "--status",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Live status line on standard error; auto = on a terminal.",
    ),
    click.option(
        "--run-dir", metavar="DIR", help="Where to write results (default: iopf-runs/...)."
    ),
    click.option("-q", "--quiet", count=True, help=QUIET),
    click.option(
        "-v", "--verbose", count=True, help="More output: also the account of each device."
    ),
    click.option("--debug", is_flag=True, help="Show the traceback when iopf itself fails."),
)


def output_options(function: F) -> F:
    """The output options of every command that runs a system."""
    for option in reversed(_OUTPUT):
        function = option(function)
    return function


def to_flags(options: dict[str, Any]) -> Flags:
    """The given options, as `resolve` takes them. Missing options are None, False or empty."""
    flags: Flags = {}
    for name, value in options.items():
        if value is None or value is False or value == ():
            continue
        path, flag = _PATHS[name]
        flags[path] = (_plain(name, value), flag)
    return flags


def _plain(name: str, value: Any) -> Any:
    """The value in the form of the scenario: a list for repeatable options, `max` or a number for --speed."""
    if isinstance(value, tuple):
        return list(value)
    if name != "speed":
        return value
    try:
        return float(value)
    except ValueError:
        return value


def replay_flags(traces: tuple[str, ...], scenario: str | None) -> Flags:
    """The effect of --trace. Without a scenario, the devices replay the traces to their end."""
    if not traces:
        return {}
    flags: Flags = {"trace.files": (list(traces), "--trace")}
    if scenario is None:
        flags["device.workload.pattern"] = ("replay", "--trace")
        flags["device.workload.groups"] = (0, "--trace")
    return flags
