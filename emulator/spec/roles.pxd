# SPDX-License-Identifier: MIT
# cython: language_level=3
"""Who takes part in a run, what phase it is in, and what the supervisor orders of a device's driver."""

cpdef enum Role:
    ROLE_SUPERVISOR = 0
    ROLE_IOMMU = 1
    ROLE_IRQ = 2
    ROLE_HANDLER = 3
    ROLE_TASK = 4
    ROLE_DRIVER = 5
    ROLE_TENANT = 6
    ROLE_DEVICE = 7

cpdef enum Phase:
    PHASE_STARTING = 0
    PHASE_PROBING = 1        # kernel and hardware run, driver 0 probes the devices
    PHASE_RUNNING = 2        # devices and tenants run
    PHASE_STOPPING = 3       # devices finish what is open and stop
    PHASE_RELEASING = 4      # tenants unbind and exit, driver 0 removes the devices
    PHASE_ENDING = 5         # kernel and hardware processes leave

cpdef enum Order:
    ORDER_NONE = 0
    ORDER_PROBE = 1
    ORDER_REMOVE = 2
