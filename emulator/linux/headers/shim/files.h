/* SPDX-License-Identifier: MIT
 * Files and user memory. */
#ifndef SHIM_FILES_H
#define SHIM_FILES_H
struct inode;
struct file;
struct dentry;
struct seq_file;
struct poll_table_struct { int n; };
#ifndef __poll_t
typedef unsigned int __poll_t;
#endif
struct file_operations {
    struct module *owner;
    int (*open)(struct inode *inode, struct file *file);
    ssize_t (*read)(struct file *file, char *to, size_t n, loff_t *at);
    ssize_t (*write)(struct file *file, const char *from, size_t n, loff_t *at);
    __poll_t (*poll)(struct file *file, struct poll_table_struct *table);
    int (*release)(struct inode *inode, struct file *file);
};
struct file { void *private_data; const struct file_operations *f_op; };
unsigned long copy_from_user(void *to, const void *from, unsigned long n);
unsigned long copy_to_user(void *to, const void *from, unsigned long n);
int copy_struct_from_user(void *to, size_t room, const void *from, size_t n);
int copy_struct_to_user(void *to, size_t room, const void *from, size_t n, bool *dropped);
#define u64_to_user_ptr(x) ((void *)(unsigned long)(x))
struct iova_bitmap;
struct rb_root_cached;
struct interval_tree_node;
struct maple_tree { void *root; };
#endif
