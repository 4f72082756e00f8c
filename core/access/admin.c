/* The admin, whose password is the file DATA_DIR/admin_password: `shepherd passwd` may change it
 * while the daemon runs, or while it does not. Then the sessions that began with the old password
 * end. And the setup code, while there is no admin. Thread: loop. */
#include "access/internal.h"

#include <errno.h>

enum { LOOK_MS = 1000, SETUP_VALID_MS = 3600000 };

static const char kv_seen[] = "admin_password_seen";

static void seen(const char *key, const char *value, void *arg)
{
    struct access *access = arg;
    if (strcmp(key, kv_seen) == 0)
        str_copy(access->admin_seen, sizeof access->admin_seen, value, strlen(value));
}

/* false: it cannot be read just now (another owner, no descriptors left), and what was known goes
 * on: whoever makes it unreadable logs nobody out, and does not become the first admin again. */
static bool file_look(struct access *access)
{
    char hash[PASSWORD_HASH_MAX];
    int err = password_file_read(access->data_dir, hash);
    bool before = access->admin_unreadable;
    access->admin_unreadable = err && err != -ENOENT;
    if (!access->admin_unreadable)
        memcpy(access->admin_hash, hash, sizeof hash);
    else if (!before)
        log_error("access",
                  "%s/admin_password is there, but cannot be used: %s; give it to whoever runs the "
                  "daemon, or set it anew with `shepherd passwd`",
                  access->data_dir, err == -EINVAL ? "it holds no hash" : strerror(-err));
    return !access->admin_unreadable;
}

void admin_look(struct access *access, bool now, int64_t keep_session_id)
{
    int64_t now_ms = clock_mono_ms();
    if (!now && now_ms - access->admin_looked_ms < LOOK_MS)
        return;
    access->admin_looked_ms = now_ms;
    if (!file_look(access))
        return;
    unsigned char hash[HASH_BYTES];
    char hex[HASH_BYTES * 2 + 1] = "";
    secret_hash(access->admin_hash, hash);
    secret_hash_hex(hash, hex);
    if (strcmp(hex, access->admin_seen) == 0)
        return;
    memcpy(access->admin_seen, hex, sizeof hex);
    store_kv_put(access->store, "core", kv_seen, hex);
    sessions_end_of(access, 0, keep_session_id);
    access_changed(access);
}

bool access_has_admin(const struct access *access)
{
    admin_look((struct access *)access, false, 0);
    if (access->admin_hash[0] || access->admin_unreadable)
        return true;
    return user_any_admin(access, NULL);
}

const char *access_setup_code(struct access *access)
{
    bool valid = !access_has_admin(access) && clock_mono_ms() < access->setup_until_ms;
    return valid ? access->setup_code : NULL;
}

void admin_restore(struct access *access)
{
    store_kv_each(access->store, "core", seen, access);
    admin_look(access, true, 0);
    if (access_has_admin(access))
        return;
    setup_code_make(access->setup_code);
    access->setup_until_ms = clock_mono_ms() + SETUP_VALID_MS;
    log_info("shepherd", "no admin yet; setup code %s, valid for an hour, at /setup",
             access->setup_code);
}
