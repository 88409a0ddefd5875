/* SPDX-License-Identifier: MIT
 * Types and the vocabulary of sources that says nothing to a process: sections, exports, initcalls. */
#ifndef SHIM_BASE_H
#define SHIM_BASE_H
#include <linux/kconfig.h>        /* the tree's, like all of this block */
#include <linux/compiler_types.h>
#include <linux/types.h>
#include <linux/stddef.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/stringify.h>

#define __init
#define __exit
#define __initdata
#define __read_mostly
#define __ro_after_init
#ifndef ____cacheline_aligned
#define ____cacheline_aligned
#define ____cacheline_aligned_in_smp
#endif
#ifndef __iomem
#define __iomem
#endif
#define EXPORT_SYMBOL(x)
#define EXPORT_SYMBOL_GPL(x)
#define EXPORT_SYMBOL_NS(x, ns)
#define EXPORT_SYMBOL_NS_GPL(x, ns)
#define EXPORT_SYMBOL_FOR_MODULES(x, m)
#define MODULE_LICENSE(x)
#define MODULE_IMPORT_NS(x)
#define MODULE_DESCRIPTION(x)
#define THIS_MODULE ((struct module *)0)
#define early_param(name, f) static const void *const __maybe_unused shim_param_##f = (f)
#define core_initcall(f) static const void *const __maybe_unused shim_call_##f = (f)
#define subsys_initcall(f) core_initcall(f)
#define device_initcall(f) core_initcall(f)
struct module;

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
#define max(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ > b_ ? a_ : b_; })
#define min(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define max_t(t, a, b) ({ t a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(t, a, b) ({ t a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define S_IRUGO 0444
#define S_IWUSR 0200
#define CAP_SYS_ADMIN 21
#define CAP_SYS_RAWIO 17
bool capable(int cap);
int kstrtobool(const char *s, bool *res);
int kstrtou32(const char *s, unsigned int base, u32 *res);
#endif
