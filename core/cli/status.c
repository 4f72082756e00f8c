/* The documents behind shepherd.system() and shepherd.config(): made when a page asks, once for
 * each sequence of their topic. */
#include "cli/cli.h"

#include "util/clock.h"
#include "util/log.h"

#include <unistd.h>

struct status {
    struct daemon *daemon;
    char *text[TOPIC_COUNT];
    uint64_t seq[TOPIC_COUNT];
};

struct status *status_new(struct daemon *daemon)
{
    struct status *status = shep_alloc(sizeof *status);
    status->daemon = daemon;
    return status;
}

void status_free(struct status *status)
{
    if (!status)
        return;
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        free(status->text[i]);
    free(status);
}

#define INT(value) json_integer((json_int_t)(value))

/* Texts of devices and files may be any bytes; JSON wants UTF-8. */
static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : json_null();
    return json ? json : json_string("(not UTF-8)");
}

static void put_meter(json_t *item, uint64_t n_calls, uint64_t n_slow, int64_t total_us,
                      int64_t max_us)
{
    json_object_set_new(item, "n_calls", INT(n_calls));
    json_object_set_new(item, "n_slow", INT(n_slow));
    json_object_set_new(item, "total_us", INT(total_us));
    json_object_set_new(item, "max_us", INT(max_us));
}

static void add_plugin(const struct plugin_info *info, void *arg)
{
    json_t *item = json_object();
    json_object_set_new(item, "kind", text_json(info->kind));
    json_object_set_new(item, "name", text_json(info->name));
    json_object_set_new(item, "version", text_json(info->version));
    json_object_set_new(item, "summary", text_json(info->summary));
    json_object_set_new(item, "file", text_json(info->file));
    json_object_set_new(item, "loaded", json_boolean(info->loaded));
    json_object_set_new(item, "started", json_boolean(info->started));
    json_object_set_new(item, "problem", text_json(info->problem));
    put_meter(item, info->n_calls, info->n_slow, info->total_us, info->max_us);
    json_array_append_new(arg, item);
}

static void add_found(const struct plugin_found *found, void *arg)
{
    json_t *item = json_object();
    json_object_set_new(item, "key", text_json(found->key));
    json_object_set_new(item, "path", text_json(found->path));
    json_object_set_new(item, "port_path", text_json(found->port_path));
    json_object_set_new(item, "description", text_json(found->description));
    json_object_set_new(item, "vendor_id", text_json(found->vendor_id));
    json_object_set_new(item, "product_id", text_json(found->product_id));
    json_object_set_new(item, "serial", text_json(found->serial));
    json_object_set_new(item, "source", text_json(found->source));
    json_object_set_new(item, "listened", json_boolean(found->listened));
    json_array_append_new(arg, item);
}

static void add_owner(const struct loop_owner *owner, void *arg)
{
    json_t *item = json_object();
    json_object_set_new(item, "name", text_json(owner->name));
    put_meter(item, owner->n_calls, owner->n_slow, owner->total_us, owner->max_us);
    json_array_append_new(arg, item);
}

static json_t *loop_json(const struct daemon *daemon)
{
    struct loop_stats stats;
    loop_stats_get(daemon->loop, &stats);
    json_t *out = json_object();
    json_object_set_new(out, "lag_max_ms", INT(stats.lag_max_ms));
    json_object_set_new(out, "timers", INT(stats.n_timers));
    json_object_set_new(out, "watches", INT(stats.n_watches));
    json_object_set_new(out, "jobs_waiting", INT(stats.jobs_waiting));
    json_object_set_new(out, "fetches", INT(stats.fetches));
    json_object_set_new(out, "choked", json_boolean(stats.choked));
    return out;
}

static json_t *store_json(const struct daemon *daemon)
{
    struct store_stats stats;
    store_stats_get(daemon->store, &stats);
    json_t *out = json_object();
    json_object_set_new(out, "lines", INT(stats.lines));
    json_object_set_new(out, "lines_dropped", INT(stats.lines_dropped));
    json_object_set_new(out, "events", INT(stats.events));
    json_object_set_new(out, "commits", INT(stats.commits));
    json_object_set_new(out, "commit_errors", INT(stats.commit_errors));
    json_object_set_new(out, "queue_bytes", INT(stats.queue_bytes));
    json_object_set_new(out, "queue_limit_bytes", INT(stats.queue_limit_bytes));
    json_object_set_new(out, "commit_last_us", INT(stats.commit_last_us));
    json_object_set_new(out, "commit_max_us", INT(stats.commit_max_us));
    json_object_set_new(out, "last_commit_ms", INT(stats.last_commit_ms));
    json_object_set_new(out, "db_bytes", INT(stats.db_bytes));
    json_object_set_new(out, "wal_bytes", INT(stats.wal_bytes));
    json_object_set_new(out, "free_bytes", INT(stats.free_bytes));
    json_object_set_new(out, "degraded", json_boolean(stats.degraded));
    json_object_set_new(out, "problem", text_json(stats.problem));
    return out;
}

static json_t *scripts_json(const struct daemon *daemon)
{
    struct script_stats stats;
    script_stats_get(daemon->scripts, &stats);
    json_t *out = json_object(), *pids = json_array();
    for (unsigned i = 0; i < stats.n_processes && i < ARRAY_LEN(stats.pids); i++)
        json_array_append_new(pids, INT(stats.pids[i]));
    json_object_set_new(out, "pids", pids);
    json_object_set_new(out, "n_processes", INT(stats.n_processes));
    json_object_set_new(out, "n_busy", INT(stats.n_busy));
    json_object_set_new(out, "waiting", INT(stats.waiting));
    json_object_set_new(out, "renders", INT(stats.renders));
    json_object_set_new(out, "errors", INT(stats.errors));
    json_object_set_new(out, "killed", INT(stats.killed));
    json_object_set_new(out, "blocked", text_json(stats.blocked));
    return out;
}

static json_t *http_json(const struct daemon *daemon)
{
    struct http_stats stats;
    http_stats_get(daemon->http, &stats);
    json_t *out = json_object();
    json_object_set_new(out, "connections", INT(stats.connections));
    json_object_set_new(out, "sse_clients", INT(stats.sse_clients));
    json_object_set_new(out, "requests", INT(stats.requests));
    json_object_set_new(out, "cache_hits", INT(stats.cache_hits));
    json_object_set_new(out, "cache_misses", INT(stats.cache_misses));
    json_object_set_new(out, "not_modified", INT(stats.not_modified));
    json_object_set_new(out, "parts_replies", INT(stats.parts_replies));
    json_object_set_new(out, "rejected_host", INT(stats.rejected_host));
    json_object_set_new(out, "rejected_deadline", INT(stats.rejected_deadline));
    json_object_set_new(out, "rejected_limit", INT(stats.rejected_limit));
    json_object_set_new(out, "accept_pauses", INT(stats.accept_pauses));
    json_object_set_new(out, "sse_dropped", INT(stats.sse_dropped));
    json_object_set_new(out, "pulse_sent", INT(stats.pulse_sent));
    json_object_set_new(out, "pulse_dropped", INT(stats.pulse_dropped));
    json_object_set_new(out, "cache_bytes", INT(stats.cache_bytes));
    json_object_set_new(out, "cache_entries", INT(stats.cache_entries));
    return out;
}

/* Second figure of /proc/self/statm: resident pages. -1: not known. */
static int64_t rss_kb(void)
{
    char *text = file_read_dup("/proc/self/statm", 256, NULL);
    long pages = 0;
    int n = text ? sscanf(text, "%*s %ld", &pages) : 0;
    free(text);
    return n == 1 ? pages * (sysconf(_SC_PAGESIZE) / 1024) : -1;
}

static json_t *listening_json(const struct daemon *daemon)
{
    json_t *out = json_array();
    for (size_t i = 0; i < daemon->n_listening; i++)
        json_array_append_new(out, text_json(daemon->listening[i]));
    return out;
}

static json_t *system_json(struct daemon *daemon)
{
    json_t *out = json_object(), *plugins = json_array(), *found = json_array(),
           *owners = json_array();
    loop_owners_each(daemon->loop, add_owner, owners);
    json_object_set_new(out, "owners", owners);
    plugins_each(daemon->plugins, add_plugin, plugins);
    plugins_found_each(daemon->plugins, add_found, found);
    json_object_set_new(out, "version", json_string(SHEP_VERSION));
    json_object_set_new(out, "pid", INT(getpid()));
    json_object_set_new(out, "started_at_ms", INT(daemon->started_at_ms));
    json_object_set_new(out, "data_dir", text_json(daemon->config.data_dir));
    json_object_set_new(out, "config_file", text_json(daemon->config.file));
    json_object_set_new(out, "listen", listening_json(daemon));
    json_object_set_new(out, "offline", json_boolean(daemon->config.offline));
    json_object_set_new(out, "demo", json_boolean(daemon->demo));
    json_object_set_new(out, "plugins", plugins);
    json_object_set_new(out, "devices", found);
    json_object_set_new(out, "loop", loop_json(daemon));
    json_object_set_new(out, "store", store_json(daemon));
    json_object_set_new(out, "scripts", scripts_json(daemon));
    json_object_set_new(out, "http", http_json(daemon));
    json_object_set_new(out, "memory", json_pack("{s:I}", "rss_kb", (json_int_t)rss_kb()));
    return out;
}

static json_t *config_json(struct daemon *daemon)
{
    json_t *out = json_object(), *found = json_array();
    plugins_found_each(daemon->plugins, add_found, found);
    json_object_set_new(out, "devices", found);
    json_object_set_new(out, "config_file", text_json(daemon->config.file));
    json_object_set_new(out, "data_dir", text_json(daemon->config.data_dir));
    json_object_set_new(out, "offline", json_boolean(daemon->config.offline));
    json_object_set_new(out, "demo", json_boolean(daemon->demo));
    json_object_set_new(out, "silent_after_s", INT(daemon->config.silent_after_ms / 1000));
    json_object_set(out, "display", json_object_get(daemon->config.keys, "display"));
    json_object_set_new(out, "flock", flock_json(daemon->flock));
    json_object_set_new(out, "access", access_json(daemon->access)); /* scripts see it as admins */
    return out;
}

const void *status_topic_data(enum topic topic, size_t *len_out, void *arg)
{
    struct daemon *daemon = arg;
    struct status *status = daemon->status;
    if (topic == TOPIC_HERD) {
        const struct snap_head *head = herd_snapshot(daemon->herd);
        *len_out = head->total_bytes;
        return head;
    }
    if (topic == TOPIC_FACTS)
        return facts_all(daemon->facts, len_out);
    if (topic != TOPIC_SYSTEM && topic != TOPIC_CONFIG) {
        *len_out = 2;
        return "{}"; /* lines and events are read from the database */
    }
    uint64_t seq = topic_seq(daemon->topics, topic);
    if (status->seq[topic] != seq) {
        json_t *json = topic == TOPIC_SYSTEM ? system_json(daemon) : config_json(daemon);
        free(status->text[topic]);
        status->text[topic] = json_dumps(json, JSON_COMPACT);
        status->seq[topic] = seq;
        json_decref(json);
    }
    if (!status->text[topic])
        status->text[topic] = shep_strdup("{}");
    *len_out = strlen(status->text[topic]);
    return status->text[topic];
}
