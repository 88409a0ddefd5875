# SPDX-License-Identifier: MIT
"""The command line `iopf`.

`main` dispatches commands and turns every outcome into an exit status. Each command is a module in `commands/`, imported on use, so that
`iopf --help` is fast. Help topics are text files in `pages/`.
"""
