/* `shepherd restore FILE`: unpacked and checked in a folder of its own, configuration included; put
 * into its places only then, under the data directory's lock. One thread, ends with the program. */
#include "cli/cli.h"

#include "backup/backup.h"
#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore_args {
    const char *file;
    bool check, without_config;
    struct config_overrides overrides;
};

/* What is here and where things go; what is in the archive. */
struct restoring {
    const struct restore_args *args;
    struct loaded here;
    char *data_dir, *config_file, *into;
    struct their_config theirs; /* not there: none, or it is left out */
    json_t *about;
    bool half; /* what is unpacked is needed yet */
};

static int parse_args(int argc, char **argv, struct restore_args *out)
{
    const struct command_switch switches[] = {
        {"check", &out->check}, {"without-config", &out->without_config}, {NULL, NULL}};
    int rc = command_options(argc, argv, switches, &out->overrides);
    if (rc)
        return rc;
    if (optind + 1 != argc)
        return usage_error("restore", "one backup file is needed");
    out->file = argv[optind];
    return 0;
}

static int failed(int err, const char *why)
{
    fprintf(stderr, "shepherd restore: %s; nothing was changed\n", why);
    switch (err) {
    case SHEP_E_FORMAT:
        return EX_DATAERR;
    case SHEP_E_UNSUPPORTED:
        return EX_CONFIG;
    case SHEP_E_BUSY:
        return EX_UNAVAILABLE;
    default:
        return EX_IOERR;
    }
}

static int half_or_failed(int err, const char *why)
{
    if (err != SHEP_E_BUSY)
        return failed(err, why);
    fprintf(stderr,
            "shepherd restore: half of it is in its place: %s; mend that, and restore again "
            "or start the daemon: either carries on\n",
            why);
    return EX_IOERR;
}

/* ---- where things go ---- */

/* A configuration that is not there yet, or broken, is no reason not to restore one. */
static int look_here(struct restoring *r)
{
    struct config_overrides overrides = r->args->overrides;
    const char *named = overrides.file;
    if (named && access(named, F_OK) != 0)
        overrides.file = "/dev/null";
    int rc = loaded_open(&overrides, &r->here);
    if (rc == EX_CONFIG && overrides.data_dir) {
        fprintf(stderr,
                "shepherd restore: the configuration here has mistakes (above); going on "
                "with %s\n",
                overrides.data_dir);
        rc = 0;
    } else if (rc == EX_CONFIG) {
        fprintf(stderr, "shepherd restore: the configuration here has mistakes; say --data-dir "
                        "DIR to restore all the same\n");
    }
    if (rc)
        return rc;
    r->data_dir = shep_strdup(overrides.data_dir ? overrides.data_dir : r->here.config.data_dir);
    r->config_file = shep_strdup(named ? named : r->here.config.place);
    return 0;
}

/* ---- what is in it ---- */

static json_int_t about_int(const struct restoring *r, const char *key)
{
    return json_integer_value(json_object_get(r->about, key));
}

/* Somebody else's archive may let somebody else in. */
static void say_people(const struct restoring *r)
{
    const json_t *list = json_object_get(r->about, "user_list"), *user;
    size_t i;
    printf("Who may come in by it: %lld users", (long long)about_int(r, "users"));
    json_array_foreach(list, i, user)
        printf("%s%s (%s)", i ? ", " : ": ", json_string_value(json_object_get(user, "name")),
               json_string_value(json_object_get(user, "role")));
    printf("%s; %lld API tokens; %lld browsers\n",
           about_int(r, "users") > (json_int_t)json_array_size(list) ? ", …" : "",
           (long long)about_int(r, "tokens"), (long long)about_int(r, "sessions"));
}

static void say_about(const struct restoring *r)
{
    char when[21];
    clock_format_utc(about_int(r, "made_at_ms"), when);
    printf("%s: made %s by Shepherd %s; %lld miners, %s log lines, %lld files of views%s%s\n",
           r->args->file, when, json_string_value(json_object_get(r->about, "version")),
           (long long)about_int(r, "miners"),
           json_is_true(json_object_get(r->about, "with_logs")) ? "with" : "without",
           (long long)about_int(r, "views"),
           json_is_true(json_object_get(r->about, "config")) ? ", configuration" : "",
           json_is_true(json_object_get(r->about, "admin_password")) ? ", admin password" : "");
    say_people(r);
}

static int unpack(struct restoring *r)
{
    char why[BACKUP_WHY_MAX];
    int err;
    if (access(r->args->file, R_OK) != 0) {
        fprintf(stderr, "shepherd restore: cannot read %s: %s\n", r->args->file, strerror(errno));
        return EX_NOINPUT;
    }
    backup_discard(r->into); /* of a restore that was killed */
    err = backup_unpack(r->args->file, r->into, &r->about, why);
    if (err)
        return failed(err, why);
    if (!r->args->without_config)
        err = their_config_read(r->into, r->data_dir, &r->theirs, why, sizeof why);
    if (err) {
        fprintf(stderr,
                "shepherd restore: %s; nothing was changed. --without-config leaves it out\n", why);
        return EX_CONFIG;
    }
    say_about(r);
    return 0;
}

/* ---- doing it ---- */

static int put(struct restoring *r)
{
    char why[BACKUP_WHY_MAX];
    bool theirs = r->theirs.is_there;
    const char **view_dirs = theirs ? r->theirs.view_dirs : r->here.config.view_dirs;
    size_t n_view_dirs = theirs ? r->theirs.n_view_dirs : r->here.config.n_view_dirs;
    struct backup_parts places = {.data_dir = r->data_dir,
                                  .config_file = theirs ? r->config_file : NULL,
                                  .view_dirs = (const char *const *)view_dirs,
                                  .n_view_dirs = n_view_dirs};
    if (about_int(r, "views") && n_view_dirs == 0)
        fprintf(stderr, "shepherd restore: its views are left out: the configuration has no "
                        "view_dirs\n");
    int err = backup_put(r->into, &places, why);
    r->half = err == SHEP_E_BUSY;
    if (err)
        return half_or_failed(err, why);
    printf("Restored: %s/shepherd.db%s%s\n", r->data_dir, theirs ? ", " : "",
           theirs ? r->config_file : "");
    for (size_t i = 0; about_int(r, "views") && i < n_view_dirs; i++)
        printf("Views: %s\n", view_dirs[i]);
    if (why[0])
        printf("What was there before: %s\n", why);
    return 0;
}

static int restore_locked(struct restoring *r)
{
    char why[BACKUP_WHY_MAX];
    int err = backup_recover(r->data_dir, why);
    if (err)
        return half_or_failed(err, why);
    r->into = path_join_dup(r->data_dir, "restore.unpacked");
    int rc = unpack(r);
    if (!rc)
        rc = put(r);
    if (!r->half)
        backup_discard(r->into);
    return rc;
}

static int restore(struct restoring *r)
{
    char err[600];
    int pid = 0, failed_dir = dir_make(r->data_dir, 0750);
    if (failed_dir) {
        fprintf(stderr, "shepherd restore: cannot make %s: %s\n", r->data_dir,
                strerror(-failed_dir));
        return EX_IOERR;
    }
    int lock = store_lock(r->data_dir, err, sizeof err, &pid);
    if (lock == SHEP_E_BUSY) {
        fprintf(stderr,
                "shepherd restore: a daemon (pid %d) uses %s: stop it first, or restore in "
                "the browser: Settings, Backup\n",
                pid, r->data_dir);
        return EX_UNAVAILABLE;
    }
    if (lock < 0)
        return failed(lock, err);
    int rc = restore_locked(r);
    close(lock);
    return rc;
}

int restore_resume(const char *data_dir)
{
    char why[BACKUP_WHY_MAX] = "", err[600];
    int pid, lock = access(data_dir, F_OK) == 0 ? store_lock(data_dir, err, sizeof err, &pid) : -1;
    if (lock < 0)
        return 0; /* nothing is there, or somebody is at it: store_open() says so */
    int code = backup_recover(data_dir, why);
    close(lock);
    if (code)
        fprintf(stderr, "shepherd: %s\n", why);
    else if (why[0])
        log_warn("restore", "%s", why);
    return code == SHEP_E_FORMAT ? EX_DATAERR : code ? EX_IOERR : 0;
}

/* Beside a running daemon too, so in a folder of its own; on the disk that a restore would need. */
static int check_only(struct restoring *r)
{
    const char *tmp = getenv("TMPDIR");
    const char *dir = access(r->data_dir, W_OK) == 0 ? r->data_dir : tmp ? tmp : "/tmp";
    r->into = shep_asprintf("%s/restore.check%d", dir, (int)getpid());
    int rc = unpack(r);
    backup_discard(r->into);
    return rc;
}

int cmd_restore(int argc, char **argv)
{
    struct restore_args args = {0};
    struct restoring r = {.args = &args};
    int rc = parse_args(argc, argv, &args);
    if (rc)
        return rc;
    rc = look_here(&r);
    if (!rc)
        rc = args.check ? check_only(&r) : restore(&r);
    json_decref(r.about);
    their_config_free(&r.theirs);
    free(r.into);
    free(r.config_file);
    free(r.data_dir);
    loaded_close(&r.here);
    return rc;
}
