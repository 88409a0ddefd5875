# SPDX-License-Identifier: MIT
"""The table at the end of a run: at most 25 lines, with the verdict last."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from iopf.emulator.spec.text import counted, printable
from iopf.tools.supervisor.status_line import short, span

WIDTH = 100
GROUP_LINES = 8
CODES = {
    0: "SUCCESS",
    1: "INVALID",
    15: "FAILURE",
}  # PCIe: Success, Invalid Request, Response Failure


def _count(n: int) -> str:
    return f"{n:,}"


def _parts(pairs: list[tuple[str, int]]) -> str:
    shown = [f"{_count(n)} {name}" for name, n in pairs if n]
    return " + ".join(shown)


def _why_refused(result: dict[str, Any]) -> str:
    """Linux's VT-d driver answers Invalid to execute requests."""
    return (
        " (execute)" if result["iommu"]["execute_refused"] == result["account"]["rejected"] else ""
    )


def _account_lines(result: dict[str, Any]) -> list[str]:
    a, sides = result["account"], result["sides"]
    answered = _parts(
        [
            ("Success", a["answered_ok"]),
            ("Invalid", a["answered_invalid"]),
            ("Failure", a["answered_failure"]),
            ("refused by the driver" + _why_refused(result), a["rejected"]),
            ("Success by the hardware (overflow)", a["auto_success"]),
            ("Invalid by the hardware", a["auto_invalid"]),
        ]
    )
    lost = _parts([(reason, n) for reason, n in a["lost"].items()])
    mark = "" if a["in_flight"] == 0 else "  !!!"
    lines = [
        f"requests    {_count(a['sent'])} sent = {_count(a['answered'])} answered + {_count(a['in_flight'])} in flight"
        f" + {_count(a['lost_total'])} lost{mark}",
    ]
    if answered:
        lines.append(f"  answered  {answered}")
    if lost:
        lines.append(f"  lost      {lost}")
    device = sides["device"]
    lines.append(
        f"devices     {counted(device['groups_done'], 'group')} done, {counted(device['retries'], 'retry', 'retries')} after Success, "
        f"{counted(device['atc_hits'] + device['present'], 'access', 'accesses')} without a request"
    )
    off = sum(1 for d in result["per_device"] if d["device"]["failed"])
    if off:
        lines.append(
            f"  !!!       {counted(off, 'device')} disabled PRI after Response Failure, "
            f"{counted(device['forgotten'], 'request')} forgotten, {_count(device['abandoned'])} not sent"
        )
    return lines


def _trace_line(result: dict[str, Any]) -> list[str]:
    trace = result.get("trace")
    if trace is None:
        return []
    skipped = sum(trace["skipped"].values())
    processes = counted(trace["processes"], "process", "processes")
    faults = (
        f"{counted(trace['faults'], 'page fault')} of {processes} = " if trace["faults"] else ""
    )
    unsent = result["sides"]["device"]["abandoned"]
    text = (
        f"trace       {faults}{counted(trace['requests'], 'request')} in {counted(trace['groups'], 'group')}; "
        f"{counted(trace['implicit_mappings'], 'implicit mapping')}"
    )
    if skipped:
        text += f"; skipped {_count(skipped)}"
    if trace["forbidden_faults"]:
        text += f"; {counted(trace['forbidden_faults'], 'page fault')} that the mappings forbid"
    if trace["unmapped_faults"]:
        text += f"; {trace['unmapped_faults']} of addresses that cannot be mapped"
    if trace["open_groups"]:
        text += (
            f"; {counted(trace['open_groups'], 'group')} without a last request, kept as partials"
        )
    if unsent:
        text += f"; {_count(unsent)} not sent"
    return [text]


def _group_lines(result: dict[str, Any]) -> list[str]:
    """The answers of each group named in a program; `+` joins several answers of one group."""
    lines: list[str] = []
    for device, labels in result.get("answers", {}).items():
        cells = [
            f"{label} {' + '.join(CODES.get(code, str(code)) for code in codes) or 'no answer'}"
            for label, codes in labels.items()
        ]
        head = f"{'' if lines else 'groups':12}{device}: "
        text = ", ".join(cells)
        lines += textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * 14)
    if len(lines) > GROUP_LINES:
        lines = [*lines[:GROUP_LINES], f"{'':12}and more, see `answers` in result.json"]
    return lines


def warning_lines(result: dict[str, Any]) -> list[str]:
    """The WARN_ONs of the kernel that were true, by function."""
    counted = [f"{function} {_count(n)}" for function, n in result["warnings"].items()]
    return [f"warnings    WARN_ON of the kernel in: {', '.join(counted)}"] if counted else []


def _stage_lines(result: dict[str, Any]) -> list[str]:
    lines = [f"{'stage':20}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>10}{'count':>13}"]
    for name, stage in result["stages"].items():
        if stage["count"]:
            cells = "".join(
                f"{span(stage[key]):>10}" for key in ("p50_ns", "p99_ns", "p999_ns", "max_ns")
            )
            lines.append(f"{name:20}{cells}{_count(stage['count']):>13}")
    return lines


_ANSWERS = (
    "answered_ok",
    "answered_invalid",
    "answered_failure",
    "rejected",
    "auto_success",
    "auto_invalid",
)


def device_lines(result: dict[str, Any]) -> list[str]:
    """With -v: the account of each device."""
    lines = [f"{'device':20}{'sent':>11}{'answered':>11}{'lost':>11}{'groups':>11}{'retries':>11}"]
    for each in result["per_device"]:
        account, device = each["account"], each["device"]
        lost = sum(account["lost"].values())
        cells = (account["sent"], sum(account[kind] for kind in _ANSWERS), lost)
        numbers = (*cells, device["groups_done"], device["retries"])
        lines.append(f"{each['name']:20}" + "".join(f"{_count(n):>11}" for n in numbers))
    return lines


def _cpu_line(result: dict[str, Any]) -> str:
    """Processor time per answered request by role, without the startup of the processes."""
    cells = [
        f"{role} {stats['cpu_ns'] / max(result['faults'], 1):,.0f}"
        for role, stats in result["roles"].items()
        if role in ("device", "iommu", "irq", "handler", "task", "tenant")
    ]
    return f"CPU         ns per request: {', '.join(cells)}"


def size_of(result: dict[str, Any]) -> str:
    """`4 devices, 2 handlers, 1 tenant`"""
    return ", ".join(counted(result[f"{what}s"], what) for what in ("device", "handler", "tenant"))


def not_served(result: dict[str, Any]) -> list[str]:
    """Requests that the account explains and that were not served all the same: lost ones, and answers other than Success."""
    account = result["account"]
    refused = sum(
        account[key] for key in ("answered_invalid", "answered_failure", "rejected", "auto_invalid")
    )
    parts = [(account["lost_total"], "lost"), (refused, "refused")]
    return [f"{_count(n)} {what}" for n, what in parts if n]


def _verdict(result: dict[str, Any], directory: Path) -> str:
    extra = not_served(result)
    if result["removals"]:
        extra.append(f"{counted(len(result['removals']), 'device')} removed by surprise")
    off = sum(1 for d in result["per_device"] if d["device"]["failed"])
    if off:
        extra.append(f"{counted(off, 'device')} with PRI off")
    if result["exits"]:
        extra.append(f"{counted(len(result['exits']), 'tenant')} killed")
    tail = f" ({', '.join(extra)})" if extra else ""
    if result["status"] == 0:
        return (
            f"verdict     PASS: every request accounted for, nothing left over{tail}; {directory}"
        )
    return f"verdict     {result['verdict']} (status {result['status']}): {result['end_reason']}{tail}; {directory}"


def render(result: dict[str, Any], directory: Path, quiet: int = 0) -> str:
    """The text for standard output. With ``quiet`` 2 only the verdict."""
    verdict = _verdict(result, directory)
    if quiet >= 2:
        return printable(verdict) + "\n"
    iommu = result["iommu"]
    rate = short(result["faults_per_s"])
    lines = [
        f"run         {result['name']}: {size_of(result)}, seed {result['seed']}",
        f"time        {result['wall_s']:.3f} s (start {result['start_s']:.2f} s), {rate} requests/s, "
        f"{result['cpu_s'] * 1e9 / max(result['faults'], 1):,.0f} CPU ns per request",
        *_trace_line(result),
        *_account_lines(result),
        *_group_lines(result),
        f"queue       high-water mark {iommu['prq_hwm']} of {iommu['prq_records'] - 1}, {counted(iommu['overflows'], 'overflow')}, "
        f"{counted(iommu['interrupts'], 'interrupt')}, {counted(iommu['prq_passes'], 'pass', 'passes')}",
        *warning_lines(result),
    ]
    if quiet < 1:
        lines += [_cpu_line(result), *_stage_lines(result)]
    if quiet < 0:
        lines += device_lines(result)
    problems = [f"!!! {line}" for line in result["problems"]]
    if len(problems) > 3:
        problems = [*problems[:3], f"!!! and {len(problems) - 3} more, see result.json"]
    lines += problems
    for line in result["dump"][:4]:
        lines.append(f"  {line}")
    return "\n".join(printable(line) for line in (*(line[:160] for line in lines), verdict)) + "\n"
