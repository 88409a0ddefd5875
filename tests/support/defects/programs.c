/* SPDX-License-Identifier: MIT
 * For tests of the runtime: code in kernel style, one program for each detector. The name of a program is DEFECT or DEFECT-not, its
 * twin in which nothing is wrong. The tree is the mini-tree beside this folder. */
#include <linux/iommu.h>
#include "../../../emulator/linux/runtime/runtime.h"

void shim_work(void);
int never_written(int value);

struct actor_entry { const char *name; void (*f)(int); int argument, is_service; };
struct thing { struct list_head list; refcount_t users; struct rcu_head rcu; u32 value; u8 tail[3]; };

static DEFINE_MUTEX(outer);
static DEFINE_MUTEX(inner);
static DEFINE_SPINLOCK(spin);
static struct fault_queue *queue;
static struct thing *shared;
static struct completion ready;
static struct list_head *frame;
static u32 flag, counter;
static bool wrong;

static struct thing *get(void)
{
    struct thing *t = kzalloc(sizeof(*t), GFP_KERNEL);

    refcount_set(&t->users, 1);
    return t;
}
static void put(struct thing *t)
{
    if (refcount_dec_and_test(&t->users)) kfree(t);
}

/* use-after-free: the second user has a reference, or not. */
static void uaf_first(int n) { put(shared); }
static void uaf_second(int n)
{
    WRITE_ONCE(shared->value, 1);
    put(shared);
}
static void uaf_ready(void)
{
    shared = get();
    if (!wrong) refcount_inc(&shared->users);
}

static void bounds(int n)
{
    struct thing *t = get();

    ((volatile u8 *)t)[sizeof(*t) - (wrong ? 0 : 1)] = 1;
    put(t);
}
static void double_free(int n)
{
    struct thing *t = get();

    kfree(t);
    if (wrong) kfree(t);
}
static void invalid_free(int n)
{
    struct thing *t = get();

    kfree(wrong ? &t->value : (void *)t);
}
static void leak(int n)
{
    struct thing *t = get();

    if (!wrong) put(t);
}
/* stack-frame: a list entry on a stack is read by the other actor while its function runs, or after. It lies deeper than what the
 * owner needs to wait, or its next calls would cover it. */
static void __attribute__((noinline)) frame_show(void)
{
    struct { struct list_head entry; volatile char room[4096]; } on_stack;

    INIT_LIST_HEAD(&on_stack.entry);
    WRITE_ONCE(frame, &on_stack.entry);
    if (!wrong) {
        wait_for_completion(&ready);
        return;
    }
    barrier();
}
static void frame_owner(int n)
{
    frame_show();
    if (wrong) wait_for_completion(&ready);
}
static void frame_reader(int n)
{
    struct list_head *seen;

    while (!(seen = READ_ONCE(frame))) cpu_relax();
    if (READ_ONCE(seen->next) == NULL) WRITE_ONCE(flag, 1);
    complete(&ready);
}

static void race(int n)
{
    if (!wrong) mutex_lock(&outer);
    counter++;
    if (!wrong) mutex_unlock(&outer);
}
static void marked(int n)
{
    if (wrong)
        counter = n;
    else
        WRITE_ONCE(counter, n);
    if (READ_ONCE(counter) > 9) WRITE_ONCE(flag, 1);
}
/* publish: what was written before a flag is read after it; release and acquire, or not. */
static void publish(int n)
{
    counter = 7;
    if (wrong)
        WRITE_ONCE(flag, 1);
    else
        smp_store_release(&flag, 1);
}
static void subscribe(int n)
{
    if (smp_load_acquire(&flag) && counter != 7) rt_finding("impossible", 0, "counter %u", counter);
}

static void order(int n)
{
    struct mutex *first = n && wrong ? &inner : &outer, *second = n && wrong ? &outer : &inner;

    mutex_lock(first);
    mutex_lock(second);
    mutex_unlock(second);
    mutex_unlock(first);
}
static void recursive(int n)
{
    mutex_lock(&outer);
    if (wrong) mutex_lock(&outer);
    mutex_unlock(&outer);
}
static void unlocked(int n)
{
    if (!wrong) mutex_lock(&outer);
    mutex_unlock(&outer);
}
static void atomic_sleep(int n)
{
    if (wrong)
        spin_lock(&spin);
    mutex_lock(&outer);
    mutex_unlock(&outer);
    if (wrong)
        spin_unlock(&spin);
}
/* rcu: the object is replaced; the old one is freed after a grace period, or at once. */
static void rcu_reader(int n)
{
    struct thing *t;

    rcu_read_lock();
    t = rcu_dereference(shared);
    if (t && READ_ONCE(t->value) > 9) WRITE_ONCE(flag, 1);
    rcu_read_unlock();
}
static void rcu_writer(int n)
{
    struct thing *old = shared;

    rcu_assign_pointer(shared, NULL);
    if (wrong)
        kfree(old);
    else
        kfree_rcu(old, rcu);
}
static void rcu_ready(void) { shared = get(); }
static void rcu_outside(int n)
{
    if (!wrong) rcu_read_lock();
    if (rcu_dereference(shared)) WRITE_ONCE(flag, 1);
    if (!wrong) rcu_read_unlock();
}
static void warning(int n) { WARN_ON(wrong && n == 0); }
/* hidden: behind a warning is a use after free. */
static void hidden(int n)
{
    struct thing *t = get();

    if (wrong) put(t);
    WARN_ON(wrong);
    WRITE_ONCE(t->value, 1);
    if (!wrong) put(t);
}
static void null_pointer(int n)
{
    struct thing *t = wrong ? NULL : shared;

    WRITE_ONCE(t->value, 1);
}
static void missing(int n)
{
    if (wrong) never_written(n);
}
/* lost-wake-up: completes once for two that wait. */
static void waits(int n) { wait_for_completion(&ready); }
static void wakes(int n)
{
    if (wrong)
        complete(&ready);
    else
        complete_all(&ready);
}
static void endless(int n)
{
    while (wrong || !READ_ONCE(flag)) WRITE_ONCE(flag, 1);
}
/* flush: work items of the tree's queue are flushed before it is freed, or a lock that they take is held across the flush. */
static void reports(int n)
{
    for (u32 page = 0; page < 3; page++) fault_report(queue, page);
    if (wrong) mutex_lock(&queue->lock);
    fault_queue_flush(queue);
    if (wrong) mutex_unlock(&queue->lock);
    fault_queue_free(queue);
}
static void queue_ready(void) { queue = fault_queue_alloc("test"); }
static void worker(int n) { shim_work(); }

#define ONE(f) {{"first", f, 0, 0}, {NULL}}
#define TWO(f, g) {{"first", f, 0, 0}, {"second", g, 1, 0}, {NULL}}
static const struct { const char *name; void (*ready)(void); struct actor_entry actors[5]; } programs[] = {
    {"use-after-free", uaf_ready, TWO(uaf_first, uaf_second)},
    {"out-of-bounds", NULL, ONE(bounds)},
    {"double-free", NULL, ONE(double_free)},
    {"invalid-free", NULL, ONE(invalid_free)},
    {"leak", NULL, ONE(leak)},
    {"stack-frame", NULL, TWO(frame_owner, frame_reader)},
    {"race", NULL, TWO(race, race)},
    {"marked", NULL, TWO(marked, marked)},
    {"publish", NULL, TWO(publish, subscribe)},
    {"order", NULL, TWO(order, order)},
    {"recursive", NULL, ONE(recursive)},
    {"unlocked", NULL, ONE(unlocked)},
    {"atomic-sleep", NULL, ONE(atomic_sleep)},
    {"rcu", rcu_ready, TWO(rcu_reader, rcu_writer)},
    {"rcu-outside", rcu_ready, ONE(rcu_outside)},
    {"warning", NULL, ONE(warning)},
    {"hidden", NULL, ONE(hidden)},
    {"null-pointer", rcu_ready, ONE(null_pointer)},
    {"missing", NULL, ONE(missing)},
    {"lost-wake-up", NULL, {{"first", waits, 0, 0}, {"second", waits, 1, 0}, {"waker", wakes, 0, 0}, {NULL}}},
    {"endless", NULL, ONE(endless)},
    {"flush", queue_ready, {{"first", reports, 0, 0}, {"worker0", worker, 0, 1}, {"worker1", worker, 1, 1}, {NULL}}},
};

const struct actor_entry *driver_set_up(const char *name)
{
    size_t n = strlen(name), twin = n > 4 && !strcmp(name + n - 4, "-not") ? 4 : 0;

    wrong = !twin;
    init_completion(&ready);
    for (u32 i = 0; i < ARRAY_SIZE(programs); i++) {
        if (strlen(programs[i].name) != n - twin || strncmp(programs[i].name, name, n - twin)) continue;
        if (programs[i].ready) programs[i].ready();
        return programs[i].actors;
    }
    return NULL;
}
