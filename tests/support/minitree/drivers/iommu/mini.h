/* SPDX-License-Identifier: MIT */
#include <linux/iommu.h>
void fault_put(struct fault *fault);
