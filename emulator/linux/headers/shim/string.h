/* SPDX-License-Identifier: MIT
 * The C library's functions are not instrumented: these report the memory that they read and write. What the compiler makes of
 * struct copies arrives as ranges. */
#ifndef SHIM_STRING_H
#define SHIM_STRING_H
void *shim_memcpy(void *to, const void *from, size_t n);
void *shim_memset(void *to, int value, size_t n);
int shim_memcmp(const void *a, const void *b, size_t n);
#define memcpy(to, from, n) shim_memcpy(to, from, n)
#define memmove(to, from, n) shim_memcpy(to, from, n)
#define memset(to, value, n) shim_memset(to, value, n)
#define memcmp(a, b, n) shim_memcmp(a, b, n)
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
int snprintf(char *to, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int sprintf(char *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool sysfs_streq(const char *a, const char *b);
#define sysfs_emit(to, ...) snprintf(to, 4096, __VA_ARGS__)
#define sysfs_emit_at(to, at, ...) snprintf((to) + (at), 4096 - (at), __VA_ARGS__)
#endif
