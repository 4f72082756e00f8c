/* `shepherd backup FILE`: one file with everything. Beside a running daemon too: the database is
 * copied by a connection that only reads. One thread, ends with the program. */
#include "cli/cli.h"

#include "backup/backup.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

struct backup_args {
    const char *file;
    bool with_logs;
    struct config_overrides overrides;
};

/* What lies about when somebody presses ^C. */
static char leftovers[2][PATH_MAX];

static void on_signal(int sig)
{
    for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
        if (leftovers[i][0])
            unlink(leftovers[i]);
    }
    _exit(128 + sig);
}

static void clean_when_killed(const char *copy, const char *file)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    snprintf(leftovers[0], sizeof leftovers[0], "%s", copy);
    snprintf(leftovers[1], sizeof leftovers[1], "%s.tmp%d", file, (int)getpid());
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        signal(signals[i], on_signal);
}

static int parse_args(int argc, char **argv, struct backup_args *out)
{
    const struct command_switch switches[] = {{"with-logs", &out->with_logs}, {NULL, NULL}};
    int rc = command_options(argc, argv, switches, &out->overrides);
    if (rc)
        return rc;
    if (optind + 1 != argc)
        return usage_error("backup", optind == argc ? "which file is to be written?"
                                                    : "one file is written, not several");
    out->file = argv[optind];
    return 0;
}

static int failed(int err, const char *why)
{
    fprintf(stderr, "shepherd backup: %s\n", why);
    return err == SHEP_E_UNSUPPORTED ? EX_CONFIG : EX_IOERR;
}

static int write_file(const struct backup_args *args, const struct config *config,
                      const char *db_copy)
{
    char why[BACKUP_WHY_MAX];
    struct stat st;
    struct backup_parts parts = {.data_dir = config->data_dir,
                                 .db_copy = db_copy,
                                 .config_file = config->file,
                                 .view_dirs = (const char *const *)config->view_dirs,
                                 .n_view_dirs = config->n_view_dirs,
                                 .with_logs = args->with_logs};
    int err = backup_write(&parts, args->file, why);
    if (err)
        return failed(err, why);
    if (why[0])
        fprintf(stderr, "shepherd backup: %s\n", why);
    int64_t bytes = stat(args->file, &st) == 0 ? st.st_size : 0;
    printf("%s: %lld bytes, %s log lines. Keep it private: it holds what is needed to log in.\n",
           args->file, (long long)bytes, args->with_logs ? "with" : "without");
    return 0;
}

/* The copy of the database lies beside FILE: that disk has room for a backup, or it fails there,
 * and not on the daemon's. */
static int backup(const struct backup_args *args, const struct config *config)
{
    char err[512];
    char *db = path_join_dup(config->data_dir, "shepherd.db");
    char *copy = shep_asprintf("%s.db%d", args->file, (int)getpid());
    struct stat st;
    int rc;
    if (access(db, F_OK) != 0) {
        fprintf(stderr,
                "shepherd backup: there is no database in %s; name the right folder with "
                "--data-dir\n",
                config->data_dir);
        rc = EX_NOINPUT;
    } else if (stat(args->file, &st) == 0 && !S_ISREG(st.st_mode)) {
        fprintf(stderr, "shepherd backup: %s is not a file; name a file in it\n", args->file);
        rc = EX_IOERR;
    } else {
        clean_when_killed(copy, args->file);
        unlink(copy);
        int code = store_copy_file(db, copy, args->with_logs, err, sizeof err);
        rc = code ? failed(code, err) : write_file(args, config, copy);
        unlink(copy);
    }
    free(copy);
    free(db);
    return rc;
}

int cmd_backup(int argc, char **argv)
{
    struct backup_args args = {0};
    struct loaded loaded = {0};
    int rc = parse_args(argc, argv, &args);
    if (rc)
        return rc;
    rc = loaded_open(&args.overrides, &loaded);
    if (!rc)
        rc = backup(&args, &loaded.config);
    loaded_close(&loaded);
    return rc;
}
