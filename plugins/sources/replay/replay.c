/* Source "replay": plays a recorded log as if a miner were speaking. Owns one file per miner.
 * Thread: loop; files are opened and read on a worker thread.
 *
 * A monitor program may have put `HH:MM:SS.mmm > ` before each line: that is taken away and sets
 * the pace. All other bytes arrive as they are in the file, line ends included.
 *
 * Bytes leave in the callback of a stream watch on an eventfd that is always readable: so a replay
 * pauses like a serial port while the database is behind, and yields to others after each block. */
#include "shepherd/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = 1024,
    WHY_BYTES = PATH_BYTES + 256,
    READ_BYTES = 32768,   /* one read; a line of 16 KiB fits */
    BUFFER_BYTES = 65536, /* the most that feed() takes in one call */
    TURN_BYTES = 16384,   /* one turn of the loop: under 5 ms of parsing on a Pi Zero */
    STAMP_BYTES = 14,     /* "HH:MM:SS.mmm >" */
    LINE_PACE_MS = 100,   /* logs without stamps: ten lines a second */
    LOOP_PAUSE_MS = 1000, /* between the end and the beginning */
    RETRY_MS = 10000,     /* a file that is not there (yet) */
    BUSY_MS = 100,        /* the core cannot take more */
    DAY_MS = 24 * 3600 * 1000
};
static const double wait_max_ms = 1e12; /* 31 years: a line at almost no speed at all */

struct replay {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    struct tape *tapes;
    int pulse; /* eventfd, always readable */
};

struct read_job { /* outlives its tape when that is detached meanwhile */
    struct tape *tape;
    char path[PATH_BYTES];
    int fd; /* -1: to be opened */
    off_t at;
    ssize_t len;
    char why[WHY_BYTES]; /* empty: it worked */
    char bytes[READ_BYTES];
};

struct tape {
    struct tape *next;
    struct replay *self;
    struct shep_device *dev;
    char path[PATH_BYTES];
    double speed; /* 0: no waiting */
    bool loop;
    int fd;
    off_t at; /* read so far */
    bool eof, stamped, up;
    struct read_job *job;
    struct shep_timer *timer;
    struct shep_watch *watch;
    char buffer[BUFFER_BYTES];
    size_t pos, len;
    bool mid_line;                /* the next bytes go on with a line that was too long */
    bool timed;                   /* the line at pos has its due time in due_ms */
    int64_t stamp_ms;             /* of the last stamped line, within its day; -1: none yet */
    int64_t start_ms, elapsed_ms; /* monotonic; elapsed in the log's own time */
    int64_t due_ms;
};

static void tape_step(struct tape *tape);

/* ---- lines and their times ---- */

static int digits(const char *text, int n)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Length of the stamp before a line, 0: none. */
static size_t stamp_parse(const char *line, size_t len, int64_t *ms)
{
    if (len < STAMP_BYTES || line[2] != ':' || line[5] != ':' || line[8] != '.' ||
        line[12] != ' ' || line[13] != '>')
        return 0;
    int h = digits(line, 2), m = digits(line + 3, 2), s = digits(line + 6, 2),
        milli = digits(line + 9, 3);
    if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 || milli < 0)
        return 0;
    *ms = ((h * 60 + m) * 60 + s) * INT64_C(1000) + milli;
    return len > STAMP_BYTES && line[STAMP_BYTES] == ' ' ? STAMP_BYTES + 1 : STAMP_BYTES;
}

static bool stamped_anywhere(const char *text, size_t len)
{
    int64_t ms;
    while (len > 0) {
        if (stamp_parse(text, len, &ms))
            return true;
        const char *end = memchr(text, '\n', len);
        if (!end)
            return false;
        len -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return false;
}

/* Bytes of the next line with its end; 0: more must be read first. */
static size_t line_next(const struct tape *tape)
{
    size_t have = tape->len - tape->pos;
    const char *end = memchr(tape->buffer + tape->pos, '\n', have);
    if (end)
        return (size_t)(end + 1 - (tape->buffer + tape->pos));
    return tape->eof || have > BUFFER_BYTES - READ_BYTES ? have : 0;
}

/* When the line is to be heard. Stamps that go back are midnight, or two recordings in one file. */
static void line_time(struct tape *tape, size_t len)
{
    int64_t ms = 0;
    if (tape->mid_line) {
        /* with the line that it belongs to */
    } else if (stamp_parse(tape->buffer + tape->pos, len, &ms)) {
        int64_t gap = tape->stamp_ms < 0 ? 0 : ms - tape->stamp_ms;
        if (gap < -DAY_MS / 2)
            gap += DAY_MS;
        tape->elapsed_ms += gap > 0 ? gap : 0;
        tape->stamp_ms = ms;
    } else if (!tape->stamped) {
        tape->elapsed_ms += LINE_PACE_MS;
    }
    double wait_ms = tape->speed > 0 ? (double)tape->elapsed_ms / tape->speed : 0;
    tape->due_ms = tape->start_ms + (int64_t)(wait_ms < wait_max_ms ? wait_ms : wait_max_ms);
    tape->timed = true;
}

static int line_feed(struct tape *tape, size_t len)
{
    int64_t ms;
    char *line = tape->buffer + tape->pos;
    size_t skip = tape->mid_line ? 0 : stamp_parse(line, len, &ms);
    int err = 0;
    if (len > skip)
        err = tape->self->host->feed(tape->self->ctx, tape->dev, line + skip, len - skip);
    if (err == SHEP_E_BUSY)
        return err;
    tape->mid_line = line[len - 1] != '\n';
    tape->pos += len;
    tape->timed = false;
    return 0;
}

/* ---- the tape's turns ---- */

static void tape_fire(void *arg)
{
    struct tape *tape = arg;
    tape->timer = NULL;
    tape_step(tape);
}

static void tape_sleep(struct tape *tape, int64_t ms)
{
    struct replay *self = tape->self;
    if (tape->watch)
        self->host->watch_cancel(self->ctx, tape->watch);
    self->host->timer_cancel(self->ctx, tape->timer);
    tape->watch = NULL;
    tape->timer = NULL;
    self->host->timer(self->ctx, ms, 0, tape_fire, tape, &tape->timer);
}

static void tape_rewind(struct tape *tape, int64_t in_ms)
{
    tape->at = 0;
    tape->pos = tape->len = 0;
    tape->eof = tape->mid_line = tape->timed = false;
    tape->stamp_ms = -1;
    tape->elapsed_ms = 0;
    tape->start_ms = tape->self->host->mono_ms(tape->self->ctx) + in_ms;
}

static void tape_down(struct tape *tape, const char *why)
{
    tape->up = false;
    tape->self->host->device_link(tape->self->ctx, tape->dev, 0, why);
}

static void tape_close(struct tape *tape)
{
    if (tape->watch)
        tape->self->host->watch_cancel(tape->self->ctx, tape->watch);
    tape->watch = NULL;
    if (tape->fd >= 0)
        close(tape->fd);
    tape->fd = -1;
}

static void tape_end(struct tape *tape)
{
    char why[WHY_BYTES];
    if (tape->at > 0 && tape->loop) {
        int64_t pause = tape->speed > 0 ? LOOP_PAUSE_MS : 0;
        tape_rewind(tape, pause);
        tape_sleep(tape, pause);
        return;
    }
    snprintf(why, sizeof why,
             tape->at > 0 ? "%s: end of file; with loop = true it starts again"
                          : "%s: the file is empty",
             tape->path);
    tape_close(tape);
    tape_down(tape, why);
}

static void tape_readable(int fd, uint32_t what, void *arg)
{
    struct tape *tape = arg;
    int64_t now = tape->self->host->mono_ms(tape->self->ctx);
    size_t fed = 0;
    while (fed < TURN_BYTES) {
        size_t len = line_next(tape);
        if (len > 0 && !tape->timed)
            line_time(tape, len);
        if (len == 0 || tape->due_ms > now) {
            tape_step(tape);
            return;
        }
        if (line_feed(tape, len) < 0) {
            tape_sleep(tape, BUSY_MS);
            return;
        }
        fed += len;
    }
}

static void job_run(void *arg);
static void job_done(void *arg);

static void tape_read(struct tape *tape)
{
    struct replay *self = tape->self;
    struct read_job *job = calloc(1, sizeof *job);
    if (job) {
        job->tape = tape;
        job->fd = tape->fd;
        job->at = tape->at;
        memcpy(job->path, tape->path, sizeof tape->path);
        tape->fd = -1; /* the job's until it is done */
    }
    if (!job || self->host->work(self->ctx, job_run, job_done, job) < 0) {
        if (job)
            tape->fd = job->fd;
        free(job);
        tape_sleep(tape, LOOP_PAUSE_MS);
        return;
    }
    tape->job = job;
}

/* What comes next: read on, wait for the next line's time, or let bytes flow. */
static void tape_step(struct tape *tape)
{
    struct replay *self = tape->self;
    size_t len = line_next(tape);
    if (len > 0 && !tape->timed)
        line_time(tape, len);
    int64_t wait = len > 0 ? tape->due_ms - self->host->mono_ms(self->ctx) : 0;
    if (len > 0 && wait <= 0) {
        if (!tape->watch &&
            self->host->watch_fd(self->ctx, self->pulse, SHEP_WATCH_READ | SHEP_WATCH_STREAM,
                                 tape_readable, tape, &tape->watch) < 0)
            tape_sleep(tape, LOOP_PAUSE_MS);
        return;
    }
    if (tape->watch)
        self->host->watch_cancel(self->ctx, tape->watch);
    tape->watch = NULL;
    if (len > 0)
        tape_sleep(tape, wait);
    else if (tape->eof)
        tape_end(tape);
    else if (!tape->job)
        tape_read(tape);
}

/* ---- files, on a worker thread ---- */

static void job_open(struct read_job *job)
{
    struct stat st;
    job->fd = open(job->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (job->fd < 0)
        snprintf(job->why, sizeof job->why, "%s: cannot be opened: %s", job->path, strerror(errno));
    else if (fstat(job->fd, &st) < 0 || !S_ISREG(st.st_mode))
        snprintf(job->why, sizeof job->why, "%s: not a file; for a port use source = \"serial\"",
                 job->path);
}

static void job_run(void *arg)
{
    struct read_job *job = arg;
    if (job->fd < 0)
        job_open(job);
    if (job->why[0])
        return;
    job->len = pread(job->fd, job->bytes, sizeof job->bytes, job->at);
    if (job->len < 0)
        snprintf(job->why, sizeof job->why, "%s: cannot be read: %s", job->path, strerror(errno));
}

static void tape_take(struct tape *tape, const struct read_job *job)
{
    if (job->at == 0)
        tape->stamped = stamped_anywhere(job->bytes, (size_t)job->len);
    memmove(tape->buffer, tape->buffer + tape->pos, tape->len - tape->pos);
    tape->len -= tape->pos;
    tape->pos = 0;
    memcpy(tape->buffer + tape->len, job->bytes, (size_t)job->len);
    tape->len += (size_t)job->len;
    tape->at += job->len;
    tape->eof = job->len == 0;
}

static void job_done(void *arg)
{
    struct read_job *job = arg;
    struct tape *tape = job->tape;
    if (!tape) { /* detached meanwhile; the plugin may be gone as well */
        if (job->fd >= 0)
            close(job->fd);
        free(job);
        return;
    }
    tape->job = NULL;
    tape->fd = job->fd;
    if (job->why[0]) {
        tape_close(tape);
        tape_rewind(tape, RETRY_MS);
        tape_down(tape, job->why);
        tape_sleep(tape, RETRY_MS);
    } else {
        if (!tape->up)
            tape->self->host->device_link(tape->self->ctx, tape->dev, 1, NULL);
        tape->up = true;
        tape_take(tape, job);
        tape_step(tape);
    }
    free(job);
}

/* ---- the plugin ---- */

static int replay_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct replay *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->ctx = ctx;
    self->host = host;
    self->pulse = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->pulse < 0) {
        int err = host->fail(ctx, SHEP_E_IO, "replay: no eventfd: %s", strerror(errno));
        free(self);
        return err;
    }
    *out = self;
    return 0;
}

static int replay_attach(void *arg, struct shep_device *dev)
{
    struct replay *self = arg;
    const char *path = "";
    int loop = 1;
    struct tape *tape = calloc(1, sizeof *tape);
    if (!tape)
        return SHEP_E_NOMEM;
    tape->self = self;
    tape->dev = dev;
    tape->fd = -1;
    tape->speed = 1;
    self->host->device_opt_str(self->ctx, dev, "path", &path);
    self->host->device_opt_float(self->ctx, dev, "speed", &tape->speed);
    self->host->device_opt_bool(self->ctx, dev, "loop", &loop);
    tape->loop = loop != 0;
    tape->next = self->tapes;
    self->tapes = tape;
    tape_rewind(tape, 0);
    if (snprintf(tape->path, sizeof tape->path, "%s", path) >= (int)sizeof tape->path)
        tape_down(tape, "the path is too long");
    else
        tape_step(tape);
    return 0;
}

static void tape_free(struct tape *tape)
{
    if (tape->job)
        tape->job->tape = NULL;
    tape->self->host->timer_cancel(tape->self->ctx, tape->timer);
    tape_close(tape);
    free(tape);
}

static void replay_detach(void *arg, struct shep_device *dev)
{
    struct replay *self = arg;
    for (struct tape **at = &self->tapes; *at; at = &(*at)->next)
        if ((*at)->dev == dev) {
            struct tape *tape = *at;
            *at = tape->next;
            tape_free(tape);
            return;
        }
}

static void replay_stop(void *arg)
{
    struct replay *self = arg;
    while (self->tapes) {
        struct tape *tape = self->tapes;
        self->tapes = tape->next;
        tape_free(tape);
    }
    close(self->pulse);
    free(self);
}

static const struct shep_option device_options[] = {
    {"path", "the log file", NULL, NULL, SHEP_OPT_STRING, SHEP_OPT_REQUIRED, 0, 0},
    {"speed",
     "how many times faster than it was recorded, 0.5: half as fast; 0: as fast as it can be taken",
     "1", NULL, SHEP_OPT_FLOAT, 0, 0, 1000},
    {"loop", "at the end start again", "true", NULL, SHEP_OPT_BOOL, 0, 0, 0},
    {0},
};

static const struct shep_source_ops ops = {
    .size = sizeof ops,
    .device_options = device_options,
    .start = replay_start,
    .attach = replay_attach,
    .detach = replay_detach,
    .stop = replay_stop,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SOURCE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "replay",
    .version = SHEP_VERSION,
    .summary = "plays recorded logs, at their own pace or faster",
    .license = "MIT",
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
