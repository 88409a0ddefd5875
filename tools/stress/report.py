# SPDX-License-Identifier: MIT
"""Output of a stress run: rates per operation, cells of the fate table, known violations, and the verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iopf.emulator.check.fates import EVENTS, Fate, cell
from iopf.emulator.check.violations import KNOWN
from iopf.emulator.spec.text import counted, printable
from iopf.tools.supervisor.report import device_lines, not_served, size_of, warning_lines
from iopf.tools.supervisor.status_line import short

CONTROL = frozenset({"pause", "repeat", "choose", "or", "end"})


def rates(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Per operation: number of runs, of errors, and the rate."""
    found: dict[str, dict[str, float]] = {}
    for line in result["programs"]:
        words = line["text"].split()
        verb = words[1] if words[0].endswith(":") else words[0]
        if verb in CONTROL:
            continue
        entry = found.setdefault(verb, {"runs": 0, "errors": 0, "per_s": 0.0})
        entry["runs"] += line["runs"]
        entry["errors"] += line["errors"]
    for entry in found.values():
        entry["per_s"] = round(entry["runs"] / max(result["wall_s"], 1e-9), 1)
    return found


def _rate_lines(result: dict[str, Any]) -> list[str]:
    """Operations in two columns, most frequent first."""
    cells = [
        f"{verb:<12}{entry['runs']:>11,}{short(entry['per_s']):>8}{entry['errors']:>11,}"
        for verb, entry in sorted(rates(result).items(), key=lambda item: -item[1]["runs"])
    ]
    head = f"{'operation':<12}{'runs':>11}{'/s':>8}{'errors':>11}"
    columns = 2
    rows = -(-len(cells) // columns)
    lines = ["   ".join([head] * min(columns, len(cells)))]
    lines += ["   ".join(cells[row::rows]) for row in range(rows)]
    return lines


def _fate_lines(result: dict[str, Any]) -> list[str]:
    generation = result["generation"]
    column = {event: cell(event, generation) for event in EVENTS}
    possible = [event for event, each in column.items() if each.fate is not Fate.ABSENT]
    reached = [event for event in possible if result["fates"][event]]
    lines = [f"fate table  {len(reached)} of {len(possible)} cells of {generation} reached"]
    for event in possible:
        times, each = result["fates"][event], column[event]
        known = f"  ({KNOWN[each.known].number})" if each.known else ""
        lines.append(f"  {event:<19}{times:>9,}  {each.fate.value}{known}")
    return lines


def _known_lines(result: dict[str, Any]) -> list[str]:
    if not result["known"]:
        return []
    lines = [f"known       violations of {result['generation']}, by catalogue number"]
    for slug, times in result["known"].items():
        text = f"  {KNOWN[slug].number:<6}{slug:<30}{times:>8,}  {KNOWN[slug].what}"
        lines.append(text)
    return lines


def render_stress(result: dict[str, Any], directory: Path, quiet: int) -> str:
    """The text for standard output. With `quiet` 2 only the verdict."""
    if result["status"] == 0:
        verdict = "verdict     PASS: every request accounted for, nothing left over"
    else:
        reason = result["end_reason"]
        verdict = f"verdict     {result['verdict']} (status {result['status']}): {reason}"
    extra = not_served(result)
    deaths = len(result["removals"]) + len(result["exits"])
    if deaths:
        extra.append(f"{counted(deaths, 'device or tenant', 'devices and tenants')} killed")
    if extra:
        verdict += f" ({', '.join(extra)})"
    verdict += f"; {directory}"
    if quiet >= 2:
        return printable(verdict) + "\n"
    account = result["account"]
    lines = [
        f"stress      {result['generation']}: {size_of(result)}, {result['wall_s']:.1f} s, seed {result['seed']}",
        f"system      {result['configuration']}",
        f"requests    {account['sent']:,} sent = {account['answered']:,} answered + {account['in_flight']:,} in flight"
        f" + {account['lost_total']:,} lost, with a reason; {counted(result['iommu']['overflows'], 'overflow')}",
    ]
    if quiet < 1:
        lines += [*_rate_lines(result), *_fate_lines(result), *_known_lines(result)]
    if quiet < 0:
        lines += device_lines(result)
    lines += warning_lines(result)
    lines += [f"!!! {line}" for line in result["problems"][:8]]
    lines += [f"  {line}" for line in result["dump"][:6]]
    return "\n".join(printable(line) for line in (*(line[:160] for line in lines), verdict)) + "\n"
