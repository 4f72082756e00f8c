/* The flock as a whole: made, restored, freed; and what its files share about rows and fields.
 * Pools and addresses are kept as the rows of the store. Thread: loop. */
#include "flock/internal.h"

#include "util/log.h"

int refuse(int err, char why[FLOCK_WHY_MAX], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, FLOCK_WHY_MAX, fmt, args);
    va_end(args);
    return err;
}

void flock_touch(struct flock *flock)
{
    topic_touch(flock->topics, TOPIC_CONFIG);
}

void flock_show(struct flock *flock)
{
    topic_publish(flock->topics, TOPIC_HERD);
    topic_publish(flock->topics, TOPIC_FACTS);
    topic_publish(flock->topics, TOPIC_CONFIG);
}

/* ---- fields ---- */

const char *field(const json_t *fields, const char *name)
{
    return json_string_value(json_object_get(fields, name));
}

json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int word_dup(const json_t *fields, const char *name, size_t max_bytes, char **out,
             char why[FLOCK_WHY_MAX])
{
    const char *text = field(fields, name);
    *out = NULL;
    if (!text)
        return 0;
    size_t len = strlen(text);
    while (len && is_blank(*text))
        text++, len--;
    while (len && is_blank(text[len - 1]))
        len--;
    if (len > max_bytes)
        return refuse(SHEP_E_CONFIG, why, "%s: at most %zu bytes", name, max_bytes);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return refuse(SHEP_E_CONFIG, why, "%s: must be one line without control characters",
                          name);
    if (len)
        *out = shep_strndup(text, len);
    return 0;
}

/* ---- rows ---- */

int64_t row_id(const json_t *row)
{
    return json_integer_value(json_object_get(row, "id"));
}

json_t *row_by_id(const json_t *rows, int64_t id)
{
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (row_id(row) == id)
            return row;
    }
    return NULL;
}

int64_t rows_next_id(const json_t *rows)
{
    int64_t id = 0;
    size_t i;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row)
    {
        if (row_id(row) > id)
            id = row_id(row);
    }
    return id + 1;
}

void row_replace(json_t *rows, json_t *row)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (row_id(json_array_get(rows, i)) == row_id(row)) {
            json_array_set_new(rows, i, row);
            return;
        }
    }
    json_array_append_new(rows, row);
}

void row_remove(json_t *rows, int64_t id)
{
    for (size_t i = json_array_size(rows); i-- > 0;)
        if (row_id(json_array_get(rows, i)) == id)
            json_array_remove(rows, i);
}

static void add_row(const json_t *row, void *rows)
{
    json_array_append_new(rows, json_deep_copy(row));
}

static void restore_rows(struct flock *flock, enum store_table table, json_t *rows,
                         const char *what)
{
    if (store_rows_each(flock->store, table, add_row, rows) != 0)
        log_error("flock", "%s cannot be read from the database; they are empty until it is mended",
                  what);
}

/* ---- life ---- */

struct flock *flock_new(struct loop *loop, struct store *store, struct herd *herd,
                        struct facts *facts, struct topics *topics, struct plugins *plugins)
{
    struct flock *flock = shep_alloc(sizeof *flock);
    *flock = (struct flock){.loop = loop,
                            .owner = {.name = "flock"},
                            .store = store,
                            .herd = herd,
                            .facts = facts,
                            .topics = topics,
                            .plugins = plugins,
                            .pools = json_array(),
                            .addresses = json_array()};
    LIST_INIT(&flock->expected);
    LIST_INIT(&flock->captures);
    return flock;
}

void flock_free(struct flock *flock)
{
    if (!flock)
        return;
    captures_end(flock);
    loop_timer_free(flock->first_look);
    loop_sweep(flock->loop, &flock->owner);
    payout_free(flock);
    json_decref(flock->pools);
    json_decref(flock->addresses);
    free(flock->owner.complaint);
    free(flock);
}

/* A miner of the browser whose name stands in the file as well: the file wins. */
static void restore_miner(const struct store_miner *row, void *arg)
{
    struct flock *flock = arg;
    if (row->origin != MINER_FROM_DB || !row->options_json)
        return;
    json_t *entry = json_loads(row->options_json, 0, NULL);
    if (herd_miner_by_name(flock->herd, row->name))
        log_warn("flock", "%s stands in the configuration file too; the file counts", row->name);
    else if (!json_is_object(entry) || !str_eq(field(entry, "id"), row->name))
        log_error("flock", "%s: its row in the database is damaged; left out", row->name);
    else if (plugins_may_add(flock->plugins, field(entry, "source"), field(entry, "path")) ==
             SHEP_ADD_NOBODY) /* a database may come from anybody's backup */
        log_error("flock",
                  "%s: its source '%s' is not there, or for the configuration file only; "
                  "left out",
                  row->name, row->source ? row->source : "?");
    else if (plugins_miner_put(flock->plugins, entry, MINER_FROM_DB) != 0)
        log_error("flock", "%s: its source '%s' is not there; left out", row->name,
                  row->source ? row->source : "?");
    json_decref(entry);
}

void flock_restore(struct flock *flock)
{
    if (store_miners_each(flock->store, restore_miner, flock) != 0)
        log_error("flock", "miners that were added in the browser cannot be read from the "
                           "database; they are missing until it is mended");
    restore_rows(flock, TABLE_POOLS, flock->pools, "pools");
    restore_rows(flock, TABLE_ADDRESSES, flock->addresses, "coin addresses");
    payout_restore(flock);
    flock_touch(flock);
}
