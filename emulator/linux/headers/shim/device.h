/* SPDX-License-Identifier: MIT
 * Devices, buses, firmware nodes, as far as the IOMMU core looks at them. */
#ifndef SHIM_DEVICE_H
#define SHIM_DEVICE_H
struct device;
struct dev_iommu;
struct iommu_group;
struct device_node;
struct iommu_ops;
struct fwnode_handle { struct device *dev; };
struct device_driver { const char *name; const void *of_match_table; bool suppress_bind_attrs; bool driver_managed_dma; };
struct bus_dma_region;
struct notifier_block { int (*notifier_call)(struct notifier_block *n, unsigned long action, void *data); };
struct bus_type {
    const char *name;
    int (*dma_configure)(struct device *dev);
    void (*dma_cleanup)(struct device *dev);
    const struct iommu_ops *iommu_ops; /* until 6.6 */
};
struct device {
    struct kobject kobj;
    struct device *parent;
    const char *init_name;
    struct device_driver *driver;
    const struct bus_type *bus;
    void *driver_data, *platform_data;
    struct fwnode_handle *fwnode;
    struct device_node *of_node;
    struct iommu_group *iommu_group;
    struct dev_iommu *iommu;
    void *dma_iommu, *dma_ops;
    struct mutex mutex;
    int id, numa_node;
};
static inline const char *dev_name(const struct device *d) { return d->init_name; }
static inline void *dev_get_drvdata(const struct device *d) { return d->driver_data; }
static inline void dev_set_drvdata(struct device *d, void *data) { d->driver_data = data; }
static inline int dev_to_node(struct device *d) { return d->numa_node; }
struct device *get_device(struct device *d);
void put_device(struct device *d);
#define device_lock(d) mutex_lock(&(d)->mutex)
#define device_unlock(d) mutex_unlock(&(d)->mutex)
#define device_lock_assert(d) lockdep_assert_held(&(d)->mutex)
#define NUMA_NO_NODE (-1)
#define NOTIFY_OK 1
#define NOTIFY_DONE 0
#define BUS_NOTIFY_ADD_DEVICE 1
#define BUS_NOTIFY_REMOVED_DEVICE 2
int bus_register_notifier(const struct bus_type *bus, struct notifier_block *n);
int bus_unregister_notifier(const struct bus_type *bus, struct notifier_block *n);
int bus_for_each_dev(const struct bus_type *bus, struct device *start, void *data, int (*f)(struct device *d, void *data));
extern const struct bus_type platform_bus_type, amba_bustype, fsl_mc_bus_type, cdx_bus_type, host1x_context_device_bus_type, pci_bus_type;
#define dev_is_platform(d) ((d)->bus == &platform_bus_type)
struct fwnode_handle *dev_fwnode(const struct device *d);
struct fwnode_handle *fwnode_handle_get(struct fwnode_handle *f);
void fwnode_handle_put(struct fwnode_handle *f);
#define is_of_node(f) false
int driver_deferred_probe_check_state(struct device *d);
bool device_iommu_mapped(struct device *d);
struct of_phandle_args { struct device_node *np; int args_count; u32 args[16]; };
struct scatterlist { unsigned long page_link; unsigned int offset, length; dma_addr_t dma_address; };
struct sg_table { struct scatterlist *sgl; unsigned int nents, orig_nents; };
struct scatterlist *sg_next(struct scatterlist *s);
static inline phys_addr_t sg_phys(struct scatterlist *s) { return s->page_link + s->offset; }
#define sg_is_dma_bus_address(s) false
#define sg_dma_is_bus_address(s) false
struct msi_desc { void *iommu_msi_iova; u64 iommu_msi_page_shift; };
struct msi_msg { u32 address_lo, address_hi, data; };
enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };
#endif
