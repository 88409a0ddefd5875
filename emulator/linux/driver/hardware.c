/* SPDX-License-Identifier: MIT
 * The hardware: a ring of page requests, and functions that send groups and take answers. Not the kernel's code, so not
 * instrumented: it reports where another actor may run, and what it orders. */
#include <linux/types.h>
#include "driver.h"
#define RING 64
#define GROUPS 16
#define HERE __builtin_return_address(0)

struct function { u32 runs, pasid, stopped, sent, answered; u8 awaits[GROUPS]; };
static struct { u32 head, tail; struct request ring[RING]; struct function function[DEVICES]; } hw;
struct hardware_program hardware_program;

static void send(struct request r)
{
    rt_point(RT_WRITE, &hw.tail, HERE);
    while (hw.tail - hw.head == RING) rt_block(&hw, HERE);
    hw.ring[hw.tail++ % RING] = r;
    rt_release(&hw);
    rt_wake(&hw);
}
bool hardware_next(struct request *r)
{
    rt_point(RT_READ, &hw.tail, HERE);
    rt_acquire(&hw);
    if (hw.head == hw.tail) return false;
    *r = hw.ring[hw.head % RING];
    return true;
}
void hardware_advance(void)
{
    rt_point(RT_WRITE, &hw.head, HERE);
    rt_release(&hw);
    hw.head++;
    rt_wake(&hw);
}
void hardware_await_request(void)
{
    while (hw.head == hw.tail) rt_block(&hw, HERE);
}
bool hardware_holds(int device, u32 pasid)
{
    rt_point(RT_READ, &hw.head, HERE);
    rt_acquire(&hw);
    for (u32 i = hw.head; i != hw.tail; i++)
        if ((int)hw.ring[i % RING].device == device && hw.ring[i % RING].pasid == pasid) return true;
    return false;
}
void hardware_respond(int device, u32 pasid, u32 group, u32 code)
{
    struct function *f = &hw.function[device];
    rt_point(RT_WRITE, f, HERE);
    if (group >= GROUPS || !f->awaits[group])
        rt_finding("wrong answer", HERE, "group %u of device %d (code %u): no such group awaits one", group, device, code);
    f->awaits[group] = 0, f->answered++;
    rt_release(f);
    rt_wake(f);
}
void hardware_start(int device, u32 pasid)
{
    struct function *f = &hw.function[device];
    rt_point(RT_WRITE, f, HERE);
    f->pasid = pasid, f->runs = 1, f->stopped = 0;
    rt_release(f);
    rt_wake(f);
}
void hardware_await_stop(int device)
{
    struct function *f = &hw.function[device];
    rt_point(RT_WAIT, f, HERE);
    while (!f->stopped) rt_block(f, HERE);
    rt_acquire(f);
}
/* Sends its groups, and stops when they are answered; with `waits` 0 it stops at once and answers still come, and with `torn` the
 * last request of the last group is never sent. */
void hardware_function(int device)
{
    const struct hardware_program *p = &hardware_program;
    struct function *f = &hw.function[device];
    rt_point(RT_WAIT, f, HERE);
    while (!f->runs) rt_block(f, HERE);
    rt_acquire(f);
    for (int g = 0; g < p->groups; g++) {
        for (int page = 0; page < p->pages; page++) {
            bool last = page == p->pages - 1;
            if (last && p->torn && g == p->groups - 1) break;
            if (last) f->awaits[g] = 1, f->sent++;
            send((struct request){device, f->pasid, g, last, 0x100000 + 4096ull * page});
        }
    }
    while (p->waits && f->answered < f->sent) rt_block(f, HERE);
    rt_point(RT_WRITE, f, HERE);
    rt_acquire(f);
    f->stopped = 1;
    rt_release(f);
    rt_wake(f);
    while (f->answered < f->sent) rt_block(f, HERE);
}
