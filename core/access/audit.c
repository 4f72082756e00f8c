/* The audit table: one row for each change that somebody made, for ever. Thread: loop. */
#include "access/internal.h"

enum {
    AUDIT_TEXT_MAX = 2048,  /* bytes of old and new: an address list has 500 */
    AUDIT_SUBJECT_MAX = 256 /* a name has 64, a key of a device 191; rows are kept for ever */
};

static json_t *text_or_null(const char *text, size_t max)
{
    char cut[AUDIT_TEXT_MAX + 1];
    if (!text)
        return json_null();
    str_copy(cut, max + 1, text, strlen(text));
    json_t *json = json_string(cut);
    return json ? json : json_string("(not UTF-8)");
}

static void audit_put(struct access *access, const char *who, const char *peer, const char *action,
                      const char *subject, const char *old_text, const char *new_text)
{
    json_t *row = json_pack(
        "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        (json_int_t)access_id_next(access, TABLE_AUDIT), "at_ms", (json_int_t)clock_wall_ms(),
        "who", text_or_null(who && *who ? who : "nobody", AUDIT_SUBJECT_MAX), "peer",
        text_or_null(peer, AUDIT_SUBJECT_MAX), "action", text_or_null(action, AUDIT_SUBJECT_MAX),
        "subject", text_or_null(subject, AUDIT_SUBJECT_MAX), "old",
        text_or_null(old_text, AUDIT_TEXT_MAX), "new", text_or_null(new_text, AUDIT_TEXT_MAX));
    if (store_row_put(access->store, TABLE_AUDIT, row) != 0)
        log_error("access", "the audit of %s was not taken by the store", action);
    json_decref(row);
}

void access_audit(struct access *access, const struct access_grant *by, const char *peer,
                  const char *action, const char *subject, const char *old_text,
                  const char *new_text)
{
    audit_put(access, by ? by->who : NULL, peer, action, subject, old_text, new_text);
}

/* Wrong passwords are what strangers make: so many an hour are kept, and one row says that there
 * were more. */
void audit_failure(struct access *access, const char *peer, const char *user)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms - access->failures_since_ms > HOUR_MS) {
        access->failures_since_ms = now_ms;
        access->n_failures = 0;
    }
    if (access->n_failures > FAILURES_AUDITED)
        return;
    bool more = access->n_failures++ == FAILURES_AUDITED;
    log_warn("access", "a wrong password or code from %s%s", peer && *peer ? peer : "nowhere",
             more ? "; more of them are not written down this hour" : "");
    audit_put(access, NULL, peer, more ? "login.failures_left_out" : "login.failed", user, NULL,
              NULL);
}

static void newest(const json_t *row, void *arg)
{
    struct access *access = arg;
    int64_t id = json_integer_value(json_object_get(row, "id"));
    if (id >= access->next_id[TABLE_AUDIT])
        access->next_id[TABLE_AUDIT] = id + 1;
}

void audit_restore(struct access *access)
{
    store_rows_each(access->store, TABLE_AUDIT, newest, access);
}
