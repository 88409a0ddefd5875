"""The status of `iopf race bench`: a race that is not found in a short budget is a number, not a failure."""

from __future__ import annotations

import json

import pytest

from tests.support.running import iopf
from tools.cli.status import Status

HARD = "second-bind-refused"  # shows as an operation that fails, which ordinary runs do not count


def test_a_race_that_is_missed_is_named_and_the_status_is_0() -> None:
    args = ("race", "bench", HARD, "--trials", "1", "--seconds", "0.001", "--strategy", "native")
    done = iopf(*args)
    assert done.returncode == Status.OK, done.stdout + done.stderr
    assert f"not found   by native within 0.001 s: {HARD} (0/1)" in done.stdout
    (strategy,) = json.loads(iopf(*args, "--json").stdout)["strategies"]
    assert strategy["races_missed"] == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--quick", "--trials", "2"), "--trials does not go with --quick"),
        (("--quick", "--seconds", "2"), "--seconds does not go with --quick"),
        (("--rates", "--strategy", "pct"), "--strategy does not go with --rates"),
    ],
)
def test_options_that_another_one_replaces_are_refused(args: tuple[str, ...], says: str) -> None:
    done = iopf("race", "bench", "4.22", *args)
    assert done.returncode == Status.USAGE, done.stdout + done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
