/* What is plugged in: listen, ignore, accept (one, several, all), assign, reset and capture. */
#include "forms/internal.h"

enum { DEVICES_MAX = 256 /* as many as core/plugin keeps */ };

/* ---- which ones ---- */

/* Keys of the form: "keys" (a list, or repeated), "key", or with all=1 every stranger that is
 * listened to. An array of texts; owned. */
static json_t *strangers(const struct ask *ask)
{
    json_t *keys = json_array(), *flock = flock_json(ask->forms->conf.flock), *device;
    size_t i;
    json_array_foreach(json_object_get(flock, "devices"), i, device)
    {
        if (json_is_true(json_object_get(device, "stranger")) &&
            json_is_true(json_object_get(device, "listened")) &&
            !json_is_true(json_object_get(device, "ignored")) &&
            !json_is_string(json_object_get(device, "doubt")))
            json_array_append(keys, json_object_get(device, "key"));
    }
    json_decref(flock);
    return keys;
}

static json_t *keys_dup(const struct ask *ask)
{
    if (ask_flag(ask, "all"))
        return strangers(ask);
    json_t *keys = json_array();
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        const char *key = http_form_nth(ask->form, "keys", i);
        if (!key)
            break;
        json_array_append_new(keys, json_string(key));
    }
    if (json_array_size(keys) == 0 && ask_field(ask, "key"))
        json_array_append_new(keys, json_string(ask_field(ask, "key")));
    return keys;
}

/* ---- one by one, with a result for each ---- */

typedef int (*device_fn)(struct ask *ask, const char *key, bool alone, json_t *result,
                         char why[FLOCK_WHY_MAX]);

/* A single one answers with its own text; of several each has its place in "results". */
static void for_each(struct ask *ask, device_fn fn, const char *good)
{
    char why[FLOCK_WHY_MAX] = "";
    json_t *keys = keys_dup(ask), *results = json_array(), *extra = json_object(), *key;
    size_t i, n = json_array_size(keys), n_good = 0;
    int err = n ? 0 : SHEP_E_CONFIG, rc;
    json_array_foreach(keys, i, key)
    {
        json_t *result = json_object();
        char one[FLOCK_WHY_MAX] = "";
        rc = fn(ask, json_string_value(key), n == 1, result, one);
        n_good += rc == 0;
        if (rc && !err) {
            err = rc;
            memcpy(why, one, sizeof why);
        }
        json_object_set(result, "key", key);
        json_object_set_new(result, "success", json_boolean(rc == 0));
        json_object_set_new(result, "message", forms_text_json(rc ? one : good));
        json_array_append_new(results, result);
    }
    char message[MESSAGE_MAX];
    if (n == 0)
        snprintf(message, sizeof message, "key: which device?");
    else if (n == 1)
        snprintf(message, sizeof message, "%s", err ? why : good);
    else
        snprintf(message, sizeof message, "%s %zu of %zu.%s%s", good, n_good, n, err ? " " : "",
                 why);
    json_object_set_new(extra, "results", results);
    json_decref(keys);
    ask_answer(ask, err, message, extra);
}

/* ---- listen, ignore ---- */

static int listen_one(struct ask *ask, const char *key, bool alone, json_t *result,
                      char why[FLOCK_WHY_MAX])
{
    int rc = flock_device_listen(ask->forms->conf.flock, key, NULL, why);
    if (rc == 0)
        ask_audit(ask, "device.listen", key, NULL, NULL);
    return rc;
}

static void listen_to(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    size_t n;
    if (!ask_flag(ask, "all")) {
        for_each(ask, listen_one, "Listening.");
        return;
    }
    int rc = flock_device_listen(ask->forms->conf.flock, NULL, &n, why);
    if (rc == 0)
        ask_audit(ask, "device.listen", "all", NULL, NULL);
    if (rc)
        ask_answer(ask, rc, why, NULL);
    else
        ask_answerf(ask, 0, "Listening to %zu.", n);
}

static int ignore_one(struct ask *ask, const char *key, bool alone, json_t *result,
                      char why[FLOCK_WHY_MAX])
{
    const char *flag = ask_field(ask, "ignored");
    bool ignored = !flag || ask_flag(ask, "ignored");
    int rc = flock_device_ignore(ask->forms->conf.flock, key, ignored, why);
    if (rc == 0)
        ask_audit(ask, ignored ? "device.ignore" : "device.offer", key, NULL, NULL);
    return rc;
}

static void ignore(struct ask *ask)
{
    bool offered = ask_field(ask, "ignored") && !ask_flag(ask, "ignored");
    for_each(ask, ignore_one, offered ? "It is offered again." : "It is ignored from now on.");
}

/* ---- accept, assign ---- */

static int accept_one(struct ask *ask, const char *key, bool alone, json_t *result,
                      char why[FLOCK_WHY_MAX])
{
    int64_t id = 0;
    json_t *fields = ask_fields_dup(ask);
    json_object_del(fields, "all");
    if (!alone)
        json_object_del(fields, "name"); /* each gets the one that its log suggests */
    int rc = flock_device_accept(ask->forms->conf.flock, key, fields, &id, why);
    json_decref(fields);
    if (rc)
        return rc;
    json_t *now = flock_miner_json(ask->forms->conf.flock, id);
    char *words = ask_words_dup(now);
    ask_audit(ask, "device.accept", key, NULL, words);
    json_object_set(result, "name", json_object_get(now, "name"));
    json_object_set_new(result, "id", json_integer((json_int_t)id));
    free(words);
    json_decref(now);
    return 0;
}

static void accept_them(struct ask *ask)
{
    for_each(ask, accept_one, "Added.");
}

static void assign(struct ask *ask)
{
    char why[FLOCK_WHY_MAX];
    const char *key = ask_field(ask, "key");
    int64_t id = ask_number(ask, "miner_id");
    int rc = flock_device_assign(ask->forms->conf.flock, key ? key : "",
                                 id ? id : ask_number(ask, "miner"), why);
    if (rc) {
        ask_answer(ask, rc, why, NULL);
        return;
    }
    json_t *miner = flock_miner_json(ask->forms->conf.flock, id ? id : ask_number(ask, "miner"));
    const char *name = json_string_value(json_object_get(miner, "name"));
    ask_audit(ask, "device.assign", key, NULL, name);
    ask_answerf(ask, 0, "It is '%s'.", name ? name : "?");
    json_decref(miner);
}

/* ---- reset and capture ---- */

static void on_captured(int err, const char *message, const json_t *data, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    json_t *extra = json_object();
    json_object_set_new(extra, "data", data ? json_deep_copy(data) : json_object());
    ask_answer(ask, err, message, extra);
}

/* Only what is there is written down: the audit is kept for ever. */
void reset_begin(struct ask *ask, const char *key, int64_t id, flock_capture_fn done)
{
    char subject[32], why[FLOCK_WHY_MAX] = "";
    int rc = flock_reset_capture(ask->forms->conf.flock, key, id, done, ask, why);
    if (rc) {
        done(rc, why, NULL, ask);
        return;
    }
    snprintf(subject, sizeof subject, "miner %lld", (long long)id);
    ask_audit(ask, "device.reset", id ? subject : key, NULL, NULL);
}

static void reset(struct ask *ask)
{
    const char *key = ask_field(ask, "key");
    int64_t id = ask->id ? ask->id : ask_number(ask, "miner_id");
    if (!key && !id) {
        ask_answer(ask, SHEP_E_CONFIG, "key: which device?", NULL);
        return;
    }
    reset_begin(ask, key, id, on_captured);
}

const struct form_route devices_routes[] = {
    {.path = "/devices/listen", .role = ROLE_OPERATOR, .fn = listen_to},
    {.path = "/devices/ignore", .role = ROLE_OPERATOR, .fn = ignore},
    {.path = "/devices/accept", .role = ROLE_OPERATOR, .fn = accept_them},
    {.path = "/devices/assign", .role = ROLE_OPERATOR, .fn = assign},
    {.path = "/devices/reset", .role = ROLE_OPERATOR, .fn = reset},
    {.path = "/devices/capture", .role = ROLE_OPERATOR, .fn = reset},
    {.path = "/miners/reset/*", .role = ROLE_OPERATOR, .fn = reset},
    {0}};
