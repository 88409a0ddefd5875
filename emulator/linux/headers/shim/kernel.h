/* SPDX-License-Identifier: MIT
 *
 * What the kernel's own files get in place of the headers that reach into the rest of the kernel. The compiler includes it
 * before each file (-include), so the headers that it replaces are empty (names in replaced.txt). Everything else comes from
 * the tree: list.h, refcount.h, cleanup.h, container_of.h, xarray.h, linux/iommu.h.
 *
 * Each part declares one subject; the order is that of their needs. Definitions are in ../shim, named after the part.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H
#define __KERNEL__ 1
#include "shim/base.h"
#include "shim/warn.h"
#include "shim/string.h"
#include "shim/atomic.h"
#include "shim/locks.h"
#include "shim/guards.h"
#include "shim/slab.h"
#include "shim/rcu.h"
#include "shim/bits.h"
#include "shim/workqueue.h"
#include "shim/waiting.h"
#include "shim/kobject.h"
#include "shim/device.h"
#include "shim/mm.h"
#include "shim/pci.h"
#include "shim/ida.h"
#include "shim/files.h"
#include "shim/trace.h"
#include <linux/xarray.h> /* the tree's */
#endif
