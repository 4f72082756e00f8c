#include "util/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t fake_wall_ms = -1;
static _Atomic int64_t fake_mono_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    int64_t fake = atomic_load_explicit(&fake_wall_ms, memory_order_relaxed);
    return fake >= 0 ? fake : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_us(void)
{
    if (atomic_load_explicit(&fake_wall_ms, memory_order_relaxed) >= 0)
        return atomic_load_explicit(&fake_mono_ms, memory_order_relaxed) * 1000;
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_thread_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

void clock_set_fake(int64_t wall_ms, int64_t mono_ms)
{
    atomic_store(&fake_mono_ms, mono_ms);
    atomic_store(&fake_wall_ms, wall_ms);
}

void clock_format_utc(int64_t wall_ms, char out[static 21])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    if (strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}
