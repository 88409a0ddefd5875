# SPDX-License-Identifier: MIT
"""Reading real traces of page faults and turning them into programs for tenants and devices."""
