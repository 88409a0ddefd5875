/* SPDX-License-Identifier: MIT
 *
 * `iommu_fault` in 32 bytes, so that a pool object's header and a request fill one cache line, and a group two: the
 * interrupt thread writes them on one core and a handler reads them on another. Cython cannot declare bit fields.
 */
#ifndef IOPF_FAULT_H
#define IOPF_FAULT_H

#include <assert.h>
#include <stdint.h>

struct iommu_fault {
    uint32_t pasid : 20; /* 0 without PASID_VALID */
    uint32_t type : 4;
    uint32_t flags : 4;
    uint32_t perm : 4;
    uint16_t grpid; /* as wide as the STAG of SMMUv3, the widest */
    uint16_t device;
    uint64_t addr;
    uint64_t uid;
    uint64_t stamp;
};
static_assert(sizeof(struct iommu_fault) == 32, "half a cache line");

#endif
