# SPDX-License-Identifier: MIT
"""`iopf bench`: performance on this machine, compared with other queues and plain Python."""
