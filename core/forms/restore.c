/* What is done with an upload: a backup is looked into or restored, an old database or CSV is
 * imported. Reading is a worker's; what comes of it is done on the loop. */
#include "forms/internal.h"

#include "backup/backup.h"

struct upload_job {
    struct ask *ask;
    char id[TOKEN_HEX + 1], *path;
    char *dir;  /* restore: where it is unpacked */
    bool apply; /* else the directory goes again */
    int (*check)(const char *unpacked_dir, char *why, size_t why_cap, void *arg);
    void *check_arg;
    json_t *out;
    char why[FLOCK_WHY_MAX];
    int err;
};

static void job_free(struct upload_job *job)
{
    free(job->path);
    free(job->dir);
    json_decref(job->out);
    free(job);
}

/* NULL: no such upload; answered. */
static struct upload_job *job_new(struct ask *ask)
{
    const char *id = ask_field(ask, "upload");
    char *path = upload_path_dup(ask->forms->uploads, id);
    if (!path) {
        ask_answer(ask, SHEP_E_GONE, "upload: there is no such upload (any more); send it again.",
                   NULL);
        return NULL;
    }
    struct upload_job *job = shep_alloc(sizeof *job);
    job->ask = ask;
    job->path = path;
    str_copy(job->id, sizeof job->id, id, strlen(id));
    return job;
}

static void job_start(struct upload_job *job, loop_fn run, loop_fn done)
{
    struct forms *forms = job->ask->forms;
    if (loop_work(forms->conf.loop, &forms->owner, run, done, job) == 0)
        return;
    ask_answer(job->ask, SHEP_E_BUSY, "Too much is under way; try again in a moment.", NULL);
    job_free(job);
}

/* ---- restore ---- */

static void unpack(void *arg)
{
    struct upload_job *job = arg;
    job->err = backup_unpack(job->path, job->dir, &job->out, job->why);
    if (job->err)
        return; /* it left nothing */
    job->err = job->check(job->dir, job->why, sizeof job->why, job->check_arg);
    if (job->err || !job->apply)
        backup_discard(job->dir);
}

static void on_unpacked(void *arg)
{
    struct upload_job *job = arg;
    struct ask *ask = job->ask;
    if (ask_is_over(ask)) {
        if (job->err == 0 && job->apply)
            backup_discard(job->dir); /* the daemon stops for another reason */
        job_free(job);
        return;
    }
    struct forms *forms = ask->forms;
    json_t *extra = job->err ? NULL : json_object();
    if (extra) {
        bool config = json_is_true(json_object_get(job->out, "config"));
        json_object_set_new(job->out, "config_file",
                            config ? forms_text_json(forms->conf.config_place) : json_null());
        json_object_set(extra, "about", job->out);
    }
    bool go = job->err == 0 && job->apply;
    if (go)
        ask_audit(ask, "restore", NULL, NULL, NULL);
    ask_answer(ask, job->err == SHEP_E_FORMAT ? SHEP_E_CONFIG : job->err,
               job->err ? job->why
               : go     ? "It is put back now; the daemon starts again. Log in anew."
                        : "This backup is whole.",
               extra);
    if (go) {
        upload_done(forms->uploads, job->id);
        forms->conf.restore(job->dir, forms->conf.arg);
    }
    job_free(job);
}

static void unpack_begin(struct ask *ask, bool apply)
{
    struct upload_job *job = job_new(ask);
    if (!job)
        return;
    char token[TOKEN_HEX + 1];
    token_make(token);
    job->apply = apply;
    job->check = ask->forms->conf.check;
    job->check_arg = ask->forms->conf.arg;
    job->dir = shep_asprintf("%s/restore.%s", ask->forms->conf.data_dir, token);
    job_start(job, unpack, on_unpacked);
}

static void check(struct ask *ask)
{
    unpack_begin(ask, false);
}

static void apply_now(struct ask *ask)
{
    unpack_begin(ask, true);
}

static void apply(struct ask *ask)
{
    ask_dear(ask, apply_now);
}

/* Without the word RESTORE in the form it is only looked into. */
static void restore(struct ask *ask)
{
    ask_dear(ask, str_eq(ask_field(ask, "confirm"), "RESTORE") ? apply_now : check);
}

/* ---- import ---- */

static void read_old(void *arg)
{
    struct upload_job *job = arg;
    job->err = flock_old_read(job->path, &job->out, job->why);
}

static void on_read(void *arg)
{
    struct upload_job *job = arg;
    struct ask *ask = job->ask;
    if (ask_is_over(ask)) {
        job_free(job);
        return;
    }
    if (job->err) {
        ask_answer(ask, job->err == SHEP_E_FORMAT ? SHEP_E_CONFIG : job->err, job->why, NULL);
    } else {
        json_t *counts = flock_import(ask->forms->conf.flock, job->out, ask_is_admin(ask)),
               *extra = json_object();
        char *words = ask_words_dup(counts);
        ask_audit(ask, "import", NULL, NULL, words);
        free(words);
        json_object_set_new(extra, "counts", counts);
        upload_done(ask->forms->uploads, job->id);
        ask_answer(ask, 0, "Imported.", extra);
    }
    job_free(job);
}

static void import(struct ask *ask)
{
    struct upload_job *job = job_new(ask);
    if (job)
        job_start(job, read_old, on_read);
}

const struct form_route restore_routes[] = {
    {.path = "/restore",
     .role = ROLE_OPERATOR,
     .fn = restore,
     .back = "/config#backup",
     .at_once = true},
    {.path = "/restore/check", .role = ROLE_OPERATOR, .fn = check, .back = "/config#backup"},
    {.path = "/restore/apply",
     .role = ROLE_OPERATOR,
     .fn = apply,
     .back = "/config#backup",
     .at_once = true},
    {.path = "/import", .role = ROLE_OPERATOR, .fn = import, .back = "/config#backup"},
    {0}};
