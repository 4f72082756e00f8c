/* One script process: started, fed, and killed without ceremony. Its socket is the only thing it
 * shares with the daemon. Thread: loop; nothing here waits, not for the death of a process either.
 */
#include "script/internal.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 256 << 10, BUFFER_KEEP = 1 << 20 };

/* ---- starting ---- */

/* The daemon's environment may hold secrets that a script has no business with. */
static void pick_environment(char **out, size_t cap)
{
    static const char *const kept[] = {
        "TZ=",           "LANG=",         "PATH=",           "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
        "LSAN_OPTIONS=", "TSAN_OPTIONS=", "LD_LIBRARY_PATH="};
    size_t n = 0;
    for (char **at = environ; *at && n + 1 < cap; at++)
        for (size_t i = 0; i < ARRAY_LEN(kept); i++)
            if (strncmp(*at, kept[i], strlen(kept[i])) == 0 && n + 1 < cap)
                out[n++] = *at;
    out[n] = NULL;
}

/* stdin is empty, stdout is stderr (the daemon's stdout has one line, and not theirs), 3 is the
 * socket; everything else closes on exec. */
static int spawn(const char *exe, int fd, pid_t *pid)
{
    char parent[24], *env[16];
    char *argv[] = {"shepherd-script", "--serve", parent, PROTO_VERSION, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, defaults;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    pick_environment(env, ARRAY_LEN(env));
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, fd, PROTO_FD);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(pid, exe, &files, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

static void put_init(const struct script_pool *pool, struct buf *out)
{
    size_t mark = frame_begin(out, FRAME_INIT);
    put_str(out, pool->lua_dir);
    put_str(out, pool->views_dir);
    put_str(out, pool->db_path);
    put_i64(out, pool->cpu_ms);
    put_u32(out, (uint32_t)pool->n_view_dirs);
    for (size_t i = 0; i < pool->n_view_dirs; i++)
        put_str(out, pool->view_dirs[i]);
    frame_end(out, mark);
}

static void on_readable(int fd, uint32_t what, void *arg);
static void on_writable(int fd, uint32_t what, void *arg);

int process_start(struct process *process)
{
    struct script_pool *pool = process->pool;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    int rc = spawn(pool->exe, fds[1], &process->pid);
    close(fds[1]);
    if (rc < 0) {
        close(fds[0]);
        process->pid = 0;
        return rc;
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    process->fd = fds[0];
    process->begun_ms = clock_mono_ms();
    process->n_pages = 0;
    process->stale = false;
    process->read_watch =
        loop_watch_new(pool->loop, &pool->owner, fds[0], SHEP_WATCH_READ, on_readable, process);
    put_init(pool, &process->out);
    process_flush(process);
    return 0;
}

/* ---- stopping ---- */

static void on_reap(void *arg)
{
    struct script_pool *pool = arg;
    size_t left = 0;
    for (size_t i = 0; i < pool->n_dead; i++)
        if (waitpid(pool->dead[i], NULL, WNOHANG) == 0)
            pool->dead[left++] = pool->dead[i];
    pool->n_dead = left;
    if (left)
        return;
    loop_timer_free(pool->reap_timer);
    pool->reap_timer = NULL;
}

void reap_later(struct script_pool *pool, pid_t pid)
{
    if (waitpid(pid, NULL, WNOHANG) != 0)
        return;
    if (pool->n_dead == ARRAY_LEN(pool->dead)) { /* cannot be: a killed process dies */
        waitpid(pool->dead[0], NULL, 0);
        memmove(pool->dead, pool->dead + 1, --pool->n_dead * sizeof *pool->dead);
    }
    pool->dead[pool->n_dead++] = pid;
    if (!pool->reap_timer)
        pool->reap_timer =
            loop_timer_new(pool->loop, &pool->owner, SCRIPT_REAP_MS, SCRIPT_REAP_MS, on_reap, pool);
}

void process_stop(struct process *process)
{
    if (!process->pid)
        return;
    loop_watch_free(process->read_watch);
    if (process->write_watch)
        loop_watch_free(process->write_watch);
    loop_timer_free(process->deadline);
    close(process->fd);
    kill(process->pid, SIGKILL); /* not reaped yet, so the pid is still its own */
    reap_later(process->pool, process->pid);
    buf_free(&process->in);
    buf_free(&process->out);
    *process = (struct process){.pool = process->pool, .begun_ms = process->begun_ms};
}

/* ---- talking ---- */

static void on_writable(int fd, uint32_t what, void *arg)
{
    process_flush(arg);
}

/* Writes what the socket takes; the rest when it takes more. A process that is gone is noticed by
 * reading. */
void process_flush(struct process *process)
{
    struct buf *out = &process->out;
    while (process->out_used < out->len) {
        ssize_t n = send(process->fd, out->data + process->out_used, out->len - process->out_used,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        process->out_used += (size_t)n;
    }
    bool more = process->out_used < out->len;
    if (more && errno != EAGAIN) /* it died: forget the rest */
        more = false;
    if (!more) {
        process->out_used = 0;
        if (out->cap > BUFFER_KEEP)
            buf_free(out);
        buf_clear(out);
    }
    if (more && !process->write_watch) {
        process->write_watch = loop_watch_new(process->pool->loop, &process->pool->owner,
                                              process->fd, SHEP_WATCH_WRITE, on_writable, process);
    } else if (!more && process->write_watch) {
        loop_watch_free(process->write_watch);
        process->write_watch = NULL;
    }
}

/* Hands on every whole frame. A frame may stop the process, and then it is another one. */
static void take_frames(struct process *process)
{
    size_t used = 0, at = 0;
    struct frame frame;
    pid_t pid = process->pid;
    int rc;
    while ((rc = frame_next(process->in.data + at, process->in.len - at, PROTO_FROM_WORKER_MAX,
                            &frame, &used)) == 1) {
        at += used;
        pool_frame(process, &frame);
        if (process->pid != pid)
            return;
    }
    if (rc < 0) {
        pool_lost(process, "it sent something that is no frame", false);
        return;
    }
    memmove(process->in.data, process->in.data + at, process->in.len - at);
    process->in.len -= at;
    if (process->in.len == 0 && process->in.cap > BUFFER_KEEP)
        buf_free(&process->in);
}

static void on_readable(int fd, uint32_t what, void *arg)
{
    struct process *process = arg;
    buf_reserve(&process->in, READ_BYTES);
    ssize_t n = recv(fd, process->in.data + process->in.len, READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        pool_lost(process, "it ended", false);
        return;
    }
    process->in.len += (size_t)n;
    take_frames(process);
}
