/* What the files of core/forms share: an ask is one request on its way to its answer. */
#ifndef SHEP_FORMS_INTERNAL_H
#define SHEP_FORMS_INTERNAL_H

#include "forms/forms.h"

#include <sys/queue.h>

enum { BACK_MAX = 512, MESSAGE_MAX = FLOCK_WHY_MAX + 128 };

struct uploads;
struct saver;

struct answer { /* while it waits; text and object owned */
    int status;
    bool success;
    char *message;
    json_t *extra;
};

struct ask {
    LIST_ENTRY(ask) link;
    struct forms *forms;          /* NULL: the daemon stops, it was answered */
    struct http_request *request; /* likewise */
    struct http_form *form;
    const json_t *fields; /* of the form; borrowed from it */
    struct access_grant grant;
    char peer[64], back[BACK_MAX]; /* back: where a page goes with its flash */
    bool json;
    void (*then)(struct ask *ask);
    bool changed; /* something was: the answer waits until that is in the file */
    bool at_once; /* of the route: or not */
    enum { SAVE_NONE, SAVE_NEXT /* the store is to be asked */, SAVE_ASKED } save;
    struct answer answer;
    int64_t id; /* of the path, "/pools/edit/7"; 0: none or no number */
};

/* One row for each route of a group; ends with path NULL. */
struct form_route {
    const char *path;
    enum access_role role;
    void (*fn)(struct ask *ask);
    const char *back; /* NULL: where it came from */
    bool json;        /* answers JSON to everybody, as the Python one did */
    bool at_once;     /* what it tells of is no row of the store: it does not wait for one */
};
extern const struct form_route session_routes[], miners_routes[], python_routes[], devices_routes[],
    pools_routes[], addresses_routes[], users_routes[], payout_routes[], backup_routes[],
    restore_routes[], service_routes[];

struct forms {
    struct forms_conf conf;
    struct loop_owner owner;
    LIST_HEAD(, ask) asks;
    struct bound *bound; /* arguments of the routes */
    struct uploads *uploads;
    struct saver *saver;
    struct download *downloads; /* backup.c */
};

/* ---- answer.c. Each ends the ask; where ask->changed, when that is saved. ---- */
/* err 0 or one of flock.h; extra: more members of the JSON answer (taken), NULL: none. */
void ask_answer(struct ask *ask, int err, const char *message, json_t *extra);
void ask_answerf(struct ask *ask, int err, const char *fmt, ...) SHEP_PRINTF(3, 4);
/* With a status of its own, for the routes whose codes are promised. */
void ask_answer_status(struct ask *ask, int status, bool success, const char *message,
                       json_t *extra);
void ask_limited(struct ask *ask, const struct access_result *result);
/* In every callback that came later: true: there is nobody left to answer, and the ask is freed. */
bool ask_is_over(struct ask *ask);
void ask_end(struct ask *ask); /* the daemon stops */
void saver_new(struct forms *forms);
void saver_free(struct forms *forms); /* when nobody waits any more */

/* Asks for the fresh password of what is dear, then goes on with then(). */
void ask_dear(struct ask *ask, void (*then)(struct ask *ask));

/* ---- forms.c: fields ---- */
const char *ask_field(const struct ask *ask, const char *name); /* a text; NULL: absent */
bool ask_flag(const struct ask *ask, const char *name);         /* 1, true, on, yes */
int64_t ask_number(const struct ask *ask, const char *name);    /* 0: absent or no number */
bool ask_is_admin(const struct ask *ask); /* logged in as one, or with the token of one */
/* A copy of the fields without what is no matter of the flock: csrf, password … Owned. */
json_t *ask_fields_dup(const struct ask *ask);
json_t *forms_text_json(const char *text); /* any bytes; NULL: null */
/* What is audited changed something: sets ask->changed. */
void ask_audit(struct ask *ask, const char *action, const char *subject, const char *old_text,
               const char *new_text);
/* devices.c: boots a board, and audits that when there is one to boot. done answers, now or later.
 */
void reset_begin(struct ask *ask, const char *key, int64_t id, flock_capture_fn done);
/* An object as people would read it, without anything that is named like a secret. Owned. */
char *ask_words_dup(const json_t *object);
/* Of an array of objects the one with that "id"; borrowed; NULL: none. */
json_t *rows_find(const json_t *rows, int64_t id);
const char *row_title(const json_t *row, const char *title); /* "?" when it has none */
/* A row was put (deleted: it is gone), is `now` (taken) and was `old` before, which may be NULL:
 * the audit, by the text of its column `title`, and the answer with its id. */
void ask_row_put(struct ask *ask, const char *action, const char *title, const json_t *old,
                 json_t *now, const char *good);
void ask_row_deleted(struct ask *ask, const char *action, const char *title, const json_t *old,
                     const char *good);
void reply_cookie(struct http_request *request, const char *name, const char *value,
                  const char *attributes);
/* GET handlers get the request itself. */
void forms_get_setup(struct http_request *request, void *forms);
void forms_get_backup(struct http_request *request, void *forms);
void forms_post_upload(struct http_request *request, void *forms);

/* ---- upload.c ---- */
enum { TOKEN_HEX = 32 };
void token_make(char out[TOKEN_HEX + 1]); /* 128 random bits */
struct uploads *uploads_new(struct forms *forms);
void uploads_free(struct uploads *uploads);
/* Its path, owned; NULL: no such upload. It stays for as long as an hour after its last piece. */
char *upload_path_dup(struct uploads *uploads, const char *id);
void upload_done(struct uploads *uploads, const char *id); /* not needed any more */
const char *uploads_dir(const struct uploads *uploads);

/* ---- backup.c ---- */
void downloads_free(struct forms *forms);
#endif
