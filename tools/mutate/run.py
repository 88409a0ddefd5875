# SPDX-License-Identifier: MIT
"""Do the checks see mistakes? Each mutant is built in a copy of the tree, and its checks look at it.

    python -m iopf.tools.mutate.run [--only WORD] [--jobs N] [--no-suite] [--json] [--list]

The named check comes first, then fuzz, stress and, unless --no-suite, the quick suite. Status 1: a mutant that no check saw and that has
no explanation, or a check that fails without a mutant. Not part of CI: it takes about a minute per mutant.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from iopf.tools.mutate.checks import AFTER_THE_NAMED, CheckError, Seen, command_of, look
from iopf.tools.mutate.mutants import Mutant, MutantError, mutants
from iopf.tools.mutate.workshop import BuildError, Workshop

GOAL = 0.95


@dataclass(slots=True)
class Result:
    """One mutant: the checks that looked, the last of which saw it if any did, or the reason why it was not built."""

    mutant: Mutant
    looks: list[Seen] = field(default_factory=list)
    error: str = ""

    @property
    def seen(self) -> Seen | None:
        return self.looks[-1] if self.looks and self.looks[-1].how else None

    def line(self) -> str:
        if self.error:
            return f"ERROR     {self.mutant.name}: {self.error}"
        if self.seen is None:
            return f"SURVIVED  {self.mutant.name}: {self.mutant.survives or self.mutant.story}"
        named = "" if self.seen.check == self.mutant.seen_by else f" (not {self.mutant.seen_by})"
        return f"seen      {self.mutant.name}: {self.seen.check}{named}, {self.seen.seconds:.0f} s: {self.seen.how}"


def examine(mutant: Mutant, workshop: Workshop, after: Sequence[str] = AFTER_THE_NAMED) -> Result:
    """Build one mutant and run its checks until one sees it."""
    result = Result(mutant)
    try:
        workshop.restore()
        mutant.apply(workshop.tree)
        workshop.build()
        for check in dict.fromkeys((mutant.seen_by, *after)):
            result.looks.append(look(check, workshop.tree))
            if result.seen is not None:
                break
    except (MutantError, BuildError, CheckError) as error:
        result.error = str(error)
    return result


def without_mutant(checks: Sequence[str], workshop: Workshop) -> list[Seen]:
    """Checks that fail on the tree as it is: what they see of a mutant means nothing."""
    return [seen for check in checks if (seen := look(check, workshop.tree)).how]


# What a worker tells: a result, checks that fail without a mutant, why it cannot go on, or None at its end.
_Made = Result | list[Seen] | BuildError | CheckError | None


def _work(
    number: int,
    todo: queue.SimpleQueue[Mutant | str],
    done: queue.SimpleQueue[_Made],
    after: Sequence[str],
) -> None:
    workshop = Workshop(number)
    try:
        workshop.prepare()
        while True:
            try:
                each = todo.get_nowait()
            except queue.Empty:
                break
            if isinstance(each, Mutant):
                done.put(examine(each, workshop, after))
            else:
                done.put(without_mutant([each], workshop))
    except (BuildError, CheckError) as error:
        done.put(error)
    finally:
        workshop.close()
        done.put(None)


def run(
    chosen: Sequence[Mutant],
    jobs: int,
    *,
    baseline: bool = True,
    after: Sequence[str] = AFTER_THE_NAMED,
) -> list[Result]:
    """Examine the mutants with `jobs` workers, and tell each result on standard error. Raises BuildError, CheckError."""
    todo: queue.SimpleQueue[Mutant | str] = queue.SimpleQueue()
    done: queue.SimpleQueue[_Made] = queue.SimpleQueue()
    checks = dict.fromkeys(each.seen_by for each in chosen) if baseline else {}
    items: list[Mutant | str] = [*checks, *chosen]
    for item in items:
        todo.put(item)
    for number in range(jobs):
        threading.Thread(target=_work, args=(number, todo, done, after), daemon=True).start()
    results, working, told = [], jobs, 0
    while working:
        made = done.get()
        if made is None:
            working -= 1
        elif isinstance(made, Result):
            results.append(made)
            told += 1
            print(f"[{told}/{len(chosen)}] {made.line()}", file=sys.stderr, flush=True)
        elif isinstance(made, Exception):
            raise made
        elif made:
            raise CheckError(f"{made[0].check} fails without a mutant: {made[0].how}")
    order = {each.name: at for at, each in enumerate(chosen)}
    return sorted(results, key=lambda each: order[each.mutant.name])


def report(results: Sequence[Result], seconds: float) -> tuple[str, bool]:
    """The table of who saw what, and whether every survivor is explained."""
    seen = [each for each in results if each.seen is not None]
    survivors = [each for each in results if each.seen is None and not each.error]
    lines = [each.line() for each in results if each.seen is None]
    by: dict[str, list[float]] = {}
    for each in seen:
        assert each.seen is not None
        by.setdefault(each.seen.check.split()[0], []).append(each.seen.seconds)
    lines.append(f"{'seen by':<10}{'mutants':>8}{'median s':>10}")
    for check, times in sorted(by.items(), key=lambda item: -len(item[1])):
        lines.append(f"{check:<10}{len(times):>8}{sorted(times)[len(times) // 2]:>10.0f}")
    share = len(seen) / len(results) if results else 0.0
    lines.append(
        f"{len(seen)} of {len(results)} mutants seen ({share:.0%}, goal {GOAL:.0%}), "
        f"{len(survivors)} survived, in {seconds:.0f} s"
    )
    explained = all(each.mutant.survives for each in survivors)
    return "\n".join(lines), explained and not any(each.error for each in results)


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Build mistakes into copies of this tree and see which check notices."
    )
    parser.add_argument(
        "--only", default="", metavar="WORD", help="mutants with this in their name"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="trees at work (default 2)"
    )
    parser.add_argument(
        "--no-baseline", action="store_true", help="do not run the checks without a mutant first"
    )
    parser.add_argument(
        "--no-suite", action="store_true", help="do not run the quick suite on survivors"
    )
    parser.add_argument("--list", action="store_true", help="print the mutants and end")
    parser.add_argument("--json", action="store_true", help="print all results as JSON")
    given = parser.parse_args()
    try:
        chosen = [each for each in mutants() if given.only in each.name]
        for each in chosen:
            command_of(each.seen_by)
        if given.list:
            print("\n".join(f"{each.name:<36} {each.seen_by:<40} {each.story}" for each in chosen))
            return 0
        began = time.monotonic()
        after = [each for each in AFTER_THE_NAMED if each != "suite" or not given.no_suite]
        results = run(chosen, max(given.jobs, 1), baseline=not given.no_baseline, after=after)
    except (MutantError, BuildError, CheckError) as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 1
    text, good = report(results, time.monotonic() - began)
    if given.json:
        print(json.dumps([asdict(each) for each in results], indent=1))
    else:
        print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
