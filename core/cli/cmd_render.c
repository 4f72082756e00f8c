/* `shepherd render VIEW`: a page as the daemon would serve it, from the readings in a data
 * directory. Reads the database beside a running daemon; opens no port and no device. */
#include "cli/cli.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <getopt.h>
#include <unistd.h>

struct render {
    struct daemon daemon;
    struct reader *reader;
    const char *lang; /* NULL: the configured one */
    const char *role;
    int status;
    bool done;
};

/* ---- the herd, as the database knows it ---- */

static void put_reading(struct herd *herd, struct miner *miner, const char *name,
                        const json_t *value)
{
    const json_t *v = json_object_get(value, "v");
    struct shep_reading reading = {.size = sizeof reading,
                                   .at_ms = json_integer_value(json_object_get(value, "t")),
                                   .value = json_number_value(v),
                                   .text = json_string_value(v),
                                   .text_len = json_string_length(v)};
    reading.metric = metric_by_name(name);
    if (reading.metric)
        herd_restore(herd, miner, &reading);
}

static const char *column_text(const struct reader_value *value)
{
    return value->type == READER_TEXT ? value->text : NULL;
}

static bool on_miner(const struct reader_value *columns, const char *const *names, size_t n,
                     void *arg)
{
    struct herd *herd = arg;
    struct miner_conf conf = {.id = columns[0].i,
                              .name = column_text(&columns[1]),
                              .location = column_text(&columns[2]),
                              .source = column_text(&columns[3]),
                              .path = column_text(&columns[4]),
                              .origin = (enum miner_origin)columns[5].i,
                              .group = column_text(&columns[9]),
                              .tags = column_text(&columns[10])};
    if (!conf.name)
        return true;
    struct miner *miner = herd_miner_put(herd, &conf);
    json_t *readings = columns[6].type == READER_TEXT
                           ? json_loadb(columns[6].text, columns[6].len, 0, NULL)
                           : NULL;
    const char *name;
    json_t *value;
    json_object_foreach(readings, name, value) put_reading(herd, miner, name, value);
    json_decref(readings);
    if (columns[7].type == READER_REAL || columns[7].type == READER_INT)
        herd_restore_best(miner,
                          columns[7].type == READER_REAL ? columns[7].r : (double)columns[7].i,
                          columns[8].i);
    return true;
}

static int load_herd(struct render *render)
{
    static const char sql[] =
        "SELECT m.id, m.miner_id, m.location_notes, m.source, m.path, m.origin, l.readings,"
        " l.best_ever, l.best_ever_at_ms, m.group_name, m.tags"
        " FROM miners m LEFT JOIN latest l ON l.miner_id = m.id"
        " WHERE m.removed_at_ms IS NULL";
    char err[256];
    if (!render->reader)
        return 0; /* no database yet: an empty herd */
    if (reader_query(render->reader, sql, NULL, 0, NULL, on_miner, render->daemon.herd, err,
                     sizeof err) == 0)
        return 0;
    fprintf(stderr, "shepherd render: %s: %s\n", render->daemon.config.data_dir, err);
    return EX_IOERR;
}

/* ---- the view ---- */

static const void *topic_data(enum topic topic, size_t *len_out, void *arg)
{
    struct render *render = arg;
    if (topic == TOPIC_HERD) {
        const struct snap_head *head = herd_snapshot(render->daemon.herd);
        *len_out = head->total_bytes;
        return head;
    }
    if (topic == TOPIC_FACTS)
        return facts_all(render->daemon.facts, len_out);
    *len_out = 2;
    return "{}"; /* there is no running daemon to tell about */
}

static void on_page(struct script_page *page, void *arg)
{
    struct render *render = arg;
    fwrite(page->body, 1, page->body_len, stdout);
    if (page->body_len && page->body[page->body_len - 1] != '\n')
        putchar('\n');
    render->status = page->status;
    render->done = true;
    script_page_unref(page);
    loop_stop(render->daemon.loop);
}

/* The price is a file in the data directory too. */
static void load_price(struct render *render)
{
    char *path = path_join_dup(render->daemon.config.data_dir, "btc_price.json");
    size_t len;
    char *text = file_read_dup(path, FACT_MAX_BYTES, &len);
    if (text)
        facts_put(render->daemon.facts, "price", text, len);
    free(text);
    free(path);
}

enum { QUERY_MAX = 32 };

/* "a=1&b=2" in place; the command line needs no percent decoding. */
static size_t split_query(char *query, struct script_param *out)
{
    size_t n = 0;
    for (char *save = NULL, *pair = strtok_r(query, "&", &save); pair && n < QUERY_MAX;
         pair = strtok_r(NULL, "&", &save)) {
        char *value = strchr(pair, '=');
        if (value)
            *value++ = '\0';
        out[n++] = (struct script_param){.name = pair, .value = value ? value : ""};
    }
    return n;
}

static void cut_end(char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);
    if (len >= n && strcmp(text + len - n, end) == 0)
        text[len - n] = '\0';
}

/* A view may be named by its route or by its file: "/", "index", "api/herd_data.lua". */
static char *route_dup(const char *view)
{
    char *path = shep_asprintf("%s%s", view[0] == '/' ? "" : "/", view);
    cut_end(path, ".html");
    cut_end(path, ".lua");
    cut_end(path, "/index"); /* the folder itself */
    if (!path[0]) {
        free(path);
        path = shep_strdup("/");
    }
    return path;
}

/* NULL: asked for, and the views do not have it. */
static const char *locale_of(const struct render *render)
{
    const json_t *display = json_object_get(render->daemon.config.keys, "display");
    const char *configured = json_string_value(json_object_get(display, "locale"));
    const char *wanted = render->lang ? render->lang : configured ? configured : "en";
    const char *known = script_language_find(render->daemon.scripts, wanted, strlen(wanted));
    return known || render->lang ? known : "en";
}

static int render_view(struct render *render, char *view, int64_t now_ms)
{
    struct daemon *daemon = &render->daemon;
    char *db_path = path_join_dup(daemon->config.data_dir, "shepherd.db");
    struct herd_conf herd_conf = {.silent_after_ms = daemon->config.silent_after_ms};
    if (now_ms)
        clock_set_fake(now_ms, 1000000);
    daemon->loop = loop_new(1);
    daemon->topics = topics_new(daemon->loop);
    daemon->herd = herd_new(daemon->loop, daemon->topics, &herd_conf);
    daemon->facts = facts_new(daemon->topics);
    render->reader = reader_open(db_path);
    int rc = load_herd(render);
    load_price(render);
    struct script_conf conf = {.exe = daemon->paths.script_exe,
                               .lua_dir = daemon->paths.lua_dir,
                               .views_dir = daemon->paths.views_dir,
                               .view_dirs = (const char *const *)daemon->config.view_dirs,
                               .n_view_dirs = daemon->config.n_view_dirs,
                               .db_path = render->reader ? db_path : NULL,
                               .n_processes = 1,
                               .fixed_now_ms = now_ms,
                               .topic_data = topic_data,
                               .arg = render};
    if (rc == 0) {
        char *query = strchr(view, '?');
        struct script_param params[QUERY_MAX];
        if (query)
            *query++ = '\0';
        char *path = route_dup(view);
        daemon->scripts = script_pool_new(daemon->loop, daemon->topics, &conf);
        struct script_request request = {
            .path = path, .role = render->role, .locale = locale_of(render)};
        request.query = params;
        request.n_query = query ? split_query(query, params) : 0;
        if (request.locale)
            script_render(daemon->scripts, &request, on_page, render);
        if (request.locale && !render->done)
            loop_run(daemon->loop);
        script_pool_free(daemon->scripts);
        free(path);
        rc = !request.locale
                 ? usage_error("render", "--lang: there is no lua/locale/%s.lua", render->lang)
             : render->status == 200 ? EX_OK
                                     : EX_DATAERR;
    }
    if (render->reader)
        reader_close(render->reader);
    herd_free(daemon->herd);
    facts_free(daemon->facts);
    topics_free(daemon->topics);
    loop_free(daemon->loop);
    free(db_path);
    return rc;
}

int cmd_render(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"data-dir", required_argument, NULL, 'd'},
        {"now", required_argument, NULL, 'n'},    {"lang", required_argument, NULL, 'L'},
        {"role", required_argument, NULL, 'r'},   {NULL, 0, NULL, 0}};
    struct render render = {.role = "operator"};
    struct config_overrides *overrides = &render.daemon.overrides;
    int64_t now_ms = 0;
    int opt;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'c')
            overrides->file = optarg;
        else if (opt == 'd')
            overrides->data_dir = optarg;
        else if (opt == 'L')
            render.lang = optarg;
        else if (opt == 'r')
            render.role = optarg;
        else if (opt != 'n')
            return EX_USAGE;
        else if (!str_to_i64(optarg, &now_ms) || now_ms <= 0)
            return usage_error("render", "--now wants ms since 1970, not '%s'", optarg);
    }
    if (access_role_by_name(render.role) < 0)
        return usage_error("render", "--role is none, viewer, operator or admin, not '%s'",
                           render.role);
    if (optind + 1 != argc)
        return usage_error("render", "name one view, for example /api/herd_data");
    log_set_level(SHEP_LOG_WARN);
    int rc = EX_SOFTWARE;
    if (paths_find(&render.daemon.paths) == 0 && paths_check(&render.daemon.paths) == 0)
        rc = config_load(&render.daemon.paths, overrides, &render.daemon.config,
                         &render.daemon.plugins)
                 ? EX_CONFIG
                 : render_view(&render, argv[optind], now_ms);
    plugins_free(render.daemon.plugins);
    config_free(&render.daemon.config);
    paths_free(&render.daemon.paths);
    return rc;
}
