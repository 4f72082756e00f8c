/* The pulse: what happens, told to browsers that asked for it (/events?pulse=1), as JSON objects of
 * the caller's. They are collected and go out together, at most one message in PULSE_GAP_MS, made
 * once for all clients. More than PULSE_MAX in that time: the oldest that need not be kept is left
 * out. Nothing is collected without a client. Thread: loop. */
#include "http/internal.h"

#include "util/clock.h"

/* An object that is larger is a mistake of the caller's. */
enum { PULSE_GAP_MS = 250, OBJECT_MAX = 4096 };

static void send_all(void *arg)
{
    struct http *http = arg;
    struct pulse *pulse = &http->pulse;
    struct buf text = {0};
    pulse->timer = NULL;
    pulse->sent_ms = clock_mono_ms();
    buf_add_str(&text, "event: pulse\ndata: [");
    for (size_t i = 0; i < pulse->n; i++) {
        buf_add_str(&text, i ? "," : "");
        buf_add_str(&text, pulse->waiting[i].json);
    }
    buf_add_str(&text, "]\n\n");
    struct blob *blob = blob_new(text.len);
    memcpy(blob->bytes, text.data, text.len);
    buf_free(&text);
    http->stats.pulse_sent += pulse->n;
    pulse_clear(http);
    live_send_pulse(http, blob);
    blob_unref(blob);
}

/* Which one goes for a new one; PULSE_MAX: none may. */
static size_t oldest_to_drop(const struct pulse *pulse)
{
    size_t i = 0;
    while (i < pulse->n && pulse->waiting[i].keep)
        i++;
    return i;
}

static bool make_place(struct http *http)
{
    struct pulse *pulse = &http->pulse;
    if (pulse->n < PULSE_MAX)
        return true;
    http->stats.pulse_dropped++;
    size_t at = oldest_to_drop(pulse);
    if (at == PULSE_MAX)
        return false;
    free(pulse->waiting[at].json);
    memmove(pulse->waiting + at, pulse->waiting + at + 1,
            (pulse->n - at - 1) * sizeof *pulse->waiting);
    pulse->n--;
    return true;
}

bool http_pulse_wanted(const struct http *http)
{
    return http->pulse.n_clients > 0;
}

void http_pulse(struct http *http, const char *json, bool keep)
{
    struct pulse *pulse = &http->pulse;
    if (!http_pulse_wanted(http))
        return;
    if (strlen(json) > OBJECT_MAX || strpbrk(json, "\r\n")) { /* a line end would end the event */
        http->stats.pulse_dropped++;
        return;
    }
    if (!make_place(http))
        return;
    pulse->waiting[pulse->n++] = (struct pulse_item){.json = shep_strdup(json), .keep = keep};
    if (pulse->timer)
        return;
    int64_t wait_ms = pulse->sent_ms + PULSE_GAP_MS - clock_mono_ms();
    pulse->timer =
        loop_timer_new(http->loop, &http->owner, wait_ms > 0 ? wait_ms : 0, 0, send_all, http);
}

void pulse_clear(struct http *http)
{
    while (http->pulse.n > 0)
        free(http->pulse.waiting[--http->pulse.n].json);
}

void pulse_joined(struct http *http)
{
    if (http->pulse.n_clients++ == 0)
        http->pulse.sent_ms = clock_mono_ms() - PULSE_GAP_MS; /* the first goes out at once */
}

void pulse_left(struct http *http)
{
    if (--http->pulse.n_clients > 0)
        return;
    loop_timer_free(http->pulse.timer);
    http->pulse.timer = NULL;
    pulse_clear(http);
}
