/* POST /backup makes one: a copy of the database beside the running daemon, then the archive on a
 * worker thread. The answer is an address that works once, for ten minutes. Thread: loop. */
#include "forms/internal.h"

#include "backup/backup.h"
#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DOWNLOAD_MS = 10 * 60 * 1000, DOWNLOADS_MAX = 4 };

struct download {
    struct download *next;
    struct loop_timer *timer;
    struct forms *forms;
    char token[TOKEN_HEX + 1], *path;
};

struct backup_job {
    struct ask *ask;
    struct backup_parts parts;
    char token[TOKEN_HEX + 1], *db_copy, *path, why[BACKUP_WHY_MAX];
    int err;
};

/* ---- what can be fetched ---- */

static void download_free(struct download *download)
{
    struct download **at = &download->forms->downloads;
    while (*at && *at != download)
        at = &(*at)->next;
    if (*at)
        *at = download->next;
    if (unlink(download->path) != 0 && errno != ENOENT)
        log_warn("forms", "%s: cannot be removed: %s", download->path, strerror(errno));
    loop_timer_free(download->timer);
    free(download->path);
    free(download);
}

void downloads_free(struct forms *forms)
{
    while (forms->downloads)
        download_free(forms->downloads);
}

static void on_too_late(void *arg)
{
    struct download *download = arg;
    download->timer = NULL; /* it fired and freed itself */
    download_free(download);
}

static size_t count(const struct forms *forms)
{
    size_t n = 0;
    for (const struct download *one = forms->downloads; one; one = one->next)
        n++;
    return n;
}

static void download_add(struct forms *forms, struct backup_job *job)
{
    struct download *download = shep_alloc(sizeof *download);
    download->forms = forms;
    download->path = job->path;
    job->path = NULL;
    memcpy(download->token, job->token, sizeof download->token);
    download->next = forms->downloads;
    forms->downloads = download;
    download->timer =
        loop_timer_new(forms->conf.loop, &forms->owner, DOWNLOAD_MS, 0, on_too_late, download);
}

void forms_get_backup(struct http_request *request, void *arg)
{
    struct forms *forms = arg;
    const char *token = http_request_rest(request);
    struct download *download = forms->downloads;
    while (download && !str_eq(download->token, token))
        download = download->next;
    int fd = download ? open(download->path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        http_reply_error(request, 404, "This address worked once, and for ten minutes.");
        return;
    }
    char name[64];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(name, sizeof name, "shepherd-%Y-%m-%d-%H%M.tar.gz", &tm);
    download_free(download); /* the open file stays readable */
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply_file(request, fd, (int64_t)st.st_size, "application/gzip", name);
}

/* ---- making one ---- */

static void job_free(struct backup_job *job)
{
    if (job->path)
        unlink(job->path);
    unlink(job->db_copy);
    free(job->path);
    free(job->db_copy);
    free(job);
}

static void write_it(void *arg)
{
    struct backup_job *job = arg;
    job->err = backup_write(&job->parts, job->path, job->why);
}

static void on_written(void *arg)
{
    struct backup_job *job = arg;
    struct ask *ask = job->ask;
    if (ask_is_over(ask)) {
        job_free(job);
        return;
    }
    if (job->err) {
        log_error("forms", "backup: %s", job->why);
        ask_answer(ask, job->err, job->why, NULL);
    } else {
        char *url = shep_asprintf("/backup/%s", job->token);
        download_add(ask->forms, job);
        ask_audit(ask, "backup", job->parts.with_logs ? "with logs" : "without logs", NULL, NULL);
        snprintf(ask->back, sizeof ask->back, "%s", url); /* a page goes on to the file itself */
        ask_answer(ask, 0, "The backup is ready.", json_pack("{s:s}", "url", url));
        free(url);
    }
    job_free(job);
}

static void on_copied(int err, const char *message, void *arg)
{
    struct backup_job *job = arg;
    struct ask *ask = job->ask;
    if (ask_is_over(ask)) {
        job_free(job);
        return;
    }
    struct forms *forms = ask->forms;
    if (err == 0 && loop_work(forms->conf.loop, &forms->owner, write_it, on_written, job) == 0)
        return;
    ask_answer(ask, err ? err : SHEP_E_BUSY,
               err ? message : "Too much is under way; try again in a moment.", NULL);
    job_free(job);
}

static void backup_now(struct ask *ask)
{
    const struct forms_conf *conf = &ask->forms->conf;
    const char *dir = uploads_dir(ask->forms->uploads);
    if (count(ask->forms) >= DOWNLOADS_MAX) {
        ask_answer(ask, SHEP_E_BUSY, "There are four backups to be fetched; fetch one, or wait.",
                   NULL);
        return;
    }
    struct backup_job *job = shep_alloc(sizeof *job);
    job->ask = ask;
    token_make(job->token);
    job->db_copy = shep_asprintf("%s/%s.db", dir, job->token);
    job->path = shep_asprintf("%s/%s.tar.gz", dir, job->token);
    job->parts = (struct backup_parts){.data_dir = conf->data_dir,
                                       .db_copy = job->db_copy,
                                       .config_file = conf->config_file,
                                       .view_dirs = conf->view_dirs,
                                       .n_view_dirs = conf->n_view_dirs,
                                       .with_logs = ask_flag(ask, "with_logs")};
    conf->flush(conf->arg);
    store_copy(conf->store, job->db_copy, job->parts.with_logs, on_copied, job);
}

/* It holds password hashes and every address: as dear as what is in it. */
static void backup(struct ask *ask)
{
    ask_dear(ask, backup_now);
}

const struct form_route backup_routes[] = {{.path = "/backup",
                                            .role = ROLE_OPERATOR,
                                            .fn = backup,
                                            .back = "/config#backup",
                                            .at_once = true},
                                           {0}};
