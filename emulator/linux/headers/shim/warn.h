/* SPDX-License-Identifier: MIT
 * Warnings are findings; messages of the log are dropped. */
#ifndef SHIM_WARN_H
#define SHIM_WARN_H
void shim_warn(const char *what, const char *file, int line);
void shim_bug(const char *what, const char *file, int line) __attribute__((noreturn));
void shim_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define SHIM_WARN(c, text) ({ int failed_ = !!(c); if (unlikely(failed_)) shim_warn(text, __FILE__, __LINE__); unlikely(failed_); })
#define WARN_ON(c) SHIM_WARN(c, "WARN_ON(" #c ")")
#define WARN_ON_ONCE(c) SHIM_WARN(c, "WARN_ON_ONCE(" #c ")")
#define WARN(c, ...) SHIM_WARN(c, "WARN(" #c ")")
#define WARN_ONCE(c, ...) SHIM_WARN(c, "WARN_ONCE(" #c ")")
#define BUG_ON(c) do { if (unlikely(c)) shim_bug("BUG_ON(" #c ")", __FILE__, __LINE__); } while (0)
#define BUG() shim_bug("BUG()", __FILE__, __LINE__)
#define dev_WARN(d, ...) shim_warn("dev_WARN()", __FILE__, __LINE__)

#define printk(...) shim_log(__VA_ARGS__)
#define pr_debug(...) shim_log(__VA_ARGS__)
#define pr_info(...) shim_log(__VA_ARGS__)
#define pr_notice(...) shim_log(__VA_ARGS__)
#define pr_warn(...) shim_log(__VA_ARGS__)
#define pr_err(...) shim_log(__VA_ARGS__)
#define pr_warn_once(...) shim_log(__VA_ARGS__)
#define pr_info_ratelimited(...) shim_log(__VA_ARGS__)
#define pr_warn_ratelimited(...) shim_log(__VA_ARGS__)
#define pr_err_ratelimited(...) shim_log(__VA_ARGS__)
#define dev_dbg(d, ...) shim_log(__VA_ARGS__)
#define dev_info(d, ...) shim_log(__VA_ARGS__)
#define dev_warn(d, ...) shim_log(__VA_ARGS__)
#define dev_err(d, ...) shim_log(__VA_ARGS__)
#define dev_warn_once(d, ...) shim_log(__VA_ARGS__)
#define dev_err_once(d, ...) shim_log(__VA_ARGS__)
#define dev_warn_ratelimited(d, ...) shim_log(__VA_ARGS__)
#define dev_err_ratelimited(d, ...) shim_log(__VA_ARGS__)
#endif
