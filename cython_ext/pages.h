/* SPDX-License-Identifier: MIT
 *
 * Tracks the pages of a mapping that were written since a moment: at that moment they become read-only, and the fault of
 * the first write marks the page and makes it writable permanently. Exact, and cheap when the same few pages are written
 * repeatedly.
 *
 * One mapping per process, and one module that includes this file, since the state is static. The marks are in memory
 * shared by all processes; each process has its own protections and takes its own first fault. The handler accesses only
 * the marks and calls mprotect.
 *
 * A fault elsewhere while `escape` is set is an invalid pointer dereference of an actor, which continues in `escape` and
 * does not return. Any other fault goes to the previous handler.
 */
#ifndef IOPF_PAGES_H
#define IOPF_PAGES_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGES_SHIFT 12

static struct {
    char *base;
    uint64_t bytes;
    volatile uint8_t *mark; /* a byte per page */
    void (*volatile escape)(void);
    volatile uint64_t wild;  /* the address of the wild access */
    struct sigaction before;
    int installed;
} iopf_pages;

static void pages_fault(int number, siginfo_t *info, void *context) {
    uint64_t off = (uint64_t)((char *)info->si_addr - iopf_pages.base);
    if (off < iopf_pages.bytes && !iopf_pages.mark[off >> PAGES_SHIFT]) {
        iopf_pages.mark[off >> PAGES_SHIFT] = 1;
    } else if ((off >= iopf_pages.bytes || info->si_code != SEGV_ACCERR) && iopf_pages.escape) {
        ucontext_t *u = context;
        iopf_pages.wild = (uint64_t)(uintptr_t)info->si_addr;
#if defined(__x86_64__)
        /* Below the red zone, aligned as after a call. */
        u->uc_mcontext.gregs[REG_RSP] = ((u->uc_mcontext.gregs[REG_RSP] - 256) & ~(greg_t)15) - 8;
        u->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)iopf_pages.escape;
#elif defined(__aarch64__)
        u->uc_mcontext.sp = (u->uc_mcontext.sp - 256) & ~(uint64_t)15;
        u->uc_mcontext.pc = (uint64_t)(uintptr_t)iopf_pages.escape;
#endif
        return;
    } else if (off >= iopf_pages.bytes || info->si_code != SEGV_ACCERR) {
        if (iopf_pages.before.sa_flags & SA_SIGINFO)
            iopf_pages.before.sa_sigaction(number, info, context);
        else if (iopf_pages.before.sa_handler != SIG_DFL && iopf_pages.before.sa_handler != SIG_IGN)
            iopf_pages.before.sa_handler(number);
        else
            signal(number, SIG_DFL); /* the access is repeated and kills the process */
        return;
    }
    mprotect(iopf_pages.base + (off >> PAGES_SHIFT << PAGES_SHIFT), 1u << PAGES_SHIFT, PROT_READ | PROT_WRITE);
}

/* Marks the write faults of `bytes` at `base` from now on; 0 or -1 (errno). The handler runs on a stack of its own, since
 * the writer's stack may be among the pages. */
static int pages_watch(char *base, uint64_t bytes, uint8_t *mark) {
    static char stack[65536];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action;
    if (iopf_pages.installed && iopf_pages.base != base) {
        errno = EBUSY; /* one mapping at a time */
        return -1;
    }
    if (!iopf_pages.installed) {
        memset(&action, 0, sizeof(action));
        action.sa_sigaction = pages_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigemptyset(&action.sa_mask);
        if (sigaltstack(&alternative, 0) != 0 || sigaction(SIGSEGV, &action, &iopf_pages.before) != 0) return -1;
        iopf_pages.installed = 1;
    }
    iopf_pages.base = base, iopf_pages.bytes = bytes, iopf_pages.mark = mark;
    return 0;
}

static void pages_escape(void (*escape)(void)) { iopf_pages.escape = escape; }
static uint64_t pages_wild(void) { return iopf_pages.wild; }
static int pages_protect(char *base, uint64_t bytes) { return mprotect(base, bytes, PROT_READ); }

static void pages_unwatch(char *base) {
    if (!iopf_pages.installed || iopf_pages.base != base) return;
    mprotect(iopf_pages.base, iopf_pages.bytes, PROT_READ | PROT_WRITE);
    iopf_pages.bytes = 0;
    sigaction(SIGSEGV, &iopf_pages.before, 0);
    iopf_pages.installed = 0;
}

#endif
