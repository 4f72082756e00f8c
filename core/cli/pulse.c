/* The glue between the herd and the browsers' pulse: every event that the herd tells, kept or not,
 * becomes one JSON object. What is not known is null. */
#include "cli/cli.h"

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

static char *event_json(const struct shep_event *event, const struct miner *miner)
{
    json_t *out = json_object();
    const char *name = miner ? miner_name(miner) : NULL;
    json_object_set_new(out, "event", json_string(event_name(event->event)));
    json_object_set_new(out, "miner_id", miner ? json_integer(miner_id(miner)) : json_null());
    json_object_set_new(out, "miner", name ? text_json(name, strlen(name)) : json_null());
    json_t *value = event->value != 0 ? json_real(event->value) : NULL; /* NULL: not finite */
    json_object_set_new(out, "value", value ? value : json_null());
    json_object_set_new(out, "text", text_json(event->text, event->text_len));
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
