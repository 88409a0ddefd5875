# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``config.pxd`` for Python, and writing a configuration."""

cdef config _NOTHING

# What a configuration has to say, in the order of the struct: all but ``slots``, which follows from it.
CONFIG_FIELDS = tuple([name for name in <object>_NOTHING if name != "slots"])


cdef write_config(config *cfg, dict values):
    """Fills in all but ``slots``. Raises KeyError for a field that is missing."""
    cdef config made = {"slots": 0, **{name: values[name] for name in CONFIG_FIELDS}}
    cfg[0] = made
