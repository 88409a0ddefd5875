/* SPDX-License-Identifier: MIT
 * runner IMAGE PROGRAM SCHEDULES SEED SWITCH FAIL WARN: runs a program of the image's driver under schedules, up to the first
 * finding. With WARN 1 a warning is counted and the code continues.
 * The last line of the output is the account. Status 0 whatever was found, 3 if the program could not be set up, 4 if the image
 * has no such program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "internal.h"

/* What the driver gives for a program; the driver's own declaration is in driver.h. */
typedef struct { const char *name; void (*f)(int); int argument, is_service; } actor_entry;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
int main(int argc, char **argv)
{
    if (argc != 8) return 2;
    uint64_t schedules = strtoull(argv[3], 0, 10), seed = strtoull(argv[4], 0, 10), done = 0;
    rt_options.switch_in = (uint32_t)strtoul(argv[5], 0, 10);
    window_open();
    fibers_open();
    void *image = window_load(argv[1]);
    const actor_entry *(*set_up)(const char *) = (const actor_entry *(*)(const char *))dlsym(image, "driver_set_up");
    const actor_entry *actors = set_up ? set_up(argv[2]) : 0;
    if (!actors) return 4;
    for (; actors->name; actors++) fibers_actor(actors->name, actors->f, actors->argument, actors->is_service);
    rt_options.counts_warnings = argv[7][0] == '1';
    rt_options.fail_in = (uint32_t)strtoul(argv[6], 0, 10);
    window_save();
    double began = cpu_s();
    int found = 0;
    for (; done < schedules && !found; done++) {
        window_restore();
        findings_begin("");
        found = fibers_run(seed + done) != ENDED_DONE;
        if (!found) found = heap_leaks();
        if (found) findings_print();
    }
    printf("{\"schedules\": %lu, \"points\": %lu, \"accesses\": %lu, \"warnings\": %lu, \"cpu_s\": %.6f}\n", done,
           rt_count.points, rt_count.accesses, rt_count.warnings, cpu_s() - began);
    return 0;
}
