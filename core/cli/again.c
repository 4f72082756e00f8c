/* Starting again in place: after the demo, after a restore, when a person asks. The daemon stops
 * cleanly, then the same program takes its place (exec) on the addresses that browsers know. */
#include "cli/cli.h"

#include "backup/backup.h"
#include "util/log.h"

#include <errno.h>
#include <unistd.h>

/* What is needed after the configuration was freed. */
struct again {
    enum again_why why;
    bool stay_down;
    char *unpacked_dir, *data_dir, *config_file, **view_dirs;
    size_t n_view_dirs;
};

static void ask_for(struct daemon *daemon, enum again_why why, const char *unpacked_dir)
{
    const struct config *config = &daemon->config;
    if (daemon->stopping)
        return;
    struct again *again = shep_alloc(sizeof *again);
    again->why = why;
    again->unpacked_dir = shep_strdup(unpacked_dir);
    again->data_dir = shep_strdup(config->data_dir);
    again->config_file = shep_strdup(config->place);
    again->view_dirs = shep_alloc_array(config->n_view_dirs + 1, sizeof *again->view_dirs);
    for (size_t i = 0; i < config->n_view_dirs; i++)
        again->view_dirs[again->n_view_dirs++] = shep_strdup(config->view_dirs[i]);
    daemon->again = again;
    daemon_stop(daemon);
}

void again_for_real(struct daemon *daemon)
{
    ask_for(daemon, AGAIN_FOR_REAL, NULL);
}

void again_ask(void *daemon)
{
    log_info("shepherd", "somebody asked to start again");
    ask_for(daemon, AGAIN_SAME, NULL);
}

void again_restore(const char *unpacked_dir, void *daemon)
{
    log_info("shepherd", "a backup is put back");
    ask_for(daemon, AGAIN_RESTORE, unpacked_dir);
}

/* May a file be put there, after its folders were made? */
static bool can_be_put(const char *path)
{
    char *folder = shep_strdup(path), *slash;
    do {
        slash = strrchr(folder, '/');
        if (slash)
            *slash = '\0';
    } while (slash && folder[0] && access(folder, F_OK) != 0);
    bool can = access(!slash ? "." : folder[0] ? folder : "/", W_OK | X_OK) == 0;
    free(folder);
    return can;
}

int again_check(const char *unpacked_dir, char *why, size_t why_cap, void *arg)
{
    const struct config *config = &((struct daemon *)arg)->config;
    struct their_config theirs = {0};
    int err = their_config_read(unpacked_dir, config->data_dir, &theirs, why, why_cap);
    if (!err && theirs.is_there && !can_be_put(config->place)) {
        snprintf(why, why_cap,
                 "the configuration in this backup goes to %.200s, where the daemon may not write: "
                 "give it that folder, or use `shepherd restore` as somebody who may",
                 config->place);
        err = SHEP_E_CONFIG;
    }
    their_config_free(&theirs);
    return err;
}

void again_stay_down(struct daemon *daemon)
{
    if (daemon->again)
        daemon->again->stay_down = true;
}

/* ---- after everything is closed ---- */

/* To where the configuration says that will count afterwards. */
static int put_locked(const struct again *again, char why[BACKUP_WHY_MAX])
{
    struct backup_parts places = {.data_dir = again->data_dir,
                                  .config_file = again->config_file,
                                  .view_dirs = (const char *const *)again->view_dirs,
                                  .n_view_dirs = again->n_view_dirs};
    struct their_config theirs = {0};
    int err = their_config_read(again->unpacked_dir, again->data_dir, &theirs, why, BACKUP_WHY_MAX);
    if (theirs.is_there) {
        places.view_dirs = (const char *const *)theirs.view_dirs;
        places.n_view_dirs = theirs.n_view_dirs;
    }
    if (!err)
        err = backup_put(again->unpacked_dir, &places, why);
    if (!err && theirs.is_there)
        log_info("restore", "the configuration is %s", again->config_file);
    their_config_free(&theirs);
    return err;
}

/* What was there comes back by itself if anything fails, so the daemon starts in any case. Or
 * nearly: what could not be taken back, the start that follows carries on. */
static void put_back(const struct again *again)
{
    char why[BACKUP_WHY_MAX] = "";
    int pid, err = 0, lock = store_lock(again->data_dir, why, sizeof why, &pid);
    if (lock >= 0)
        err = put_locked(again, why);
    if (err == SHEP_E_BUSY)
        log_error("restore", "half of the backup is in its place: %s", why);
    else if (lock < 0 || err)
        log_error("restore", "nothing was restored: %s", why);
    else
        log_info("restore", "the backup is in its place%s%s",
                 why[0] ? "; what was there before: " : "", why);
    if (lock >= 0)
        close(lock);
    if (err != SHEP_E_BUSY)
        backup_discard(again->unpacked_dir);
}

/* The same arguments on the addresses that browsers know already; for real: without --demo. */
static void start_again(bool for_real, char **argv, int argc, char *const *listening,
                        size_t n_listening)
{
    char **args = shep_alloc_array((size_t)argc + 2 * n_listening + 1, sizeof *args);
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (for_real && strcmp(argv[i], "--demo") == 0)
            continue;
        if (strcmp(argv[i], "--listen") == 0 && i + 1 < argc)
            i++;
        else if (strncmp(argv[i], "--listen=", 9) != 0)
            args[n++] = argv[i];
    }
    for (size_t i = 0; i < n_listening; i++) {
        args[n++] = (char *)"--listen";
        args[n++] = listening[i] + strlen("http://");
    }
    alarm(0);                             /* it would outlive exec and end the new daemon */
    setenv("SHEPHERD_RESTARTED", "1", 1); /* one line on stdout, and nothing else ever */
    execv("/proc/self/exe", args);
    log_error("shepherd", "cannot start again: %s", strerror(errno));
    free(args);
}

static void again_free(struct again *again)
{
    for (size_t i = 0; i < again->n_view_dirs; i++)
        free(again->view_dirs[i]);
    free(again->view_dirs);
    free(again->unpacked_dir);
    free(again->data_dir);
    free(again->config_file);
    free(again);
}

void again_run(struct again *again, char **argv, int argc, char *const *listening,
               size_t n_listening)
{
    if (again->why == AGAIN_RESTORE)
        put_back(again);
    if (!again->stay_down)
        start_again(again->why == AGAIN_FOR_REAL, argv, argc, listening, n_listening);
    again_free(again);
}
