/* SPDX-License-Identifier: MIT
 *
 * Faults of a process that reads a board which others may damage. A file may become shorter at any moment; the access
 * behind its end is a SIGBUS. The page is then replaced by a private one of zeros and marked, so that the reader reaches
 * its end and can say so. Any other fault ends the process with one line and a status, not with a core dump: the words
 * that led there came from the board.
 *
 * One module includes this file, since the state is static; the handlers use nothing but async-signal-safe calls. All
 * is written by the only thread of the process, which the handlers interrupt: the texts before the handlers are set, a
 * range with `start` last, so that half of one covers no address.
 */
#ifndef IOPF_GUARD_H
#define IOPF_GUARD_H

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_RANGES 16
#define GUARD_PAGE 4096

static struct {
    char *start, *end;
    volatile uint32_t replaced;
} guard_ranges[GUARD_RANGES];
static char guard_line[512];
static char guard_path[256];
static int guard_status;
static struct sigaction guard_before[2];
static const int guard_signals[2] = {SIGBUS, SIGSEGV};

static void guard_fault(int number, siginfo_t *info, void *context) {
    char *at = (char *)info->si_addr;
    (void)context;
    for (int i = 0; number == SIGBUS && i < GUARD_RANGES; i++) {
        if (at < guard_ranges[i].start || at >= guard_ranges[i].end) continue;
        void *page = (void *)((uintptr_t)at & ~(uintptr_t)(GUARD_PAGE - 1));
        if (mmap(page, GUARD_PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            break;
        guard_ranges[i].replaced++;
        return;
    }
    ssize_t written = write(2, guard_line, strlen(guard_line));
    (void)written;
    if (guard_path[0]) unlink(guard_path);
    _exit(guard_status);
}

static int guard_start(const char *line, const char *path, int status) {
    struct sigaction action;
    if (strlen(line) >= sizeof(guard_line) || strlen(path) >= sizeof(guard_path)) return -1;
    strcpy(guard_line, line);
    strcpy(guard_path, path);
    guard_status = status;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = guard_fault;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2; i++) {
        if (sigaction(guard_signals[i], &action, &guard_before[i])) return -1;
    }
    return 0;
}

static void guard_stop(void) {
    for (int i = 0; i < 2; i++) sigaction(guard_signals[i], &guard_before[i], NULL);
}

static int guard_add(char *start, uint64_t size) {
    for (int i = 0; i < GUARD_RANGES; i++) {
        if (guard_ranges[i].start) continue;
        guard_ranges[i].end = start + size;
        guard_ranges[i].replaced = 0;
        guard_ranges[i].start = start;
        return i;
    }
    return -1;
}

static uint32_t guard_replaced(int which) { return guard_ranges[which].replaced; }

static void guard_remove(int which) { guard_ranges[which].start = guard_ranges[which].end = NULL; }

#endif
