/* The configuration is Lua, and no Lua runs in the daemon: a script process reads it and prints
 * what it says as JSON. Blocks; for start-up, SIGHUP and `shepherd check`. */
#include "script/internal.h"

#include "shepherd/plugin.h"
#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVAL_MS = 2000, EVAL_BYTES = 4 << 20 };

static int start(const char *exe, const char *file, int out_fd, pid_t *pid)
{
    char *argv[] = {"shepherd-script", "--config", (char *)file, NULL};
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
    int rc = posix_spawn(pid, exe, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Everything that comes until the end; false: too late or too much. */
static bool read_all(int fd, struct buf *out)
{
    enum { READ_BYTES = 65536 };
    int64_t end_ms = clock_mono_ms() + EVAL_MS;
    for (;;) {
        int64_t left_ms = end_ms - clock_mono_ms();
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || out->len > EVAL_BYTES)
            return false;
        int rc = poll(&poll_fd, 1, (int)left_ms);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return false;
        buf_reserve(out, READ_BYTES);
        ssize_t n = read(fd, out->data + out->len, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        out->len += (size_t)n;
    }
}

static int run(const char *exe, const char *file, struct buf *out, char *err, size_t err_cap)
{
    int fds[2];
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        snprintf(err, err_cap, "%s: no pipe: %s", file, strerror(errno));
        return SHEP_E_CONFIG;
    }
    int rc = start(exe, file, fds[1], &pid);
    close(fds[1]);
    if (rc) {
        close(fds[0]);
        snprintf(err, err_cap, "%s cannot be started: %s; build or install the program again", exe,
                 strerror(rc));
        return SHEP_E_CONFIG;
    }
    bool in_time = read_all(fds[0], out);
    close(fds[0]);
    /* At the end of its output it has said all; nobody waits for one that only closed it. */
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (in_time)
        return 0;
    snprintf(err, err_cap, "%s: took longer than %d s; the configuration is data, without loops",
             file, EVAL_MS / 1000);
    return SHEP_E_CONFIG;
}

int script_eval_config(const char *exe, const char *file, char **json_out, char *err,
                       size_t err_cap)
{
    struct buf out = {0};
    int rc = run(exe, file, &out, err, err_cap);
    json_t *result = rc == 0 && out.len ? json_loadb(out.data, out.len, 0, NULL) : NULL;
    const char *message = json_string_value(json_object_get(result, "error"));
    if (rc == 0 && message) {
        snprintf(err, err_cap, "%s", message);
        rc = SHEP_E_CONFIG;
    } else if (rc == 0 && (!json_is_object(json_object_get(result, "keys")) ||
                           !json_is_object(json_object_get(result, "lines")))) {
        snprintf(err, err_cap, "%s: could not be evaluated by %s; are both of one build?", file,
                 exe);
        rc = SHEP_E_CONFIG;
    }
    json_decref(result);
    *json_out = rc == 0 ? buf_take(&out) : NULL;
    buf_free(&out);
    return rc;
}
