/* SPDX-License-Identifier: MIT
 * PCI devices: their address and what decides about groups. No register is behind them here. */
#ifndef SHIM_PCI_H
#define SHIM_PCI_H
struct pci_bus { u8 number; struct pci_dev *self; struct pci_bus *parent; struct list_head devices; };
struct pci_dev {
    struct device dev;
    struct pci_bus *bus;
    u8 devfn;
    u16 vendor, device;
    unsigned int untrusted : 1, ats_enabled : 1, pri_enabled : 1, pasid_enabled : 1, multifunction : 1;
};
struct platform_device { struct device dev; };
struct fsl_mc_device { struct device dev; };
#define to_pci_dev(d) container_of(d, struct pci_dev, dev)
#define dev_is_pci(d) ((d)->bus == &pci_bus_type)
#define PCI_DEVID(b, f) ((u16)((b) * 256 + (f)))
#define PCI_DEVFN(s, f) ((s) % 32 * 8 + (f) % 8)
#define PCI_SLOT(df) ((df) / 8 % 32)
#define PCI_ACS_SV 1
#define PCI_ACS_RR 4
#define PCI_ACS_CR 8
#define PCI_ACS_UF 16
#define pci_is_root_bus(b) (!(b)->parent)
#define pci_real_dma_dev(p) (p)
#define for_each_pci_dev(p) while (((p) = NULL))
bool pci_acs_enabled(struct pci_dev *p, u16 flags);
bool pci_acs_path_enabled(struct pci_dev *p, struct pci_dev *end, u16 flags);
int pci_for_each_dma_alias(struct pci_dev *p, int (*f)(struct pci_dev *p, u16 alias, void *data), void *data);
bool pci_devs_are_dma_aliases(struct pci_dev *a, struct pci_dev *b);
#define pci_warn(p, ...) shim_log(__VA_ARGS__)
#define pci_info(p, ...) shim_log(__VA_ARGS__)
#define pci_err(p, ...) shim_log(__VA_ARGS__)
struct device *fsl_mc_cont_dev(struct device *d);
#define dev_is_fsl_mc(d) ((d)->bus == &fsl_mc_bus_type)
#endif
