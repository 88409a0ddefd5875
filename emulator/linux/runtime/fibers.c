/* SPDX-License-Identifier: MIT
 * Actors as fibers on stacks in the window. At a point the running actor may hand over to any other that can run, one time in
 * `switch_in`; the choice depends on the seed alone. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include "internal.h"

enum { NONE, READY, BLOCKED, DONE };
typedef struct { void *sp; int state, is_service, argument; const volatile void *channel; const char *name; void (*f)(int); int kind; const void *pc; } fiber;
static fiber fibers[RT_ACTORS];
static struct { const void *pc[64]; int n; } calls[RT_ACTORS];
static int count;
static uint32_t ready;
static uint64_t rng, steps;
static void *home;
static ending ended;

int rt_me;
rt_state rt_states[RT_ACTORS];
counters rt_count;
struct options rt_options = {.switch_in = 8, .most_steps = 20000};

void runtime_switch(void **save, void *load);
__asm__(".text\n.p2align 4\n.globl runtime_switch\nruntime_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\nmov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

const char *fibers_name(int actor) { return actor >= 0 && actor < count && steps ? fibers[actor].name : "setup"; }
uint64_t fibers_step(void) { return steps; }
int fibers_count(void) { return count; }
void *fibers_stack(int actor) { return fibers[actor].sp; }
void fibers_actor(const char *name, void (*f)(int), int argument, int is_service)
{
    fibers[count++] = (fiber){.name = name, .f = f, .argument = argument, .is_service = is_service};
}

void fibers_enter(const void *pc) { calls[rt_me].pc[calls[rt_me].n++ & 63] = pc; }
void fibers_leave(void) { calls[rt_me].n--; }
static place place_of(int actor, const void *pc)
{
    place p = {{0}};
    int k = 0;
    if (code_offset(pc)) p.frame[k++] = code_offset(pc);
    for (int i = calls[actor].n; i > 0 && k < FRAMES;) {
        uint32_t at = code_offset(calls[actor].pc[--i & 63]);
        if (at) p.frame[k++] = at;
    }
    return p;
}
place fibers_place(const void *pc) { return place_of(rt_me, pc); }

unsigned long rt_random(void)
{
    rng ^= rng << 13, rng ^= rng >> 7, rng ^= rng << 17;
    return rng >> 16;
}
static int any_ready(void)
{
    uint32_t n = (uint32_t)rt_random() % (uint32_t)__builtin_popcount(ready), m = ready;
    while (n--) m &= m - 1;
    return __builtin_ctz(m);
}
static void go(int to)
{
    int from = rt_me;
    if (to == from) return;
    rt_me = to;
    runtime_switch(&fibers[from].sp, fibers[to].sp);
}
void fibers_end(ending why)
{
    void *unused;
    if (!steps) { /* in the set-up: no schedule to end */
        findings_print();
        __builtin_exit(3);
    }
    ended = why;
    runtime_switch(&unused, home);
    __builtin_unreachable();
}
static void leave(void)
{
    if (!ready) {
        for (int i = 0; i < count; i++)
            if (!fibers[i].is_service && fibers[i].state != DONE) {
                findings_begin("deadlock");
                findings_text("no runnable actor");
                fibers_describe();
                fibers_end(ENDED_DEADLOCK);
            }
        fibers_end(ENDED_DONE);
    }
    go(any_ready());
}
void fibers_describe(void)
{
    static const char *const kinds[] = {"reading", "writing", "locking", "unlocking", "waiting", "waking", "in RCU", "freeing", "at work", "at a fence"};
    for (int i = 0; i < count; i++)
        if (fibers[i].state != DONE && (!fibers[i].is_service || fibers[i].state == READY))
            findings_place(fibers[i].state == BLOCKED ? "blocked" : kinds[fibers[i].kind], i, place_of(i, fibers[i].pc));
}
void rt_point(int kind, const volatile void *address, const void *pc)
{
    (void)address;
    if (!steps) return;
    rt_count.points++;
    fibers[rt_me].kind = kind, fibers[rt_me].pc = pc;
    if (++steps > rt_options.most_steps) {
        findings_begin("step limit");
        findings_text("no end after %lu points", rt_options.most_steps);
        fibers_describe();
        fibers_end(ENDED_STEPS);
    }
    if (rt_random() % rt_options.switch_in == 0) go(any_ready());
}
void rt_block(const volatile void *channel, const void *pc)
{
    if (!steps) rt_finding("deadlock", pc, "the set-up waits for itself");
    fibers[rt_me].state = BLOCKED, fibers[rt_me].channel = channel, fibers[rt_me].pc = pc, fibers[rt_me].kind = RT_WAIT;
    ready &= ~(1u << rt_me);
    leave();
}
void rt_wake(const volatile void *channel)
{
    for (int i = 0; i < count; i++)
        if (fibers[i].state == BLOCKED && fibers[i].channel == channel) fibers[i].state = READY, ready |= 1u << i;
}
static void bottom(void)
{
    fibers[rt_me].f(fibers[rt_me].argument);
    fibers[rt_me].state = DONE, ready &= ~(1u << rt_me);
    leave();
}
/* An access that the processor refuses. A call through a null pointer has no place of its own: its caller is named. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    const void *pc = (void *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (number == SIGSEGV || number == SIGBUS)
        rt_finding("invalid pointer dereference", pc, "at address 0x%lx", (unsigned long)info->si_addr);
    rt_finding("invalid instruction", pc, "signal %d", number);
}
void fibers_open(void)
{
    static char stack[64 << 10];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaltstack(&alternate, 0);
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGILL, &action, 0);
    sigaction(SIGFPE, &action, 0);
}
ending fibers_run(uint64_t seed)
{
    memset(rt_states, 0, sizeof(rt_states));
    rng = (seed + 1) * 0x9E3779B97F4A7C15ul, rng ^= rng >> 29;
    rt_random(), rt_random();
    steps = 1, ready = 0;
    findings_seed(seed);
    races_begin();
    lock_order_begin();
    for (int i = 0; i < count; i++) {
        uint64_t *sp = (uint64_t *)(WINDOW + STACKS + (i + 1) * STACK_BYTES) - 1;
        *--sp = (uint64_t)bottom, sp -= 6; /* the stack is aligned as after a call */
        fibers[i].sp = sp, fibers[i].state = READY, fibers[i].pc = 0, calls[i].n = 0;
        ready |= 1u << i;
    }
    rt_me = any_ready();
    runtime_switch(&home, fibers[rt_me].sp);
    rt_count.schedules++;
    return ended;
}
