# SPDX-License-Identifier: MIT
"""Programs: the operations of tenants, devices and drivers, as lines of text (`iopf help programs`).

One line is one operation, `VERB SUBJECT... key=value... flag...`. The verb implies the actor.

* `actors`   actors that run programs, and the names of devices and tenants in a line
* `words`    conversion of a word to a value and back
* `grammar`  form of an operation: a verb, its words, its actor
* `verbs`    the table of operations: subjects, keys, flags, meaning
* `lines`    one line of text to one checked `Line`, and back
* `blocks`   `repeat`, `choose`, `or`, `end`: lines to a tree
* `groups`   labels of page request groups, and which of them are still open
* `checks`   rules that span lines and programs
* `encode`   one line to its records in the encoding of `emulator/spec/program.pxd`
* `compile`  programs to the packed records of every actor
"""
