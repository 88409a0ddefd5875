# SPDX-License-Identifier: MIT
# cython: language_level=3
"""The numbers of ``ioasid.pxd`` for Python."""

if sizeof(ioasid_state) > IOASID_STATE_BYTES:
    raise ImportError("the state of the IOASID framework does not fit in front of its tables")
