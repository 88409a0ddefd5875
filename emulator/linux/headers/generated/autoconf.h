/* SPDX-License-Identifier: MIT */
/* The configuration that the files are compiled for: a 64-bit machine of no architecture, with I/O page faults. 6.12 refuses SVA on x86. */
#define CONFIG_64BIT 1
#define CONFIG_MMU 1
#define CONFIG_PHYS_ADDR_T_64BIT 1
#define CONFIG_ARCH_DMA_ADDR_T_64BIT 1
#define CONFIG_IOMMU_API 1
#define CONFIG_IOMMU_SVA 1
#define CONFIG_IOMMU_IOPF 1
#define CONFIG_IOMMU_MM_DATA 1
#define CONFIG_BASE_SMALL 0
#define CONFIG_GCC_VERSION (__GNUC__ * 10000 + __GNUC_MINOR__ * 100 + __GNUC_PATCHLEVEL__)
