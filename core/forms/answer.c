/* Answers. What changed something is answered when the store has it in the file: what somebody was
 * told is not lost by a kill a moment later. All who wait share one question to the store, and one
 * patience: a disk that does not answer holds nobody for longer, and nothing piles up behind it.
 * Thread: loop. */
#include "forms/internal.h"

/* The store itself waits 2 s for another program's lock. Well below the time that core/http gives a
 * reply, also behind a capture of 30 s. */
enum { SAVE_WAIT_MS = 10000 };

static const char disk_hangs[] = "the disk of the data directory does not answer: see dmesg";

struct saver {
    struct forms *forms; /* NULL: gone; then the answer of the store frees it */
    struct loop_timer *patience;
    bool asked; /* the store's answer is awaited */
    bool hangs; /* for too long */
};

static void ask_free(struct ask *ask)
{
    if (ask->forms)
        LIST_REMOVE(ask, link);
    http_form_free(ask->form);
    free(ask->answer.message);
    json_decref(ask->answer.extra);
    free(ask);
}

bool ask_is_over(struct ask *ask)
{
    if (ask->forms)
        return false;
    ask_free(ask);
    return true;
}

void reply_cookie(struct http_request *request, const char *name, const char *value,
                  const char *attributes)
{
    char *line = shep_asprintf("%s=%s; Path=/; SameSite=Strict%s", name, value, attributes);
    http_reply_header(request, "Set-Cookie", line);
    free(line);
}

/* "ok:Added 'x'." as a cookie that the next page shows once. */
static void reply_flash(struct http_request *request, bool success, const char *message)
{
    struct buf value = {0};
    buf_add_str(&value, success ? "ok%3A" : "error%3A");
    for (const unsigned char *p = (const unsigned char *)message; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z');
        if (plain)
            buf_add(&value, p, 1);
        else
            buf_printf(&value, "%%%02X", *p);
    }
    reply_cookie(request, "shepherd_flash", value.data, "; Max-Age=60");
    buf_free(&value);
}

/* "name: must be …" is about the field name, if the form has one of that name. */
static void put_field_of(const struct ask *ask, const char *message, json_t *body)
{
    size_t len = strcspn(message, ":");
    char name[65];
    if (!message[len] || len >= sizeof name)
        return;
    str_copy(name, sizeof name, message, len);
    if (json_object_get(ask->fields, name))
        json_object_set_new(body, "field", json_string(name));
}

static void reply_json(struct ask *ask, int status, bool success, const char *message,
                       json_t *extra)
{
    json_t *body = json_object();
    json_object_set_new(body, "success", json_boolean(success));
    json_object_set_new(body, "message", forms_text_json(message));
    if (!success)
        put_field_of(ask, message, body);
    json_object_update(body, extra);
    char *text = json_dumps(body, JSON_COMPACT);
    http_reply(ask->request, status, "application/json", text, strlen(text));
    free(text);
    json_decref(body);
}

static void reply_now(struct ask *ask)
{
    const struct answer *answer = &ask->answer;
    if (ask->json) {
        reply_json(ask, answer->status, answer->success, answer->message, answer->extra);
    } else {
        reply_flash(ask->request, answer->success, answer->message);
        http_reply_redirect(ask->request, 302, ask->back);
    }
    ask_free(ask);
}

/* ---- when it is saved ---- */

/* Takes the message. */
static void answer_not_saved(struct ask *ask, char *message)
{
    struct answer *answer = &ask->answer;
    free(answer->message);
    answer->message = message;
    answer->success = false;
    answer->status = 503;
    if (!answer->extra)
        answer->extra = json_object();
    json_object_set_new(answer->extra, "saved", json_false());
    reply_now(ask);
}

static void say_unsaved(struct ask *ask, const char *why)
{
    answer_not_saved(ask,
                     shep_asprintf("%s It counts, but is not saved: %s. It will be, by itself, "
                                   "as soon as that works; if The Shepherd ends before, it is "
                                   "lost.",
                                   ask->answer.message, why));
}

/* Those whose turn it was, or all. why NULL: it is saved. */
static void answer_waiting(struct forms *forms, bool all, const char *why)
{
    for (struct ask *ask = LIST_FIRST(&forms->asks), *next; ask; ask = next) {
        next = LIST_NEXT(ask, link);
        if (ask->save == SAVE_NONE || (ask->save == SAVE_NEXT && !all))
            continue;
        if (why)
            say_unsaved(ask, why);
        else
            reply_now(ask);
    }
}

static void ask_store(struct forms *forms);

static void on_saved(int err, const char *message, void *arg)
{
    struct saver *saver = arg;
    struct forms *forms = saver->forms;
    if (!forms) {
        free(saver);
        return;
    }
    loop_timer_free(saver->patience);
    saver->patience = NULL;
    saver->asked = saver->hangs = false;
    answer_waiting(forms, false, err ? message : NULL);
    ask_store(forms);
}

static void on_patience_ends(void *arg)
{
    struct saver *saver = arg;
    saver->patience = NULL; /* it fired and freed itself */
    saver->hangs = true;
    answer_waiting(saver->forms, true, disk_hangs);
}

/* For all who wait for the next answer, if there are any. */
static void ask_store(struct forms *forms)
{
    struct saver *saver = forms->saver;
    struct ask *ask;
    bool any = false;
    LIST_FOREACH(ask, &forms->asks, link)
    {
        any = any || ask->save == SAVE_NEXT;
        if (ask->save == SAVE_NEXT)
            ask->save = SAVE_ASKED;
    }
    if (!any)
        return;
    saver->asked = true;
    saver->patience =
        loop_timer_new(forms->conf.loop, &forms->owner, SAVE_WAIT_MS, 0, on_patience_ends, saver);
    store_when_saved(forms->conf.store, on_saved, saver);
}

static void reply_when_saved(struct ask *ask)
{
    struct saver *saver = ask->forms->saver;
    if (saver->hangs) {
        say_unsaved(ask, disk_hangs);
        return;
    }
    ask->save = SAVE_NEXT;
    if (!saver->asked)
        ask_store(ask->forms);
}

void saver_new(struct forms *forms)
{
    forms->saver = shep_alloc(sizeof *forms->saver);
    forms->saver->forms = forms;
}

void saver_free(struct forms *forms)
{
    struct saver *saver = forms->saver;
    loop_timer_free(saver->patience);
    saver->patience = NULL;
    saver->forms = NULL;
    if (!saver->asked)
        free(saver);
}

void ask_end(struct ask *ask)
{
    if (ask->save != SAVE_NONE) {
        answer_not_saved(ask, shep_asprintf("%s The Shepherd stops, and saves it on its way; look "
                                            "when it is back.",
                                            ask->answer.message));
        return;
    }
    http_reply_error(ask->request, 503, "The daemon stops; try again in a moment.");
    LIST_REMOVE(ask, link);
    ask->request = NULL;
    ask->forms = NULL; /* its callback frees it */
}

/* ---- what handlers call ---- */

void ask_answer_status(struct ask *ask, int status, bool success, const char *message,
                       json_t *extra)
{
    ask->answer = (struct answer){status, success, shep_strdup(message ? message : ""), extra};
    if (success || ask->changed)
        flock_show(ask->forms->conf.flock);
    if (ask->changed && !ask->at_once)
        reply_when_saved(ask);
    else
        reply_now(ask);
}

static int status_of(int err)
{
    switch (err) {
    case 0:
        return 200;
    case FLOCK_DENIED:
        return 403;
    case SHEP_E_GONE:
        return 404;
    case SHEP_E_BUSY:
    case SHEP_E_UNSUPPORTED:
        return 409;
    case SHEP_E_LIMIT:
        return 429;
    case SHEP_E_IO:
    case SHEP_E_BUG:
        return 500;
    default:
        return 400;
    }
}

void ask_answer(struct ask *ask, int err, const char *message, json_t *extra)
{
    ask_answer_status(ask, status_of(err), err == 0, message, extra);
}

void ask_answerf(struct ask *ask, int err, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    ask_answer(ask, err, message, NULL);
}

void ask_limited(struct ask *ask, const struct access_result *result)
{
    if (result->err == SHEP_E_LIMIT) {
        char seconds[32];
        snprintf(seconds, sizeof seconds, "%lld", (long long)result->retry_after_s);
        http_reply_header(ask->request, "Retry-After", seconds);
    }
    bool wrong = result->err == SHEP_E_CONFIG;
    ask_answer_status(ask, wrong ? 403 : status_of(result->err), false,
                      result->message ? result->message : "That did not work.", NULL);
}
