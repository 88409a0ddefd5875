"""Programs: what tenants, devices and drivers of a run do, as lines of text (`iopf help programs`).

One line is one operation, `VERB SUBJECT... key=value... flag...`. The verb says which actor runs it.

* `actors`   who runs programs, and the names by which a line calls devices and tenants
* `words`    how a word of a line becomes a value, and how a value is written
* `grammar`  what an operation looks like: a verb, its words, who runs it
* `verbs`    the table of operations: subjects, keys, flags, meaning
* `lines`    one line of text to one checked `Line`, and back
* `blocks`   `repeat`, `choose`, `or`, `end`: from lines to a tree
* `groups`   labels of page request groups, and which of them are still open
* `checks`   rules that span lines and programs
* `encode`   one line to its records in the encoding of `emulator/spec/program.pxd`
* `compile`  programs to the packed records of every actor
"""
