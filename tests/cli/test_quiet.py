# SPDX-License-Identifier: MIT
"""-q and -qq mean the same in every command with a verdict: less output, and only the verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from iopf.tools.cli.main import main
from iopf.tools.status import Status

from tests.support.terminal import on_terminal

COMMANDS = {
    "run": (["race", "run", "4.22"], "found after "),
    "fixed": (["race", "run", "4.22", "--fixed", "--schedules", "50"], "not found in "),
    "prove": (["race", "prove", "4.22", "--defective"], "fails; minimised to "),
    "kill": (["race", "kill", "4.22", "--schedules", "1"], "0 failures"),
    "fuzz": (["race", "fuzz", "--programs", "3", "-o", "x"], "no failure"),
    "replay": (["race", "replay", "FILE"], "use after free"),
    "minimise": (["race", "minimise", "FILE"], "minimised to "),
    "noise": (["race", "run", "4.22", "--fixed", "--mode", "native", "--schedules", "1"], "1 run "),
    "demo": (["demo"], "verdict     PASS"),
    "system": (["run", "quickstart"], "verdict     PASS"),
    "stress": (["stress", "--seconds", "0.5", "--devices", "2"], "verdict     "),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_twice_leaves_the_verdict(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if name in ("replay", "minimise"):
        main(["race", "run", "4.22", "-o", "FILE"])
        capsys.readouterr()
    args, says = COMMANDS[name]
    told = []
    for option in ([], ["-q"], ["-qq"]) if name == "run" else ([], ["-qq"]):
        assert main([*args, *option]) in (Status.OK, Status.FAILED)
        told.append(capsys.readouterr())
    counts = [len((out + err).splitlines()) for out, err in told]
    assert counts == sorted(counts, reverse=True)
    out, err = told[-1]
    assert err == ""
    assert says in out.splitlines()[-1]
    assert len(out.splitlines()) <= 2  # of fuzz two lines are the verdict


def test_the_verdict_has_a_colour_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "fails.toml").write_text('schema = 1\nprogram = [{ ops = ["unbind d0 t0"] }]\n')
    for name, word, colour in (("quickstart", "PASS", 32), ("./fails.toml", "FAILED", 31)):
        args = ("run", name, "-qq")
        _, text = on_terminal(*args, cwd=tmp_path)
        assert f"verdict     \x1b[{colour}m\x1b[1m{word}\x1b[0m" in text
        for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            _, text = on_terminal(*args, cwd=tmp_path, environ=environ)
            assert f"verdict     {word}" in text
