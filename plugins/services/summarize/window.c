#include "summarize.h"

#include <math.h>
#include <string.h>

static size_t slot_of(int64_t minute)
{
    int64_t slot = minute % WINDOW_MINUTES;
    return (size_t)(slot < 0 ? slot + WINDOW_MINUTES : slot); /* before boot: from rows restored */
}

void window_init(struct window *window, int64_t minute)
{
    memset(window, 0, sizeof *window);
    window->newest = minute;
}

static void window_advance(struct window *window, int64_t minute)
{
    if (minute - window->newest >= WINDOW_MINUTES) {
        window_init(window, minute);
        return;
    }
    while (window->newest < minute) {
        size_t slot = slot_of(++window->newest);
        window->avg[slot] = 0;
        window->n[slot] = window->online[slot] = 0;
    }
}

void window_add(struct window *window, int64_t minute, double value, bool online)
{
    window_advance(window, minute);
    size_t slot = slot_of(window->newest);
    if (!isnan(value) && window->n[slot] < UINT8_MAX) {
        window->n[slot]++;
        window->avg[slot] += (float)((value - window->avg[slot]) / window->n[slot]);
    }
    if (online && window->online[slot] < UINT8_MAX)
        window->online[slot]++;
}

bool window_restore(struct window *window, int64_t minute, double avg, uint32_t n)
{
    if (minute > window->newest || window->newest - minute >= WINDOW_MINUTES)
        return false;
    size_t slot = slot_of(minute);
    if (window->n[slot] > 0)
        return false;
    window->avg[slot] = (float)avg;
    window->n[slot] = (uint8_t)(n > UINT8_MAX ? UINT8_MAX : n);
    if (avg > 0)
        window->online[slot] = window->n[slot];
    return true;
}

/* The oldest minute of the window that is at most <minutes> back. */
static int64_t window_from(const struct window *window, int64_t now_minute, int minutes)
{
    int64_t from = now_minute - minutes + 1, oldest = window->newest - WINDOW_MINUTES + 1;
    return from > oldest ? from : oldest;
}

double window_mean(const struct window *window, int64_t now_minute, int minutes)
{
    double sum = 0;
    uint32_t n = 0;
    for (int64_t m = window_from(window, now_minute, minutes); m <= window->newest; m++) {
        size_t slot = slot_of(m);
        sum += (double)window->avg[slot] * window->n[slot];
        n += window->n[slot];
    }
    return n ? sum / n : NAN;
}

uint32_t window_online(const struct window *window, int64_t now_minute, int64_t since)
{
    uint32_t online = 0;
    for (int64_t m = window_from(window, now_minute, WINDOW_MINUTES); m <= window->newest; m++)
        online += m >= since ? window->online[slot_of(m)] : 0;
    return online;
}
