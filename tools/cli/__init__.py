"""The command line `iopf`.

`main` finds the command and turns every outcome into an exit status. Each command is a module in
`commands/`, imported when it is used, so that `iopf --help` stays quick. Help topics are text in
`pages/`.
"""
