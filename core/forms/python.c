/* The routes of the Python Shepherd's own scripts: /miners/onboard_stray, /miners/onboard,
 * /miners/action, /miners/upload. Paths, fields, texts and codes are its own; who it knew by device
 * path, port path and USB serial number is looked up among what is plugged in. */
#include "forms/internal.h"

#include "util/log.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool is_empty(const char *text)
{
    return !text || !text[strspn(text, " \t\r\n")];
}

/* What is plugged in at that port or path, as flock_json() says it; owned; NULL: nothing. */
static json_t *device_dup(const struct ask *ask, const char *port_path, const char *dev_path)
{
    json_t *flock = flock_json(ask->forms->conf.flock), *device, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(flock, "devices"), i, device)
    {
        if ((port_path && str_eq(text_of(device, "port_path"), port_path)) ||
            (dev_path && str_eq(text_of(device, "path"), dev_path)))
            found = device;
    }
    json_incref(found);
    json_decref(flock);
    return found;
}

/* The miner whose column has that text; owned name, NULL: none. */
static char *miner_with_dup(const struct ask *ask, const char *column, const char *text)
{
    json_t *flock = flock_json(ask->forms->conf.flock), *miner;
    const char *id;
    char *name = NULL;
    json_object_foreach(json_object_get(flock, "miners"), id, miner)
    {
        if (!name && !is_empty(text) && str_eq(text_of(miner, column), text))
            name = shep_strdup(text_of(miner, "name"));
    }
    json_decref(flock);
    return name;
}

/* The Python one made a serial number up for boards without one, and then asked for it; what is
 * plugged in is known without. */
static bool serial_is_missing(const struct ask *ask, const json_t *device)
{
    return is_empty(ask_field(ask, "serial_number")) && !device;
}

/* ---- onboard_stray ---- */

/* Under our names: what the form says of the board, which its log may say better. */
static json_t *onboard_fields(const struct ask *ask)
{
    static const struct {
        const char *old, *ours;
    } names[] = {{"miner_id", "name"},           {"currency", "currency"},
                 {"location_notes", "location"}, {"version", "version"},
                 {"mac_address", "mac"},         {"chipset", "chipset"},
                 {"pool_url", "pool_url"},       {"wallet_address", "wallet_address"}};
    json_t *fields = json_object();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = ask_field(ask, names[i].old);
        if (!is_empty(text))
            json_object_set_new(fields, names[i].ours, json_string(text));
    }
    return fields;
}

/* Not plugged in (any more): its path is what is known. */
static int add_by_path(struct ask *ask, json_t *fields, const char *dev_path,
                       char why[FLOCK_WHY_MAX])
{
    json_object_del(fields, "pool_url");
    json_object_del(fields, "wallet_address");
    json_object_set_new(fields, "source", json_string("serial"));
    json_object_set_new(fields, "path", json_string(dev_path));
    return flock_miner_add(ask->forms->conf.flock, fields, ask_is_admin(ask), why);
}

static void onboarded(struct ask *ask, int rc, const char *name, const char *why)
{
    static const char *const captured[] = {"pool_url", "wallet_address", "version", "mac_address",
                                           "chipset"};
    char message[MESSAGE_MAX];
    bool active = false;
    for (size_t i = 0; i < ARRAY_LEN(captured); i++)
        active = active || !is_empty(ask_field(ask, captured[i]));
    snprintf(message, sizeof message, "Added '%s'. Status: '%s'.", name,
             active ? "Active" : "Inactive");
    ask_answer_status(ask,
                      rc == 0              ? 200
                      : rc == SHEP_E_BUSY  ? 409
                      : rc == FLOCK_DENIED ? 403
                                           : 400,
                      rc == 0, rc ? why : message, NULL);
}

static void onboard_device(struct ask *ask, const json_t *device)
{
    char why[FLOCK_WHY_MAX] = "";
    const char *name = ask_field(ask, "miner_id"), *dev_path = ask_field(ask, "dev_path");
    json_t *fields = onboard_fields(ask);
    int64_t id;
    int rc = device ? flock_device_accept(ask->forms->conf.flock, text_of(device, "key"), fields,
                                          &id, why)
                    : add_by_path(ask, fields, dev_path, why);
    if (rc == 0) {
        char *words = ask_words_dup(fields);
        ask_audit(ask, "device.accept", device ? text_of(device, "key") : dev_path, NULL, words);
        free(words);
    }
    json_decref(fields);
    onboarded(ask, rc, name, why);
}

static void onboard_stray(struct ask *ask)
{
    static const char *const required[] = {"miner_id", "currency", "dev_path", "port_path"};
    char message[MESSAGE_MAX];
    json_t *device = device_dup(ask, ask_field(ask, "port_path"), ask_field(ask, "dev_path"));
    bool missing = serial_is_missing(ask, device);
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        missing = missing || is_empty(ask_field(ask, required[i]));
    if (missing) {
        json_decref(device);
        ask_answer_status(ask, 400, false, "Missing required info.", NULL);
        return;
    }
    const char *name = ask_field(ask, "miner_id"), *port = ask_field(ask, "port_path"),
               *mac = ask_field(ask, "mac_address");
    char *taken = miner_with_dup(ask, "name", name), *by_mac = miner_with_dup(ask, "mac", mac);
    const char *serial = ask_field(ask, "serial_number");
    const char *owner =
        json_is_false(json_object_get(device, "stranger")) ? text_of(device, "miner") : NULL;
    if (owner)
        snprintf(message, sizeof message, "Device %.64s/%.64s exists as '%s'.", port,
                 serial ? serial : "", owner);
    else if (taken)
        snprintf(message, sizeof message, "ID '%s' exists.", taken);
    else if (by_mac)
        snprintf(message, sizeof message, "MAC '%.32s' exists ('%s').", mac, by_mac);
    if (owner || taken || by_mac)
        ask_answer_status(ask, 409, false, message, NULL);
    else
        onboard_device(ask, device);
    json_decref(device);
    free(taken);
    free(by_mac);
}

/* ---- onboard: the earlier one, by the row of unconfigured_devices ---- */

struct onboard_job {
    struct ask *ask;
    int64_t row_id;
    char *db_path, *key; /* key NULL: there is no such row */
};

static bool take_key(const struct reader_value *columns, const char *const *names, size_t n,
                     void *arg)
{
    struct onboard_job *job = arg;
    job->key = shep_strndup(columns[0].text, columns[0].len);
    return false;
}

/* The numbers of the rows are the file's alone, and a file may be slow: on a worker. */
static void look_for_row(void *arg)
{
    struct onboard_job *job = arg;
    const struct reader_value id = {.type = READER_INT, .i = job->row_id};
    char err[256] = "it cannot be opened";
    struct reader *reader = reader_open(job->db_path);
    if (!reader || reader_query(reader, "SELECT key FROM devices WHERE id = ?1", &id, 1, NULL,
                                take_key, job, err, sizeof err) != 0)
        log_warn("forms", "%s: the devices cannot be read: %s", job->db_path, err);
    reader_close(reader);
}

static void onboard_row(struct ask *ask, const char *key)
{
    char why[FLOCK_WHY_MAX];
    const char *name = ask_field(ask, "miner_id");
    json_t *fields = json_pack("{s:s}", "name", name);
    int64_t id;
    int rc = key ? flock_device_accept(ask->forms->conf.flock, key, fields, &id, why) : SHEP_E_GONE;
    if (rc == 0) {
        ask_audit(ask, "device.accept", key, NULL, name);
        ask_answerf(ask, 0, "Successfully onboarded '%s'.", name);
    } else {
        ask_answer(ask, rc, rc == SHEP_E_GONE ? "Device not found." : why, NULL);
    }
    json_decref(fields);
}

static void onboard_job_end(struct onboard_job *job)
{
    free(job->db_path);
    free(job->key);
    free(job);
}

static void on_row(void *arg)
{
    struct onboard_job *job = arg;
    if (!ask_is_over(job->ask))
        onboard_row(job->ask, job->key);
    onboard_job_end(job);
}

static void onboard(struct ask *ask)
{
    struct forms *forms = ask->forms;
    int64_t row_id = ask_number(ask, "unconfigured_id");
    if (!row_id || is_empty(ask_field(ask, "miner_id"))) {
        ask_answer(ask, SHEP_E_CONFIG, "Missing required information for onboarding.", NULL);
        return;
    }
    struct onboard_job *job = shep_alloc(sizeof *job);
    *job = (struct onboard_job){
        .ask = ask, .row_id = row_id, .db_path = shep_strdup(store_db_path(forms->conf.store))};
    if (loop_work(forms->conf.loop, &forms->owner, look_for_row, on_row, job) == 0)
        return;
    ask_answer(ask, SHEP_E_BUSY, "Too much is under way; try again in a moment.", NULL);
    onboard_job_end(job);
}

/* ---- action: reset_capture ---- */

static void on_captured(int err, const char *message, const json_t *data, void *arg)
{
    struct ask *ask = arg;
    if (ask_is_over(ask))
        return;
    const char *dev_path = ask_field(ask, "dev_path");
    char text[MESSAGE_MAX];
    /* what it knew without the configuration was a success there, and said so */
    bool known = err == SHEP_E_LIMIT && (text_of(data, "mac_address") || text_of(data, "chipset"));
    if (err == 0 || known)
        snprintf(text, sizeof text, "Reset %.64s, captured MAC/Chipset.%s", dev_path,
                 err ? " Failed to capture Config." : " Config found.");
    else
        snprintf(text, sizeof text, "%s", message);
    json_t *extra = json_object(), *copy = data ? json_deep_copy(data) : json_object();
    if (!text_of(copy, "serial_number"))
        json_object_set_new(copy, "serial_number",
                            forms_text_json(ask_field(ask, "serial_number")));
    json_object_set_new(extra, "data", copy);
    int status = err == 0 || known ? 200 : err == SHEP_E_BUSY ? 409 : 500;
    ask_answer_status(ask, status, status == 200, text, extra);
}

static void action(struct ask *ask)
{
    const char *what = ask_field(ask, "action"), *dev_path = ask_field(ask, "dev_path"),
               *port_path = ask_field(ask, "port_path");
    json_t *device = device_dup(ask, port_path, dev_path);
    if (is_empty(dev_path) || is_empty(port_path) || serial_is_missing(ask, device)) {
        json_decref(device);
        ask_answer_status(ask, 400, false, "Missing identifiers.", NULL);
        return;
    }
    if (!str_eq(what, "reset_capture")) {
        char text[MESSAGE_MAX];
        snprintf(text, sizeof text, "Unknown action requested: %.64s", what ? what : "None");
        json_decref(device);
        ask_answer_status(ask, 400, false, text, NULL);
        return;
    }
    int64_t id = ask_number(ask, "miner_db_id");
    reset_begin(ask, device && !id ? text_of(device, "key") : NULL, id, on_captured);
    json_decref(device);
}

/* ---- upload of the old CSV ---- */

/* Takes the counts. */
static void uploaded(struct ask *ask, size_t n, json_t *counts)
{
    char text[MESSAGE_MAX];
    const json_t *miners = json_object_get(counts, "miners"),
                 *notes = json_object_get(counts, "notes");
    json_int_t left_out = json_integer_value(json_object_get(miners, "left_out"));
    json_t *extra = json_object();
    if (left_out)
        snprintf(text, sizeof text, "An error occurred: %lld of %zu miners were left out: %.400s",
                 (long long)left_out, n, json_string_value(json_array_get(notes, 0)));
    else
        snprintf(text, sizeof text, "Successfully uploaded and processed %zu miners.", n);
    json_object_set_new(extra, "counts", counts);
    ask_answer(ask, left_out ? SHEP_E_CONFIG : 0, text, extra);
}

static void upload(struct ask *ask)
{
    size_t len;
    const char *bytes = http_form_bytes(ask->form, "miner_file", &len);
    char why[FLOCK_WHY_MAX];
    json_t *plan;
    if (!bytes) {
        ask_answer(ask, SHEP_E_CONFIG, "No file part", NULL);
        return;
    }
    if (!len) {
        ask_answer(ask, SHEP_E_CONFIG, "CSV file is empty or headers are incorrect.", NULL);
        return;
    }
    if (flock_csv_plan(bytes, len, &plan, why) != 0) {
        ask_answerf(ask, SHEP_E_CONFIG, "An error occurred: %s", why);
        return;
    }
    json_t *counts = flock_import(ask->forms->conf.flock, plan, ask_is_admin(ask));
    char *words = json_dumps(json_object_get(counts, "miners"), JSON_COMPACT);
    ask_audit(ask, "import", "CSV", NULL, words);
    free(words);
    uploaded(ask, json_array_size(json_object_get(plan, "miners")), counts);
    json_decref(plan);
}

const struct form_route python_routes[] = {
    {.path = "/miners/onboard_stray", .role = ROLE_OPERATOR, .fn = onboard_stray, .json = true},
    {.path = "/miners/onboard", .role = ROLE_OPERATOR, .fn = onboard, .back = "/config#miners"},
    {.path = "/miners/action", .role = ROLE_OPERATOR, .fn = action, .json = true},
    {.path = "/miners/upload", .role = ROLE_OPERATOR, .fn = upload, .back = "/config#miners"},
    {0}};
