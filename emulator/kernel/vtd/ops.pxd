# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""The ``iommu_ops`` of VT-d."""

from iopf.emulator.kernel.core.iommu_ops cimport iommu_ops

cdef const iommu_ops *vtd_ops() noexcept nogil
