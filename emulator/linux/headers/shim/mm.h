/* SPDX-License-Identifier: MIT
 * Address spaces: users and references as the kernel counts them, a few areas, faults that always find memory. */
#ifndef SHIM_MM_H
#define SHIM_MM_H
struct iommu_mm_data;
struct page;
struct folio;
struct list_lru;
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x) ALIGN(x, PAGE_SIZE)
#define PFN_DOWN(x) ((x) >> PAGE_SHIFT)
#define VM_READ 1ul
#define VM_WRITE 2ul
#define VM_EXEC 4ul
typedef unsigned int vm_fault_t;
enum { FAULT_FLAG_WRITE = 1, FAULT_FLAG_USER = 64, FAULT_FLAG_REMOTE = 128, FAULT_FLAG_INSTRUCTION = 256 };
#define VM_FAULT_ERROR 0x873
struct vm_area_struct { unsigned long vm_start, vm_end, vm_flags; };
#define SHIM_AREAS 4
struct mm_struct {
    atomic_t mm_users, mm_count;
    struct rw_semaphore mmap_lock;
    struct iommu_mm_data *iommu_mm;
    u32 pasid; /* until 6.7 */
    int areas;
    struct vm_area_struct area[SHIM_AREAS];
    void *pgd;
};
struct task_struct { struct mm_struct *mm; unsigned int pasid_activated : 1; };
#define current shim_current()
struct task_struct *shim_current(void);
void mmgrab(struct mm_struct *mm);
void mmdrop(struct mm_struct *mm);
bool mmget_not_zero(struct mm_struct *mm);
void mmput(struct mm_struct *mm);
void mmput_async(struct mm_struct *mm);
#define mmap_read_lock(mm) down_read(&(mm)->mmap_lock)
#define mmap_read_unlock(mm) up_read(&(mm)->mmap_lock)
#define mmap_write_lock(mm) down_write(&(mm)->mmap_lock)
#define mmap_write_unlock(mm) up_write(&(mm)->mmap_lock)
#define mmap_assert_locked(mm) ((void)WARN_ON(!shim_rwsem_is_held(&(mm)->mmap_lock)))
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long address);
struct vm_area_struct *find_extend_vma(struct mm_struct *mm, unsigned long address);
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, void *regs);
struct mmu_notifier_ops;
struct mmu_notifier { const struct mmu_notifier_ops *ops; struct mm_struct *mm; };
void mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm, unsigned long start, unsigned long end);
#define arch_pgtable_dma_compat(mm) true
typedef unsigned long pgprot_t;
typedef struct { u64 pte; } pte_t;
#define virt_to_phys(p) ((phys_addr_t)(unsigned long)(p))
#define phys_to_virt(p) ((void *)(unsigned long)(p))
#define __pa(p) virt_to_phys(p)
#if __has_include(<linux/ioasid.h>) /* until 6.2 */
#define mm_pasid_set(mm, value) ((void)((mm)->pasid = (value)))
#endif
#endif
