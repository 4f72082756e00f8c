/* `shepherd run`: start in order, one line on stdout, run, stop in the reverse order. Reads like a
 * table of contents; what each room does is in its own folder. */
#include "cli/cli.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    SCRIPT_PROCESSES = 2,
    STOP_DEADLINE_S = 5,
    JOBS_END_MS = 3000 /* opening a port takes milliseconds; one that blocks may block for ever */
};

static void say_event(struct daemon *daemon, uint32_t event_id, const char *text)
{
    struct shep_event event = {.size = sizeof event,
                               .event = event_id,
                               .at_ms = clock_wall_ms(),
                               .text = text,
                               .text_len = strlen(text)};
    store_event(daemon->store, &event);
}

/* ---- signals ---- */

static void reload(struct daemon *daemon);

static void on_signal(int fd, uint32_t what, void *arg)
{
    struct daemon *daemon = arg;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reload(daemon);
            continue;
        }
        again_stay_down(daemon);
        daemon_stop(daemon);
    }
}

static int signals_open(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before any thread: they inherit it */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- miners ---- */

static void put_miners(struct daemon *daemon, const json_t *miners, enum miner_origin origin)
{
    size_t i;
    json_t *miner;
    json_array_foreach((json_t *)miners, i, miner)
    {
        if (plugins_miner_put(daemon->plugins, miner, origin) != 0)
            log_error("config", "miner %s: its source is not there; left out",
                      json_string_value(json_object_get(miner, "id")));
    }
}

/* The demo's logs lie beside flock.lua; their paths are made absolute. */
static int put_demo(struct daemon *daemon)
{
    char *file = path_join_dup(daemon->paths.demo_dir, "flock.lua"), *text = NULL, err[512];
    int rc = script_eval_config(daemon->paths.script_exe, file, &text, err, sizeof err);
    json_t *whole = rc == 0 ? json_loads(text, 0, NULL) : NULL;
    json_t *miners = json_object_get(json_object_get(whole, "keys"), "miners"), *miner;
    size_t i;
    json_array_foreach(miners, i, miner)
    {
        const char *path = json_string_value(json_object_get(miner, "path"));
        char *full = path_join_dup(daemon->paths.demo_dir, path ? path : "");
        json_object_set_new(miner, "path", json_string(full));
        free(full);
    }
    if (miners)
        put_miners(daemon, miners, MINER_DEMO);
    else
        fprintf(stderr, "shepherd: the demo flock cannot be read: %s\n", rc ? err : file);
    json_decref(whole);
    free(text);
    free(file);
    return miners ? 0 : SHEP_E_CONFIG;
}

static void collect_gone(struct miner *miner, void *arg)
{
    if (miner_origin(miner) == MINER_FROM_FILE)
        json_object_set_new(arg, miner_name(miner), json_true());
}

static void apply_miners(struct daemon *daemon, const json_t *miners)
{
    json_t *gone = json_object(), *miner, *flag;
    const char *name;
    size_t i;
    herd_each(daemon->herd, collect_gone, gone);
    json_array_foreach((json_t *)miners, i, miner)
        json_object_del(gone, json_string_value(json_object_get(miner, "id")));
    json_object_foreach(gone, name, flag) plugins_miner_remove(daemon->plugins, name);
    put_miners(daemon, miners, MINER_FROM_FILE);
    json_decref(gone);
}

static void use_locale(struct daemon *daemon, const struct config *config)
{
    const json_t *display = json_object_get(config->keys, "display");
    http_locale_set(daemon->http, json_string_value(json_object_get(display, "locale")));
}

/* Pages and static files come from the override directories first, then from ours. */
static char **static_dirs_dup(const struct daemon *daemon, const struct config *config,
                              size_t *n_out)
{
    char **dirs = shep_alloc_array(config->n_view_dirs + 2, sizeof *dirs);
    size_t n = 0;
    for (size_t i = 0; i < config->n_view_dirs; i++)
        dirs[n++] = path_join_dup(config->view_dirs[i], "static");
    dirs[n++] = shep_strdup(daemon->paths.static_dir);
    dirs[n++] = path_join_dup(daemon->paths.views_dir, "static");
    *n_out = n;
    return dirs;
}

static void dirs_free(char **dirs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(dirs[i]);
    free(dirs);
}

static void use_access(struct daemon *daemon, const struct config *config)
{
    struct access_conf conf = {.data_dir = daemon->config.data_dir,
                               .loopback = config->loopback_role,
                               .lan = config->lan_role};
    if (daemon->access) {
        access_conf_set(daemon->access, &conf);
        return;
    }
    daemon->access = access_new(daemon->loop, daemon->store, &conf);
}

static void use_view_dirs(struct daemon *daemon, const struct config *config)
{
    size_t n;
    char **dirs = static_dirs_dup(daemon, config, &n);
    script_view_dirs_set(daemon->scripts, (const char *const *)config->view_dirs,
                         config->n_view_dirs);
    http_static_dirs_set(daemon->http, (const char *const *)dirs, n);
    dirs_free(dirs, n);
}

static void reload(struct daemon *daemon)
{
    struct config fresh;
    notify_send("RELOADING=1");
    if (config_reload(&daemon->paths, &daemon->overrides, daemon->plugins, &fresh) != 0) {
        log_error("config", "the configuration has mistakes (above); the old one stays");
    } else {
        apply_miners(daemon, fresh.miners);
        config_display_take(&daemon->config, &fresh);
        http_hosts_set(daemon->http, (const char *const *)fresh.hosts, fresh.n_hosts);
        use_locale(daemon, &fresh);
        use_access(daemon, &fresh);
        use_view_dirs(daemon, &fresh);
        if (!json_equal(json_object_get(fresh.keys, "plugins"),
                        json_object_get(daemon->config.keys, "plugins")) ||
            !json_equal(json_object_get(fresh.keys, "listen"),
                        json_object_get(daemon->config.keys, "listen")))
            log_warn("config", "changes of listen and plugins count after a restart");
        log_info("config", "read again: %zu miners", json_array_size(fresh.miners));
        topic_touch(daemon->topics, TOPIC_CONFIG);
    }
    config_free(&fresh);
    notify_send("READY=1");
}

/* ---- the end of the demo ---- */

/* A real miner answers: the demo ends by starting the program again without it, so that nothing
 * invented stays in memory or in the real database. */
static void on_herd_moved(enum topic topic, uint64_t seq, void *arg);

static void look_for_real(struct miner *miner, void *arg)
{
    if (miner_origin(miner) != MINER_DEMO && miner_status(miner) != SHEP_STATUS_OFFLINE)
        *(bool *)arg = true;
}

static void on_herd_moved(enum topic topic, uint64_t seq, void *arg)
{
    struct daemon *daemon = arg;
    bool real = false;
    if (topic != TOPIC_HERD || !daemon->demo || daemon->stopping)
        return;
    herd_each(daemon->herd, look_for_real, &real);
    if (!real)
        return;
    log_info("demo", "a real miner answers: the demo ends");
    again_for_real(daemon);
}

/* ---- start ---- */

static void open_scripts(struct daemon *daemon)
{
    struct script_conf conf = {.exe = daemon->paths.script_exe,
                               .lua_dir = daemon->paths.lua_dir,
                               .views_dir = daemon->paths.views_dir,
                               .view_dirs = (const char *const *)daemon->config.view_dirs,
                               .n_view_dirs = daemon->config.n_view_dirs,
                               .db_path = store_db_path(daemon->store),
                               .n_processes = SCRIPT_PROCESSES,
                               .topic_data = status_topic_data,
                               .arg = daemon};
    daemon->scripts = script_pool_new(daemon->loop, daemon->topics, &conf);
}

static int listen_all(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    daemon->listening = shep_alloc_array(config->n_listen, sizeof *daemon->listening);
    for (size_t i = 0; i < config->n_listen; i++) {
        const struct listen_addr *addr = &config->listen[i];
        uint16_t port;
        char err[256];
        int rc = http_listen(daemon->http, addr->addr, addr->port, &port, err, sizeof err);
        if (rc != 0) {
            fprintf(stderr, "shepherd: %s\n", err);
            return rc == SHEP_E_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
        }
        bool six = strchr(addr->addr, ':') != NULL;
        daemon->listening[daemon->n_listening++] =
            shep_asprintf("http://%s%s%s:%u", six ? "[" : "", addr->addr, six ? "]" : "", port);
    }
    return 0;
}

static void on_access_changed(void *arg)
{
    struct daemon *daemon = arg;
    topic_touch(daemon->topics, TOPIC_CONFIG);
}

static void flush_latest(void *arg)
{
    keeper_flush(((struct daemon *)arg)->keeper);
}

/* What people change: before anything listens, since routes are added here. */
static void open_forms(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    daemon->flock = flock_new(daemon->loop, daemon->store, daemon->herd, daemon->facts,
                              daemon->topics, daemon->plugins);
    struct forms_conf conf = {.loop = daemon->loop,
                              .http = daemon->http,
                              .store = daemon->store,
                              .access = daemon->access,
                              .flock = daemon->flock,
                              .data_dir = config->data_dir,
                              .config_file = config->file,
                              .config_place = config->place,
                              .view_dirs = (const char *const *)config->view_dirs,
                              .n_view_dirs = config->n_view_dirs,
                              .flush = flush_latest,
                              .check = again_check,
                              .restore = again_restore,
                              .restart = again_ask,
                              .arg = daemon};
    daemon->forms = forms_new(&conf);
}

static int open_http(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    size_t n;
    char **dirs = static_dirs_dup(daemon, config, &n);
    struct http_conf conf = {.hosts = (const char *const *)config->hosts,
                             .n_hosts = config->n_hosts,
                             .static_dirs = (const char *const *)dirs,
                             .n_static_dirs = n,
                             .version = SHEP_VERSION};
    daemon->http = http_new(daemon->loop, daemon->topics, daemon->scripts, &conf);
    dirs_free(dirs, n);
    http_health_set(daemon->http, keeper_health, daemon);
    http_access_set(daemon->http, daemon->access);
    access_on_change(daemon->access, on_access_changed, daemon);
    use_locale(daemon, config);
    open_forms(daemon);
    return listen_all(daemon);
}

void daemon_restore(struct daemon *daemon)
{
    struct plugin_env env = {.loop = daemon->loop,
                             .topics = daemon->topics,
                             .herd = daemon->herd,
                             .facts = daemon->facts,
                             .store = daemon->store,
                             .data_dir = daemon->config.data_dir,
                             .offline = daemon->config.offline,
                             .options = daemon->config.plugins};
    plugins_prepare(daemon->plugins, &env);
    if (daemon->demo)
        put_demo(daemon);
    else
        put_miners(daemon, daemon->config.miners, MINER_FROM_FILE);
    flock_restore(daemon->flock);
    plugins_found_restore(daemon->plugins);
    keeper_restore(daemon->keeper);
}

/* Beyond loopback only with a password: until then anybody on the LAN could claim the box. */
static int check_exposure(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->config.n_listen; i++) {
        const struct listen_addr *addr = &daemon->config.listen[i];
        if (listen_is_loopback(addr) || admin_password_is_set(daemon->config.data_dir))
            continue;
        fprintf(stderr,
                "shepherd: %s:%u can be reached by others, and no admin password is set; run "
                "'shepherd passwd --data-dir %s' first, or listen on 127.0.0.1\n",
                addr->addr, addr->port, daemon->config.data_dir);
        return EX_CONFIG;
    }
    return 0;
}

static void use_demo_dir(struct daemon *daemon)
{
    if (json_array_size(daemon->config.miners) > 0) {
        log_info("demo", "miners are configured: no demo");
        daemon->demo = false;
        return;
    }
    char *dir = path_join_dup(daemon->config.data_dir, "demo");
    free(daemon->config.data_dir);
    daemon->config.data_dir = dir;
}

static int start(struct daemon *daemon)
{
    int rc = rooms_open(daemon, "shepherd", WORKERS);
    if (rc)
        return rc;
    daemon->status = status_new(daemon);
    daemon->keeper = keeper_new(daemon);
    open_scripts(daemon);
    use_access(daemon, &daemon->config);
    rc = open_http(daemon);
    if (rc)
        return rc;
    pulse_start(daemon);
    daemon_restore(daemon);
    plugins_start(daemon->plugins);
    topic_subscribe(daemon->topics, on_herd_moved, daemon);
    say_event(daemon, SHEP_EV_DAEMON_START, SHEP_VERSION);
    return 0;
}

/* ---- stop ---- */

static void on_drained(void *arg)
{
    struct daemon *daemon = arg;
    loop_stop(daemon->loop);
}

void daemon_stop(struct daemon *daemon)
{
    if (daemon->stopping)
        return;
    daemon->stopping = true;
    alarm(STOP_DEADLINE_S + 5); /* a hang at the end must not keep the supervisor waiting */
    notify_send("STOPPING=1");
    log_info("shepherd", "stopping");
    forms_stop(daemon->forms);
    http_drain(daemon->http, on_drained, daemon);
}

/* false: a job blocks still; what it uses was not taken down, and the process has to end. */
static bool stop(struct daemon *daemon)
{
    if (daemon->forms)
        forms_stop(daemon->forms);
    if (daemon->http)
        http_free(daemon->http);
    daemon->http = NULL; /* what happens from here on has no browsers */
    if (daemon->scripts)
        script_pool_free(daemon->scripts);
    if (daemon->keeper)
        keeper_flush(daemon->keeper);
    if (daemon->plugins && daemon->store)
        plugins_stop(daemon->plugins);
    bool all_ended = !daemon->loop || loop_work_finish_by(daemon->loop, JOBS_END_MS);
    if (all_ended) {
        forms_free(daemon->forms); /* its jobs land until here: a restore that is unpacked */
        flock_free(daemon->flock);
        access_free(daemon->access);
    } else {
        log_warn("shepherd", "a device does not answer; ending without it");
    }
    if (daemon->store) {
        say_event(daemon, SHEP_EV_DAEMON_STOP, SHEP_VERSION);
        store_close(daemon->store);
    }
    if (!all_ended)
        return false;
    status_free(daemon->status);
    rooms_free(daemon);
    return true;
}

static void on_watchdog(void *arg)
{
    notify_send("WATCHDOG=1");
}

static int serve(struct daemon *daemon, int signal_fd)
{
    loop_watch_new(daemon->loop, &daemon->owner, signal_fd, SHEP_WATCH_READ, on_signal, daemon);
    if (notify_watchdog_ms())
        loop_timer_new(daemon->loop, &daemon->owner, notify_watchdog_ms(), notify_watchdog_ms(),
                       on_watchdog, daemon);
    if (!getenv("SHEPHERD_RESTARTED")) {
        printf("shepherd: listening on %s\n", daemon->listening[0]);
        fflush(stdout);
    }
    for (size_t i = 1; i < daemon->n_listening; i++)
        log_info("http", "listening on %s as well", daemon->listening[i]);
    notify_send("READY=1");
    return loop_run(daemon->loop) == 0 ? EX_OK : EX_SOFTWARE;
}

/* ---- arguments ---- */

static int parse_args(int argc, char **argv, struct daemon *daemon)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"data-dir", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'}, {"demo", no_argument, NULL, 'D'},
        {"verbose", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    struct config_overrides *overrides = &daemon->overrides;
    int opt;
    while ((opt = getopt_long(argc, argv, "v", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
            overrides->file = optarg;
            break;
        case 'd':
            overrides->data_dir = optarg;
            break;
        case 'l':
            if (overrides->n_listen == ARRAY_LEN(overrides->listen))
                return usage_error("run", "at most %zu --listen", ARRAY_LEN(overrides->listen));
            overrides->listen[overrides->n_listen++] = optarg;
            break;
        case 'D':
            daemon->demo = true;
            break;
        case 'v':
            log_set_level(SHEP_LOG_DEBUG);
            break;
        default:
            return EX_USAGE;
        }
    }
    if (optind < argc)
        return usage_error("run", "what is '%s'? run takes options only", argv[optind]);
    return 0;
}

int cmd_run(int argc, char **argv)
{
    struct daemon daemon = {.owner = {.name = "core"}, .started_at_ms = clock_wall_ms()};
    int rc = parse_args(argc, argv, &daemon);
    if (rc)
        return rc;
    int signal_fd = signals_open();
    if (paths_find(&daemon.paths) != 0 || paths_check(&daemon.paths) != 0) {
        paths_free(&daemon.paths);
        return EX_SOFTWARE;
    }
    if (config_load(&daemon.paths, &daemon.overrides, &daemon.config, &daemon.plugins) != 0)
        rc = EX_CONFIG;
    if (!rc && daemon.demo)
        use_demo_dir(&daemon);
    if (!rc)
        rc = check_exposure(&daemon);
    if (!rc)
        rc = start(&daemon);
    if (!rc)
        rc = serve(&daemon, signal_fd);
    bool all_ended = stop(&daemon);
    close(signal_fd);
    if (daemon.again)
        again_run(daemon.again, argv, argc, daemon.listening, daemon.n_listening);
    if (!all_ended)
        _exit(rc);
    for (size_t i = 0; i < daemon.n_listening; i++)
        free(daemon.listening[i]);
    free(daemon.listening);
    return rc;
}
