#include "unit/found_fixture.h"

struct found_fixture t;

static struct {
    json_t *rows;
} view;

/* ---- the parser: "metric=text" ---- */

struct stream {
    struct shep_ctx *ctx;
    const struct shep_host *host;
};

static int parser_probe(const char *text, size_t len)
{
    return memchr(text, '=', len) ? 100 : 0;
}

static int parser_open(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    struct stream *stream = shep_alloc(sizeof *stream);
    *stream = (struct stream){.ctx = ctx, .host = host};
    *self = stream;
    return 0;
}

static int parser_line(void *self, const struct shep_line *line)
{
    struct stream *stream = self;
    const char *mark = memchr(line->text, '=', line->len);
    char name[32];
    if (!mark)
        return 0;
    str_copy(name, sizeof name, line->text, (size_t)(mark - line->text));
    struct shep_reading reading = {.size = sizeof reading,
                                   .text = mark + 1,
                                   .text_len = line->len - (size_t)(mark + 1 - line->text)};
    reading.metric = metric_by_name(name);
    if (str_eq(name, "rate")) {
        reading.metric = SHEP_M_HASHRATE;
        reading.value = atof(mark + 1);
        reading.text = NULL;
    }
    return stream->host->emit(stream->ctx, &reading) == 0;
}

static const struct shep_parser_ops parser_ops = {.size = sizeof parser_ops,
                                                  .probe = parser_probe,
                                                  .open = parser_open,
                                                  .line = parser_line,
                                                  .close = free};

/* ---- the sources ---- */

static int source_start(struct shep_ctx *ctx, const struct shep_host *host, void **self)
{
    *self = ctx;
    return 0;
}

static void source_stop(void *self)
{
}

static int opener_attach(void *self, struct shep_device *dev)
{
    const char *path = "";
    assert_int_equal(plugin_host.device_opt_str(self, dev, "path", &path), 0);
    assert_true(t.n_opened < OPEN_MAX);
    for (size_t i = 0; i < t.n_opened; i++)
        if (str_eq(t.opened[i].path, path))
            fail_msg("%s is opened twice", path);
    struct opened *opened = &t.opened[t.n_opened++];
    opened->dev = dev;
    snprintf(opened->path, sizeof opened->path, "%s", path);
    t.n_attached++;
    if (t.connects && strncmp(path, "/gone", 5) != 0)
        plugin_host.device_link(self, dev, 1, NULL);
    return 0;
}

static void opener_detach(void *self, struct shep_device *dev)
{
    for (size_t i = 0; i < t.n_opened; i++) {
        if (t.opened[i].dev != dev)
            continue;
        t.opened[i] = t.opened[--t.n_opened];
        return;
    }
    fail_msg("detached what was not attached");
}

static int opener_judge(void *self, const struct shep_found *found)
{
    if (!found->vendor_id || str_eq(found->vendor_id, "dead"))
        return SHEP_E_UNSUPPORTED;
    return (int)(t.judge | (str_eq(found->vendor_id, "303a") ? SHEP_JUDGE_NATIVE : 0) |
                 (str_eq(found->product_id, "0009") ? SHEP_JUDGE_BOOTLOADER : 0));
}

/* Opens what is no USB: boards on the network. */
static int other_judge(void *self, const struct shep_found *found)
{
    return found->vendor_id ? SHEP_E_UNSUPPORTED : (int)SHEP_JUDGE_PLAUSIBLE;
}

static int opener_reset(void *self, struct shep_device *dev)
{
    return 0;
}

static const struct shep_option device_options[] = {
    {"path", "where", NULL, NULL, SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0},
    {"baud", "speed", "115200", NULL, SHEP_OPT_INT, 0, 0, 0},
    {0},
};

/* As the serial source: a terminal may be anything. */
static int opener_may_add(const char *path)
{
    return path && strncmp(path, "/dev/pts/", 9) == 0 ? SHEP_ADD_ADMIN : SHEP_ADD_OPERATOR;
}

static void source_make(struct plugin *plugin, const char *name,
                        int (*judge)(void *, const struct shep_found *))
{
    *plugin = (struct plugin){
        .plugins = &t.plugins,
        .loaded = true,
        .owner = {.name = name},
        .desc = {.name = name,
                 .kind = SHEP_KIND_SOURCE,
                 .option_size = sizeof(struct shep_option),
                 .metric_size = sizeof(struct shep_metric_info)},
        .ops = {.source = {.size = sizeof(struct shep_source_ops),
                           .device_options = device_options,
                           .start = source_start,
                           .attach = opener_attach,
                           .detach = opener_detach,
                           .stop = source_stop,
                           .judge = judge,
                           .reset = judge ? opener_reset : NULL,
                           .may_add = judge ? opener_may_add : NULL}},
    };
    plugin->ctx.plugin = plugin;
    t.plugins.items[t.plugins.n++] = plugin;
}

/* ---- the daemon ---- */

static void on_event(const struct shep_event *event, const struct miner *miner, void *arg)
{
    size_t used = strlen(t.events);
    snprintf(t.events + used, sizeof t.events - used, "%s(%s: %.*s)\n", event_name(event->event),
             miner ? miner_name(miner) : "", (int)event->text_len, event->text ? event->text : "");
}

static void collect_own(const struct store_miner *miner, void *arg)
{
    if (miner->origin == MINER_FROM_DB)
        json_array_append_new(arg, json_loads(miner->options_json, 0, NULL));
}

/* As core/flock does: the miners of the database, each with its entry. */
static void restore_miners(void)
{
    json_t *entries = json_array(), *entry;
    size_t i;
    store_miners_each(t.fix.store, collect_own, entries);
    json_array_foreach(entries, i, entry)
        assert_int_equal(plugins_miner_put(&t.plugins, entry, MINER_FROM_DB), 0);
    json_decref(entries);
}

void daemon_start(void)
{
    fix_open(&t.fix);
    t.topics = topics_new(t.fix.loop);
    t.herd = herd_new(t.fix.loop, t.topics, &(struct herd_conf){0});
    herd_listen(t.herd, &(struct herd_listener){.event = on_event});
    t.plugins = (struct plugins){0};
    source_make(&t.finder, "finder", NULL);
    source_make(&t.opener, "opener", opener_judge);
    source_make(&t.other, "other", other_judge);
    t.plugins.parsers[0] = (struct ingest_parser){.name = "toy", .ops = &parser_ops};
    t.plugins.parser_list = (struct ingest_parsers){t.plugins.parsers, 1};
    plugins_prepare(&t.plugins, &(struct plugin_env){.loop = t.fix.loop,
                                                     .topics = t.topics,
                                                     .herd = t.herd,
                                                     .store = t.fix.store});
    restore_miners();
    plugins_found_restore(&t.plugins);
}

void daemon_stop(void)
{
    plugins_stop(&t.plugins);
    assert_int_equal(t.n_opened, 0);
    herd_free(t.herd);
    topics_free(t.topics);
    fix_close(&t.fix);
    for (size_t i = 0; i < t.plugins.n; i++)
        free(t.plugins.items[i]->owner.complaint);
}

int found_setup(void **state)
{
    memset(&t, 0, sizeof t);
    t.mono_ms = 100000;
    t.wall_ms = 1000000000;
    clock_set_fake(t.wall_ms, t.mono_ms);
    t.connects = true;
    t.judge = SHEP_JUDGE_PLAUSIBLE | SHEP_JUDGE_LISTEN;
    fix_make(&t.fix);
    daemon_start();
    return 0;
}

int found_teardown(void **state)
{
    clock_set_fake(-1, 0);
    daemon_stop();
    json_decref(view.rows);
    view.rows = NULL;
    fix_end(&t.fix);
    return 0;
}

void advance(int64_t ms)
{
    for (; ms > 0; ms -= 250) {
        int64_t step = ms < 250 ? ms : 250;
        t.mono_ms += step;
        t.wall_ms += step;
        clock_set_fake(t.wall_ms, t.mono_ms);
        ports_tick(&t.plugins);
    }
}

/* ---- boards ---- */

void plug(const struct board *board)
{
    struct shep_found found = {.size = sizeof found,
                               .key = board->key,
                               .path = board->path,
                               .port_path = board->port,
                               .description = "a board",
                               .serial = board->serial,
                               .vendor_id = board->vid,
                               .product_id = board->pid,
                               .mac = board->mac,
                               .hub = board->hub,
                               .unit = board->unit};
    assert_int_equal(plugin_host.device_found(&t.finder.ctx, &found), 0);
}

void unplug(const char *key)
{
    assert_int_equal(plugin_host.device_lost(&t.finder.ctx, key), 0);
}

struct shep_device *opened_at(const char *path)
{
    for (size_t i = 0; i < t.n_opened; i++)
        if (str_eq(t.opened[i].path, path))
            return t.opened[i].dev;
    return NULL;
}

static struct shep_device *must_be_open(const char *path)
{
    struct shep_device *dev = opened_at(path);
    if (!dev)
        fail_msg("nobody opened %s", path);
    return dev;
}

void hang_up(const char *path)
{
    plugin_host.device_link(&t.opener.ctx, must_be_open(path), 0, "hung up");
}

void link_up(const char *path)
{
    plugin_host.device_link(&t.opener.ctx, must_be_open(path), 1, NULL);
}

void say(const char *path, const char *line)
{
    char bytes[512];
    int len = snprintf(bytes, sizeof bytes, "%s\n", line);
    assert_int_equal(plugin_host.feed(&t.opener.ctx, must_be_open(path), bytes, (size_t)len), 0);
}

const char *who(const char *path)
{
    struct shep_device *dev = opened_at(path);
    return dev ? plugin_host.device_name(&t.opener.ctx, dev) : "";
}

const char *status_of(const char *miner)
{
    struct miner *one = herd_miner_by_name(t.herd, miner);
    return one ? status_name(miner_status(one)) : "none";
}

size_t events_of(const char *name)
{
    size_t n = 0;
    for (const char *at = t.events; (at = strstr(at, name)); at += strlen(name))
        n += at == t.events || at[-1] == '\n';
    return n;
}

void forget_events(void)
{
    t.events[0] = '\0';
}

/* ---- where tests begin ---- */

void start(void)
{
    plugins_start(&t.plugins);
}

void two_boards(void)
{
    start();
    plug(CH340("k2", "/dev/ttyUSB0", "1-1.2"));
    plug(CH340("k3", "/dev/ttyUSB1", "1-1.3"));
    assert_int_equal(accept("port:1-1.2", "BARN-01"), 0);
    assert_int_equal(accept("port:1-1.3", "BARN-02"), 0);
    forget_events();
}

/* ---- people ---- */

void put(const char *entry_json, enum miner_origin origin)
{
    json_t *entry = json_loads(entry_json, 0, NULL);
    assert_non_null(entry);
    assert_int_equal(plugins_miner_put(&t.plugins, entry, origin), 0);
    json_decref(entry);
}

int accept(const char *key, const char *name)
{
    json_t *entry = json_pack("{s:s}", "id", name);
    int err = plugins_found_accept(&t.plugins, key, entry);
    json_decref(entry);
    return err;
}

#define TEXT(text) (text) ? json_string(text) : json_null()

static void show_one(const struct plugin_found *found, void *arg)
{
    json_t *row =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:b}", "path", found->path,
                  "key", TEXT(found->key), "miner", TEXT(found->miner), "doubt", TEXT(found->doubt),
                  "maybe", TEXT(found->maybe), "mac", TEXT(found->mac), "source",
                  TEXT(found->source), "listened", found->listened, "stranger", found->stranger,
                  "ignored", found->ignored, "bootloader", found->bootloader);
    assert_non_null(row);
    json_array_append_new(arg, row);
}

const json_t *shown(const char *path)
{
    json_decref(view.rows);
    view.rows = json_array();
    plugins_found_each(&t.plugins, show_one, view.rows);
    size_t i;
    json_t *row;
    json_array_foreach(
        view.rows, i,
        row) if (str_eq(json_string_value(json_object_get(row, "path")), path)) return row;
    return NULL;
}

const char *shown_text(const char *path, const char *field)
{
    const char *text = json_string_value(json_object_get(shown(path), field));
    return text ? text : "";
}
