/* SPDX-License-Identifier: MIT
 * RCU: a grace period ends when every read section that was open at its start has ended. */
#ifndef SHIM_RCU_H
#define SHIM_RCU_H
void rcu_read_lock(void);
void rcu_read_unlock(void);
bool rcu_read_lock_held(void);
void synchronize_rcu(void);
void call_rcu(struct rcu_head *head, rcu_callback_t f);
void shim_kfree_rcu(void *object);
void shim_rcu_check(bool held, const char *file, int line);
#define kfree_rcu(p, field) shim_kfree_rcu(p)
#define kfree_rcu_mightsleep(p) shim_kfree_rcu(p)
#define RCU_INITIALIZER(v) (v)
#define RCU_INIT_POINTER(p, v) WRITE_ONCE(p, v)
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)
#define rcu_replace_pointer(p, v, c) ({ typeof(p) old_ = rcu_dereference_protected(p, c); rcu_assign_pointer(p, v); old_; })
#define rcu_dereference_check(p, c) ({ shim_rcu_check((c) || rcu_read_lock_held(), __FILE__, __LINE__); \
    __atomic_load_n(&(p), __ATOMIC_ACQUIRE); })
#define rcu_dereference(p) rcu_dereference_check((p), false)
#define rcu_dereference_raw(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)
#define rcu_dereference_protected(p, c) ({ shim_rcu_check(c, __FILE__, __LINE__); (p); })
#define rcu_access_pointer(p) READ_ONCE(p)
#include <linux/list.h> /* the tree's */
#define list_for_each_entry_rcu(p, head, member, ...) list_for_each_entry(p, head, member)
#endif
