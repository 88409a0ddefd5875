/* SPDX-License-Identifier: MIT
 * Buses and firmware nodes. */
#include "shim.h"

const struct bus_type platform_bus_type = {.name = "platform"}, pci_bus_type = {.name = "pci"}, fsl_mc_bus_type = {.name = "fsl-mc"},
                      amba_bustype = {.name = "amba"}, cdx_bus_type = {.name = "cdx"},
                      host1x_context_device_bus_type = {.name = "host1x-context"};

struct fwnode_handle *dev_fwnode(const struct device *d) { return d->fwnode; }
struct fwnode_handle *fwnode_handle_get(struct fwnode_handle *f) { return f; }
void fwnode_handle_put(struct fwnode_handle *f) {}
struct device *get_device(struct device *d) { return d; }
void put_device(struct device *d) {}
bool capable(int cap) { return true; }
