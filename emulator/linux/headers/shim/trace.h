/* SPDX-License-Identifier: MIT
 * Trace events are functions that do nothing. */
#ifndef SHIM_TRACE_H
#define SHIM_TRACE_H
#define TP_PROTO(...) __VA_ARGS__
#define TP_ARGS(...)
#define TRACE_EVENT(name, proto, ...) static inline void trace_##name(proto) {}
#define DECLARE_EVENT_CLASS(name, ...)
#define DEFINE_EVENT(class, name, proto, ...) static inline void trace_##name(proto) {}
#define EXPORT_TRACEPOINT_SYMBOL(name)
#define EXPORT_TRACEPOINT_SYMBOL_GPL(name)
#endif
