#include "util/log.h"

#include "util/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048, COMPLAIN_FIRST_MS = 10000, COMPLAIN_MAX_MS = 3600000 };

static _Atomic int log_level = SHEP_LOG_INFO;

void log_set_level(enum shep_log level)
{
    atomic_store(&log_level, (int)level);
}

bool log_enabled(enum shep_log level)
{
    return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* Under systemd stderr is the journal, which reads the level from the front and stamps the time
 * itself. */
static int line_head(char *out, size_t cap, enum shep_log level, const char *who)
{
    static const char *const names[] = {"error", "warn ", "info ", "debug"};
    static const int syslog_levels[] = {3, 4, 6, 7};
    if (getenv("JOURNAL_STREAM"))
        return snprintf(out, cap, "<%d>%s: ", syslog_levels[level], who);
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    localtime_r(&now, &tm);
    return snprintf(out, cap, "%02d:%02d:%02d %s %s: ", tm.tm_hour, tm.tm_min, tm.tm_sec,
                    names[level], who);
}

void log_vmsg(enum shep_log level, const char *who, const char *fmt, va_list args)
{
    if (!log_enabled(level))
        return;
    char line[LOG_LINE_MAX];
    size_t len = (size_t)line_head(line, sizeof line - 1, level, who);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    int n = vsnprintf(line + len, sizeof line - len - 1, fmt, args);
    size_t end = len + (n > 0 ? (size_t)n : 0);
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    for (size_t i = len; i < end; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = ' ';
    line[end++] = '\n';
    if (write(STDERR_FILENO, line, end) < 0)
        return; /* nowhere left to say it */
}

void log_msg(enum shep_log level, const char *who, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_vmsg(level, who, fmt, args);
    va_end(args);
}

void complain(struct complain *c, enum shep_log level, const char *who, const char *fmt, ...)
{
    int64_t now_ms = clock_mono_ms();
    if (c->active && now_ms < c->next_ms) {
        c->left_out++;
        return;
    }
    char text[LOG_LINE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (c->left_out)
        log_msg(level, who, "%s (and %llu more like it)", text, (unsigned long long)c->left_out);
    else
        log_msg(level, who, "%s", text);
    c->interval_ms = c->active ? c->interval_ms * 2 : COMPLAIN_FIRST_MS;
    if (c->interval_ms > COMPLAIN_MAX_MS)
        c->interval_ms = COMPLAIN_MAX_MS;
    c->next_ms = now_ms + c->interval_ms;
    c->left_out = 0;
    c->active = true;
}

void complain_over(struct complain *c, const char *who, const char *fmt, ...)
{
    if (!c->active)
        return;
    *c = (struct complain){0};
    va_list args;
    va_start(args, fmt);
    log_vmsg(SHEP_LOG_INFO, who, fmt, args);
    va_end(args);
}
