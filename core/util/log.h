/* Log lines on stderr, one write each, any thread: "<6>serial: /dev/ttyUSB0 opened" under systemd
 * (the number is the syslog level), "12:30:01 info  serial: …" on a terminal. A log line says what,
 * which object, the system's text, and what happens next. Control characters in it are replaced: a
 * device must not draw on somebody's terminal. */
#ifndef SHEP_LOG_H
#define SHEP_LOG_H

#include "shepherd/plugin.h"
#include "util/util.h"

void log_set_level(enum shep_log level); /* default SHEP_LOG_INFO */
bool log_enabled(enum shep_log level);
void log_msg(enum shep_log level, const char *who, const char *fmt, ...) SHEP_PRINTF(3, 4);
void log_vmsg(enum shep_log level, const char *who, const char *fmt, va_list args);

#define log_error(who, ...) log_msg(SHEP_LOG_ERROR, who, __VA_ARGS__)
#define log_warn(who, ...)  log_msg(SHEP_LOG_WARN, who, __VA_ARGS__)
#define log_info(who, ...)  log_msg(SHEP_LOG_INFO, who, __VA_ARGS__)
#define log_debug(who, ...) log_msg(SHEP_LOG_DEBUG, who, __VA_ARGS__)

/* For a complaint that may come back ten times a second: the first is logged, then at growing
 * intervals (10 s to 1 h) one that says how many were left out. complain_over() logs once that it
 * is over. Zero-initialise; one thread. */
struct complain {
    int64_t next_ms, interval_ms;
    uint64_t left_out;
    bool active;
};
void complain(struct complain *c, enum shep_log level, const char *who, const char *fmt, ...)
    SHEP_PRINTF(4, 5);
void complain_over(struct complain *c, const char *who, const char *fmt, ...) SHEP_PRINTF(3, 4);
#endif
