/* The configuration that a backup brings along. Looked at in processes of its own, for it names
 * plugins to load: `shepherd check` says its mistakes, to the command, to the browser and to the
 * daemon that is about to put it into its place. Any thread; blocks. */
#include "cli/cli.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHECK_MS = 10000, /* it evaluates for 2 s at most, and loads plugins */
    CHECK_BYTES = 16384
};

static int spawn_check(const char *file, const char *data_dir, int err_fd, pid_t *pid)
{
    char *argv[] = {"shepherd",   "check",          "--config", (char *)file,
                    "--data-dir", (char *)data_dir, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none); /* the daemon's are blocked, for its signalfd */
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, err_fd, STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* What it says until it ends; more than fits is left out. false: it takes too long. */
static bool listen_to(int fd, struct buf *out)
{
    int64_t end_ms = clock_mono_ms() + CHECK_MS;
    char bytes[1024];
    for (;;) {
        int64_t left_ms = end_ms - clock_mono_ms();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0)
            return false;
        if (poll(&poll_fd, 1, (int)left_ms) <= 0)
            continue;
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n == 0)
            return true;
        if (n > 0 && out->len < CHECK_BYTES)
            buf_add(out, bytes, (size_t)n);
    }
}

/* Exit code of the check; -1: it could not be started, was too slow, or crashed. */
static int run_check(const char *file, const char *data_dir, struct buf *said)
{
    int fds[2], status = 0;
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    int failed = spawn_check(file, data_dir, fds[1], &pid);
    close(fds[1]);
    bool in_time = !failed && listen_to(fds[0], said);
    close(fds[0]);
    if (failed)
        return -1;
    if (!in_time)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return in_time && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its lines as one, without the folder that will be gone. */
static void put_mistakes(const struct buf *said, const char *unpacked_dir, char *why, size_t cap)
{
    struct buf line = {0};
    char *folder = shep_asprintf("%s/", unpacked_dir);
    const char *at = said->data, *end = at + said->len;
    while (at < end) {
        if ((size_t)(end - at) >= strlen(folder) && memcmp(at, folder, strlen(folder)) == 0) {
            at += strlen(folder);
            continue;
        }
        if (*at == '\n' && at + 1 < end)
            buf_add_str(&line, "; ");
        else if (*at != '\n')
            buf_add(&line, at, 1);
        at++;
    }
    buf_add(&line, "", 1);
    snprintf(why, cap, "the configuration in this backup has mistakes: %s", line.data);
    free(folder);
    buf_free(&line);
}

static int check(const char *file, const char *unpacked_dir, const char *data_dir, char *why,
                 size_t cap)
{
    struct buf said = {0};
    int code = run_check(file, data_dir, &said);
    if (code == EX_CONFIG && said.len)
        put_mistakes(&said, unpacked_dir, why, cap);
    else if (code)
        snprintf(why, cap, "the configuration in this backup could not be checked");
    buf_free(&said);
    return code ? SHEP_E_CONFIG : 0;
}

static int take_view_dirs(const char *file, struct their_config *out, char *why, size_t cap)
{
    struct paths paths = {0};
    char *text = NULL;
    int err = paths_find(&paths) ? SHEP_E_CONFIG
                                 : script_eval_config(paths.script_exe, file, &text, why, cap);
    paths_free(&paths);
    if (err)
        return err;
    out->whole = json_loads(text, 0, NULL);
    free(text);
    const json_t *dirs = json_object_get(json_object_get(out->whole, "keys"), "view_dirs");
    out->view_dirs = shep_alloc_array(json_array_size(dirs) + 1, sizeof *out->view_dirs);
    for (size_t i = 0; i < json_array_size(dirs); i++)
        out->view_dirs[out->n_view_dirs++] = json_string_value(json_array_get(dirs, i));
    return 0;
}

int their_config_read(const char *unpacked_dir, const char *data_dir, struct their_config *out,
                      char *why, size_t why_cap)
{
    *out = (struct their_config){0};
    char *file = path_join_dup(unpacked_dir, "config/shepherd.lua");
    out->is_there = access(file, F_OK) == 0;
    int err = out->is_there ? check(file, unpacked_dir, data_dir, why, why_cap) : 0;
    if (!err && out->is_there)
        err = take_view_dirs(file, out, why, why_cap);
    free(file);
    return err;
}

void their_config_free(struct their_config *theirs)
{
    json_decref(theirs->whole);
    free(theirs->view_dirs);
}
