/* `shepherd import OLD`: the Python Shepherd's database or CSV. The rooms are opened as the daemon
 * does it, but nothing listens and no port is opened. A dry run does all of it on a copy. Thread:
 * this one is the loop's. */
#include "cli/cli.h"

#include "backup/backup.h"
#include "util/clock.h"

#include <errno.h>
#include <getopt.h>
#include <unistd.h>

enum { FLUSH_MS = 30000 };

struct import_args {
    const char *file;
    bool dry_run;
    struct config_overrides overrides;
};

static int parse_args(int argc, char **argv, struct import_args *out)
{
    const struct command_switch switches[] = {{"dry-run", &out->dry_run}, {NULL, NULL}};
    int rc = command_options(argc, argv, switches, &out->overrides);
    if (rc)
        return rc;
    if (optind + 1 != argc)
        return usage_error("import", "one old database or CSV file is needed");
    out->file = argv[optind];
    return 0;
}

/* ---- the old file ---- */

static int read_plan(const char *file, json_t **plan_out)
{
    char why[FLOCK_WHY_MAX] = "";
    if (access(file, R_OK) != 0) {
        fprintf(stderr, "shepherd import: cannot read %s: %s\n", file, strerror(errno));
        return EX_NOINPUT;
    }
    int err = flock_old_read(file, plan_out, why);
    if (!err)
        return 0;
    bool named = strstr(why, file) != NULL;
    fprintf(stderr, "shepherd import: %s%s%s\n", named ? "" : file, named ? "" : ": ", why);
    return err == SHEP_E_IO ? EX_IOERR : EX_DATAERR;
}

/* ---- the rooms ---- */

static void restore_flock(struct daemon *daemon)
{
    daemon->config.offline = true;
    daemon->keeper = keeper_new(daemon);
    daemon->flock = flock_new(daemon->loop, daemon->store, daemon->herd, daemon->facts,
                              daemon->topics, daemon->plugins);
    daemon_restore(daemon);
}

static int open_rooms(struct daemon *daemon)
{
    int rc = rooms_open(daemon, "shepherd import", 1);
    if (!rc)
        restore_flock(daemon);
    else if (rc == EX_UNAVAILABLE)
        fprintf(stderr, "shepherd import: or use Settings, Import in the browser\n");
    return rc;
}

static void close_rooms(struct daemon *daemon)
{
    if (daemon->keeper)
        keeper_flush(daemon->keeper);
    if (daemon->store)
        plugins_stop(daemon->plugins);
    if (daemon->loop)
        loop_work_finish(daemon->loop);
    flock_free(daemon->flock);
    store_close(daemon->store);
    rooms_free(daemon);
}

/* ---- doing it ---- */

static void say_group(const char *what, const json_t *group)
{
    static const char *const words[][2] = {{"added", "added"},
                                           {"updated", "updated"},
                                           {"same", "as before"},
                                           {"left_out", "left out"}};
    printf("%s:", what);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        printf("%s %lld %s", i ? "," : "",
               (long long)json_integer_value(json_object_get(group, words[i][0])), words[i][1]);
    printf("\n");
}

static void say_counts(const json_t *counts, bool dry_run)
{
    const char *what;
    json_t *group, *note;
    size_t i;
    json_object_foreach((json_t *)counts, what, group)
    {
        if (json_is_object(group))
            say_group(what, group);
    }
    json_array_foreach(json_object_get(counts, "notes"), i, note)
        printf("note: %s\n", json_string_value(note));
    if (dry_run)
        printf("Nothing was changed: this was a dry run.\n");
}

static int import(struct daemon *daemon, const json_t *plan, bool dry_run)
{
    json_t *counts = flock_import(daemon->flock, plan, true);
    int rc = store_flush(daemon->store, FLUSH_MS) == 0 ? 0 : EX_IOERR;
    struct store_stats stats;
    store_stats_get(daemon->store, &stats);
    if (rc || stats.degraded) {
        fprintf(stderr,
                "shepherd import: the database cannot be written: %s; import again when it "
                "can\n",
                stats.problem[0] ? stats.problem : "it takes too long");
        rc = EX_IOERR;
    } else {
        say_counts(counts, dry_run);
    }
    json_decref(counts);
    return rc;
}

/* A copy of what is here, in a folder that goes away. */
static int use_copy(struct config *config, char **dir_out)
{
    const char *tmp = getenv("TMPDIR");
    char err[512] = "";
    char *dir = shep_asprintf("%s/shepherd-import.XXXXXX", tmp ? tmp : "/tmp");
    char *db = path_join_dup(config->data_dir, "shepherd.db");
    int code = mkdtemp(dir) ? 0 : SHEP_E_IO;
    if (code)
        snprintf(err, sizeof err, "cannot make %s: %s", dir, strerror(errno));
    char *copy = path_join_dup(dir, "shepherd.db");
    if (!code && access(db, F_OK) == 0)
        code = store_copy_file(db, copy, false, err, sizeof err);
    free(copy);
    free(db);
    free(config->data_dir);
    config->data_dir = shep_strdup(dir);
    *dir_out = dir;
    if (code)
        fprintf(stderr, "shepherd import: %s\n", err);
    return code ? EX_IOERR : 0;
}

int cmd_import(int argc, char **argv)
{
    struct import_args args = {0};
    struct loaded loaded = {0};
    json_t *plan = NULL;
    char *copy_dir = NULL;
    int rc = parse_args(argc, argv, &args);
    if (rc)
        return rc;
    rc = loaded_open(&args.overrides, &loaded);
    if (!rc)
        rc = read_plan(args.file, &plan);
    if (!rc && args.dry_run)
        rc = use_copy(&loaded.config, &copy_dir);
    struct daemon daemon = {.owner = {.name = "core"},
                            .paths = loaded.paths,
                            .config = loaded.config,
                            .plugins = loaded.plugins,
                            .started_at_ms = clock_wall_ms()};
    if (!rc)
        rc = open_rooms(&daemon);
    if (!rc)
        rc = import(&daemon, plan, args.dry_run);
    close_rooms(&daemon);
    if (copy_dir)
        backup_discard(copy_dir);
    free(copy_dir);
    json_decref(plan);
    return rc;
}
