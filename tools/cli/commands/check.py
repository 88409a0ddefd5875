# SPDX-License-Identifier: MIT
"""`iopf check`: validate scenarios without starting anything."""

from __future__ import annotations

import json
from typing import Any

import click
from iopf.emulator.spec.text import printable
from iopf.tools.cli.lazy import Command
from iopf.tools.cli.options import json_option
from iopf.tools.cli.output import echo
from iopf.tools.cli.overrides import complete_scenario, set_option
from iopf.tools.status import Status


@click.command(
    "check",
    cls=Command,
    examples=(
        ("iopf check quickstart", "a shipped scenario"),
        ("iopf check *.toml && echo good", "every scenario here, in a script"),
    ),
)
@click.argument(
    "scenarios", nargs=-1, required=True, metavar="SCENARIO...", shell_complete=complete_scenario
)
@set_option
@json_option
def command(scenarios: tuple[str, ...], sets: tuple[str, ...], json_out: bool) -> int:
    """Check scenarios without running them: every mistake is reported, one line each."""
    results = [_check(name, sets) for name in scenarios]
    for result in results:
        for line in result["errors"]:
            echo(f"iopf: {line}", err=True)
        for line in result["notes"]:
            echo(f"iopf: note: {result['name']}: {line}", err=True)
        if not json_out and not result["errors"]:
            echo(f"{result['name']}: ok ({result['summary']})")
    # Status 2 takes precedence over 4: a script must not mistake an invalid file for a skipped one.
    found = {result["status"] for result in results}
    status = next(s for s in (Status.USAGE, Status.UNSUPPORTED, Status.OK) if s in found)
    if json_out:
        document = {"schema": "iopf/1", "type": "check", "status": status, "scenarios": results}
        click.echo(json.dumps(document, indent=2))
    return status


def _check(name: str, sets: tuple[str, ...]) -> dict[str, Any]:
    from iopf.emulator.scenario.errors import ScenarioError
    from iopf.emulator.scenario.resolution import resolve

    result = {"name": printable(name), "status": int(Status.OK)}
    try:
        resolved = resolve(name, sets)
    except ScenarioError as error:
        return {**result, "status": error.status, "errors": error.lines, "notes": []}
    scenario = resolved.scenario
    devices = sum(device.count for device in scenario.device)
    tenants = sum(tenant.count for tenant in scenario.tenant)
    duration_s = scenario.system.duration_s
    end = f"ends after {duration_s:g} s" if duration_s else "ends when the work is done"
    programs = f", programs: {len(scenario.program)}" if scenario.program else ""
    summary = f"devices: {devices}, tenants: {tenants}{programs}, "
    summary += f"handlers: {scenario.kernel.handlers}; {end}"
    return {**result, "errors": [], "notes": resolved.notes, "summary": summary}
