/* SPDX-License-Identifier: MIT
 * Mutexes, spinlocks, read-write semaphores, with a class per place of initialisation as lockdep has it. */
#ifndef SHIM_LOCKS_H
#define SHIM_LOCKS_H
struct lock_class_key { const char *name; };
struct shim_lock { u32 word, owner; struct lock_class_key *key; const char *name; };
struct mutex { struct shim_lock l; };
typedef struct spinlock { struct shim_lock l; } spinlock_t;
typedef spinlock_t raw_spinlock_t;
typedef struct { struct shim_lock l; } rwlock_t;
struct rw_semaphore { struct shim_lock l; u32 readers, moment; };

void shim_lock(struct shim_lock *l, int spins);
void shim_unlock(struct shim_lock *l, int spins);
bool shim_trylock(struct shim_lock *l, int spins);
bool shim_is_held(const struct shim_lock *l);
void shim_assert_held(const struct shim_lock *l, const char *file, int line);
void shim_down(struct rw_semaphore *s, int writes);
void shim_up(struct rw_semaphore *s, int writes);
bool shim_rwsem_is_held(const struct rw_semaphore *s);
void shim_might_sleep(void);

#define SHIM_LOCK_INIT(n) { .name = #n }
#define __MUTEX_INITIALIZER(n) { SHIM_LOCK_INIT(n) }
#define __SPIN_LOCK_UNLOCKED(n) { SHIM_LOCK_INIT(n) }
#define __RWSEM_INITIALIZER(n) { .l = SHIM_LOCK_INIT(n) }
#define DEFINE_MUTEX(n) struct mutex n = __MUTEX_INITIALIZER(n)
#define DEFINE_SPINLOCK(n) spinlock_t n = __SPIN_LOCK_UNLOCKED(n)
#define DECLARE_RWSEM(n) struct rw_semaphore n = __RWSEM_INITIALIZER(n)
#define SHIM_INIT(lock, text) do { static struct lock_class_key key_ = { text }; \
    *(lock) = (struct shim_lock){ .key = &key_, .name = text }; } while (0)
#define mutex_init(m) SHIM_INIT(&(m)->l, #m)
#define spin_lock_init(s) SHIM_INIT(&(s)->l, #s)
#define raw_spin_lock_init(s) spin_lock_init(s)
#define init_rwsem(s) do { SHIM_INIT(&(s)->l, #s); (s)->readers = (s)->moment = 0; } while (0)
#define lockdep_set_class(m, k) ((void)((m)->l.key = (k)))

/* Macros, not functions: the call is the place that a finding names. */
#define mutex_lock(m) shim_lock(&(m)->l, 0)
#define mutex_lock_nested(m, n) mutex_lock(m)
#define mutex_lock_interruptible(m) (mutex_lock(m), 0)
#define mutex_unlock(m) shim_unlock(&(m)->l, 0)
#define mutex_trylock(m) shim_trylock(&(m)->l, 0)
#define mutex_is_locked(m) (READ_ONCE((m)->l.word) != 0)
#define mutex_destroy(m) ((void)(m))
#define spin_lock(s) shim_lock(&(s)->l, 1)
#define spin_unlock(s) shim_unlock(&(s)->l, 1)
#define spin_trylock(s) shim_trylock(&(s)->l, 1)
#define spin_lock_irqsave(s, f) do { (f) = 0; spin_lock(s); } while (0)
#define spin_unlock_irqrestore(s, f) do { (void)(f); spin_unlock(s); } while (0)
#define spin_lock_irq(s) spin_lock(s)
#define spin_unlock_irq(s) spin_unlock(s)
#define spin_lock_bh(s) spin_lock(s)
#define spin_unlock_bh(s) spin_unlock(s)
#define raw_spin_lock(s) spin_lock(s)
#define raw_spin_unlock(s) spin_unlock(s)
#define raw_spin_lock_irqsave(s, f) spin_lock_irqsave(s, f)
#define raw_spin_unlock_irqrestore(s, f) spin_unlock_irqrestore(s, f)
#define down_read(s) shim_down(s, 0)
#define up_read(s) shim_up(s, 0)
#define down_write(s) shim_down(s, 1)
#define up_write(s) shim_up(s, 1)

#define lockdep_is_held(m) shim_is_held(&(m)->l)
#define lockdep_assert_held(m) shim_assert_held(&(m)->l, __FILE__, __LINE__)
#define lockdep_assert_held_write(m) lockdep_assert_held(m)
#define lockdep_assert_not_held(m) ((void)(m))
#define lockdep_assert(c) ((void)WARN_ON(!(c)))
#define might_sleep() shim_might_sleep()
#define might_sleep_if(c) do { if (c) might_sleep(); } while (0)
#define might_lock(m) ((void)(m))
#define might_fault() shim_might_sleep()
#define might_alloc(flags) ((void)(flags))
#define cond_resched() ((void)0)
#endif
