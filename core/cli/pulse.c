/* The glue between the herd and the browsers' pulse: every event that the herd tells, kept or not,
 * becomes one JSON object. What is not known is null. */
#include "cli/cli.h"

#include "coin/coin.h"

enum { TEXT_MAX = 200 };

/* Sources may say any bytes; JSON wants UTF-8. */
static json_t *text_json(const char *text, size_t len)
{
    char cut[TEXT_MAX + 1];
    if (!text || len == 0)
        return json_null();
    len = str_copy(cut, sizeof cut, text, len);
    json_t *json = json_stringn(cut, len);
    if (json)
        return json;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)cut[i] >= 0x80)
            cut[i] = '?';
    return json_stringn(cut, len);
}

/* One text goes to everybody who listens, viewers too, and those see addresses shortened. What a
 * payout was changed to is on the pages, which know who looks. */
static json_t *shown_text(const struct shep_event *event)
{
    struct buf out = {0};
    size_t from = 0, at, len;
    if (!event->text || event->event == SHEP_EV_PAYOUT_CHANGED)
        return json_null();
    while (coin_address_find(event->text, event->text_len, from, &at, &len)) {
        char address[64];
        coin_address_shorten(event->text + at, len, address, sizeof address);
        buf_add(&out, event->text + from, at - from);
        buf_add_str(&out, address);
        from = at + len;
    }
    buf_add(&out, event->text + from, event->text_len - from);
    json_t *json = text_json(out.data, out.len);
    buf_free(&out);
    return json;
}

static char *event_json(const struct shep_event *event, const struct miner *miner)
{
    json_t *out = json_object();
    const char *name = miner ? miner_name(miner) : NULL;
    json_object_set_new(out, "event", json_string(event_name(event->event)));
    json_object_set_new(out, "miner_id", miner ? json_integer(miner_id(miner)) : json_null());
    json_object_set_new(out, "miner", name ? text_json(name, strlen(name)) : json_null());
    json_t *value = event->value != 0 ? json_real(event->value) : NULL; /* NULL: not finite */
    json_object_set_new(out, "value", value ? value : json_null());
    json_object_set_new(out, "text", shown_text(event));
    json_object_set_new(out, "at_ms", json_integer(event->at_ms));
    char *text = json_dumps(out, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(out);
    return text;
}

static void on_event(const struct shep_event *event, const struct miner *miner, void *arg)
{
    struct daemon *daemon = arg;
    if (!daemon->http || !http_pulse_wanted(daemon->http) || !event_name(event->event))
        return;
    char *text = event_json(event, miner);
    bool keep = event_severity(event->event) == 2 || event->event == SHEP_EV_BLOCK_FOUND ||
                event->event == SHEP_EV_BEST_SHARE;
    if (text)
        http_pulse(daemon->http, text, keep);
    free(text);
}

void pulse_start(struct daemon *daemon)
{
    struct herd_listener listener = {.event = on_event, .arg = daemon};
    herd_listen(daemon->herd, &listener);
}
