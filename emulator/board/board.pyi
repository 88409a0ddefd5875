# SPDX-License-Identifier: MIT
from iopf.cython_ext.memory import Memory

def format_board(
    memory: Memory,
    config: dict[str, int],
    *,
    tick_mult: int,
    spins: int,
    yields: int,
    lockdep: bool,
    poison: bool,
    noise_yield_in: int = ...,
    noise_sleep_in: int = ...,
) -> None: ...
