/* SPDX-License-Identifier: MIT
 * The window of memory at a constant address, and the image in it. A schedule starts from a copy of the image's data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "internal.h"

static struct { char *at, *copy; size_t n; } data;

void window_open(void)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *at = (void *)(WINDOW + STACKS);
    if (mmap(at, WINDOW_BYTES - STACKS, PROT_READ | PROT_WRITE, flags, -1, 0) != at) {
        perror("the window of memory at 0x200000000000");
        exit(3);
    }
    heap_open();
}
/* The writable part, without relocations that are read-only by now. */
static int find_data(struct dl_phdr_info *info, size_t n, void *unused)
{
    (void)n, (void)unused;
    if (info->dlpi_addr != 0 || !info->dlpi_phnum) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uint64_t low = h->p_vaddr, high = low + h->p_memsz;
        if (h->p_type != PT_LOAD || !(h->p_flags & PF_W) || low - WINDOW >= IMAGE_BYTES) continue;
        for (int k = 0; k < info->dlpi_phnum; k++)
            if (info->dlpi_phdr[k].p_type == PT_GNU_RELRO) {
                uint64_t end = (info->dlpi_phdr[k].p_vaddr + info->dlpi_phdr[k].p_memsz) & ~4095ul;
                if (end > low && end <= high) low = end;
            }
        data.at = (char *)low, data.n = high - low;
    }
    return data.at != 0;
}
void *window_load(const char *image)
{
    void *handle = dlopen(image, RTLD_NOW | RTLD_GLOBAL);
    if (!handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    dl_iterate_phdr(find_data, 0);
    if (!data.at) {
        fprintf(stderr, "%s: not at its address\n", image);
        exit(3);
    }
    data.copy = malloc(data.n);
    return handle;
}
void window_save(void)
{
    memcpy(data.copy, data.at, data.n);
    heap_save();
}
void window_restore(void)
{
    memcpy(data.at, data.copy, data.n);
    heap_restore();
}
