/* SPDX-License-Identifier: MIT
 * Address spaces. */
#include "shim.h"
struct mm_struct;
void mm_pasid_drop(struct mm_struct *mm) __attribute__((weak)); /* the tree's, from 6.2 */

static bool reaches_zero(atomic_t *count, const void *pc)
{
    rt_point(RT_WRITE, count, pc);
    rt_touch(count, sizeof(*count), 1, pc);
    rt_release(count);
    if (--count->counter) return false;
    rt_acquire(count);
    return true;
}
void mmgrab(struct mm_struct *mm)
{
    rt_point(RT_WRITE, &mm->mm_count, CALLER);
    rt_touch(&mm->mm_count, 4, 1, CALLER);
    mm->mm_count.counter++;
}
void mmdrop(struct mm_struct *mm)
{
    if (!reaches_zero(&mm->mm_count, CALLER)) return;
    if (mm_pasid_drop) mm_pasid_drop(mm);
    rt_free(mm, 0, CALLER);
}
bool mmget_not_zero(struct mm_struct *mm)
{
    rt_point(RT_WRITE, &mm->mm_users, CALLER);
    rt_touch(&mm->mm_users, 4, 1, CALLER);
    if (!mm->mm_users.counter) return false;
    mm->mm_users.counter++;
    return true;
}
void mmput(struct mm_struct *mm)
{
    if (!reaches_zero(&mm->mm_users, CALLER)) return;
    mm->areas = 0;
    mmdrop(mm);
}
void mmput_async(struct mm_struct *mm) { mmput(mm); }
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long address)
{
    rt_touch(&mm->areas, sizeof(mm->areas), 0, CALLER);
    if (!shim_rwsem_is_held(&mm->mmap_lock)) rt_finding("a lock must be held here", CALLER, "mmap_lock");
    for (int i = 0; i < mm->areas; i++)
        if (address >= mm->area[i].vm_start && address < mm->area[i].vm_end) return &mm->area[i];
    return NULL;
}
struct vm_area_struct *find_extend_vma(struct mm_struct *mm, unsigned long address) { return vma_lookup(mm, address); }
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, void *regs)
{
    shim_sleeps(CALLER);
    rt_touch(vma, sizeof(*vma), 0, CALLER);
    return 0;
}
void mmu_notifier_arch_invalidate_secondary_tlbs(struct mm_struct *mm, unsigned long start, unsigned long end)
{
    rt_touch(mm, sizeof(*mm), 0, CALLER);
}
