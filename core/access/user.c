/* Users besides the admin: rows of the database. Thread: loop. */
#include "access/internal.h"

#include <strings.h>

struct user *user_by_id(const struct access *access, int64_t id)
{
    for (size_t i = 0; i < access->n_users; i++)
        if (access->users[i].id == id)
            return (struct user *)&access->users[i];
    return NULL;
}

struct user *user_by_name(const struct access *access, const char *name)
{
    for (size_t i = 0; i < access->n_users; i++)
        if (strcasecmp(access->users[i].name, name) == 0)
            return (struct user *)&access->users[i];
    return NULL;
}

bool user_any_admin(const struct access *access, const struct user *but)
{
    for (size_t i = 0; i < access->n_users; i++)
        if (&access->users[i] != but && access->users[i].role == ROLE_ADMIN)
            return true;
    return false;
}

const char access_last_admin[] =
    "This is the last admin: make another one first, or set the admin's password with `shepherd "
    "passwd`.";

/* Without anybody who can log in as admin, /setup would open at the next start, for whoever comes
 * first. A file admin_password that cannot be read lets nobody in. */
static bool is_last_admin(struct access *access, const struct user *user)
{
    admin_look(access, true, 0);
    return user->role == ROLE_ADMIN && !access->admin_hash[0] && !user_any_admin(access, user);
}

static bool would_be_none(struct access *access, const struct user *user, enum access_role role)
{
    return user && role != ROLE_ADMIN && is_last_admin(access, user);
}

static void user_put(struct access *access, const struct user *user)
{
    json_t *row = json_pack("{s:I, s:s, s:s, s:s, s:I}", "id", (json_int_t)user->id, "name",
                            user->name, "role", access_role_name(user->role), "password_hash",
                            user->hash, "created_at_ms", (json_int_t)user->created_ms);
    store_row_put(access->store, TABLE_USERS, row);
    json_decref(row);
}

static bool name_ok(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return len > 0 && len <= NAME_MAX_CHARS && !name[len];
}

static const char *user_problem(const struct access *access, const char *name, const char *role,
                                const char *password)
{
    /* what the audit calls who has no login */
    static const char *const not_names[] = {"loopback", "lan", "nobody", "system"};
    bool is_admin = strcasecmp(name, "admin") == 0;
    if (!name_ok(name))
        return "A user's name has 1 to 32 letters, digits, dots, dashes or underscores.";
    for (size_t i = 0; i < ARRAY_LEN(not_names); i++)
        if (strcasecmp(name, not_names[i]) == 0)
            return "This name is taken by the Shepherd itself.";
    if (access_role_by_name(role) <= ROLE_NONE)
        return "The role of a user is viewer, operator or admin.";
    if (is_admin && access_role_by_name(role) != ROLE_ADMIN)
        return "The user admin is always an admin.";
    const struct user *known = user_by_name(access, name);
    if (!password && !known && !is_admin)
        return "A new user needs a password.";
    if (!known && !is_admin && access->n_users == USERS_MAX)
        return "There are 64 users, the most there may be: delete one.";
    return password ? password_problem(password) : NULL;
}

static void user_changed(struct access *access, const struct access_grant *by, const char *peer,
                         const struct user *user, const char *old_role, bool new_password)
{
    char text[64];
    snprintf(text, sizeof text, "%s%s", access_role_name(user->role),
             new_password ? ", new password" : "");
    access_audit(access, by, peer, old_role ? "user.edit" : "user.add", user->name, old_role, text);
    access_changed(access);
}

void access_user_put(struct access *access, const struct access_grant *by, const char *peer,
                     const char *name, const char *role, const char *password, access_done_fn done,
                     void *arg)
{
    name = name ? name : "";
    role = role ? role : "";
    const char *problem = user_problem(access, name, role, password);
    struct user *known = user_by_name(access, name);
    bool is_admin = strcasecmp(name, "admin") == 0;
    if (problem) {
        access_answer_later(access, done, arg, SHEP_E_CONFIG, problem, 0);
    } else if (would_be_none(access, known, (enum access_role)access_role_by_name(role))) {
        access_answer_later(access, done, arg, SHEP_E_BUSY, access_last_admin, 0);
    } else if (password) {
        struct job *job = password_job_new(access, is_admin ? JOB_ADMIN_PASSWORD : JOB_USER, peer,
                                           password, done, arg);
        str_copy(job->user, sizeof job->user, name, strlen(name));
        job->user_id = known ? known->id : 0;
        job->role = (enum access_role)access_role_by_name(role);
        job->by = *by;
        password_job_start(job);
    } else {
        if (known) {
            const char *old_role = access_role_name(known->role);
            known->role = (enum access_role)access_role_by_name(role);
            user_put(access, known);
            user_changed(access, by, peer, known, old_role, false);
        }
        access_answer_later(access, done, arg, 0, "The user is saved.", 0);
    }
}

static void admin_password_landed(struct access *access, struct job *job)
{
    admin_look(access, true, job->by.session_id);
    access_audit(access, &job->by, job->peer, "user.edit", "admin", NULL, "new password");
    access_answer(job->done, job->arg, 0,
                  "The admin password is changed. Other browsers are logged out.");
}

static struct user *user_make(struct access *access, const char *name)
{
    if (access->n_users == USERS_MAX)
        return NULL; /* others were added while this password was hashed */
    struct user *user = &access->users[access->n_users++];
    *user = (struct user){.id = access_id_next(access, TABLE_USERS), .created_ms = clock_wall_ms()};
    str_copy(user->name, sizeof user->name, name, strlen(name));
    return user;
}

void user_job_landed(struct access *access, struct job *job)
{
    if (job->err) {
        log_error("access", "a new password of %s could not be kept: %s", job->user,
                  job->err == SHEP_E_LIMIT ? "19 MiB of memory are not there"
                                           : strerror(job->err < 0 ? -job->err : job->err));
        access_answer(job->done, job->arg, SHEP_E_IO,
                      "The password could not be kept: see the log.");
        return;
    }
    if (job->kind == JOB_ADMIN_PASSWORD) {
        admin_password_landed(access, job);
        return;
    }
    struct user *user = user_by_name(access, job->user);
    bool same = !job->user_id || (user && user->id == job->user_id);
    if (!same || !grant_stands(access, &job->by)) {
        /* else who is deleted would come back, and who may do less now be what they were */
        access_answer(job->done, job->arg, SHEP_E_GONE,
                      "The user was deleted or changed meanwhile: look again.");
        return;
    }
    if (would_be_none(access, user, job->role)) { /* the other one went while this was hashed */
        access_answer(job->done, job->arg, SHEP_E_BUSY, access_last_admin);
        return;
    }
    const char *old_role = user ? access_role_name(user->role) : NULL;
    if (!user)
        user = user_make(access, job->user);
    if (!user) {
        access_answer(job->done, job->arg, SHEP_E_CONFIG, "There are too many users.");
        return;
    }
    user->role = job->role;
    memcpy(user->hash, job->hash, sizeof user->hash);
    user_put(access, user);
    sessions_end_of(access, user->id, job->by.session_id);
    user_changed(access, &job->by, job->peer, user, old_role, true);
    access_answer(job->done, job->arg, 0, "The user is saved.");
}

int access_user_delete(struct access *access, const struct access_grant *by, const char *peer,
                       int64_t user_id)
{
    struct user *user = user_by_id(access, user_id);
    if (!user)
        return user_id == 0 ? SHEP_E_UNSUPPORTED : SHEP_E_GONE; /* 0: the admin is no row */
    if (is_last_admin(access, user))
        return SHEP_E_BUSY;
    access_audit(access, by, peer, "user.delete", user->name, access_role_name(user->role), NULL);
    sessions_end_of(access, user_id, 0);
    store_row_delete(access->store, TABLE_USERS, user_id);
    size_t i = (size_t)(user - access->users);
    memmove(user, user + 1, (access->n_users - i - 1) * sizeof *user);
    access->n_users--;
    access_changed(access);
    return 0;
}

static void user_row(const json_t *row, void *arg)
{
    struct access *access = arg;
    const char *name = json_string_value(json_object_get(row, "name"));
    const char *hash = json_string_value(json_object_get(row, "password_hash"));
    const char *role = json_string_value(json_object_get(row, "role"));
    int64_t id = json_integer_value(json_object_get(row, "id"));
    int number = role ? access_role_by_name(role) : -1;
    if (id >= access->next_id[TABLE_USERS])
        access->next_id[TABLE_USERS] = id + 1;
    if (!name || !name_ok(name) || strcasecmp(name, "admin") == 0 || !hash ||
        strlen(hash) >= PASSWORD_HASH_MAX || number <= ROLE_NONE || access->n_users == USERS_MAX) {
        log_warn("access", "a user in the database is not understood: left out");
        return;
    }
    struct user *user = &access->users[access->n_users++];
    *user = (struct user){.id = id,
                          .role = (enum access_role)number,
                          .created_ms = json_integer_value(json_object_get(row, "created_at_ms"))};
    str_copy(user->name, sizeof user->name, name, strlen(name));
    str_copy(user->hash, sizeof user->hash, hash, strlen(hash));
}

void users_restore(struct access *access)
{
    store_rows_each(access->store, TABLE_USERS, user_row, access);
}

static json_t *user_json(int64_t id, const char *name, enum access_role role, json_t *created)
{
    return json_pack("{s:I, s:s, s:s, s:o}", "id", (json_int_t)id, "name", name, "role",
                     access_role_name(role), "created_at_ms", created);
}

json_t *users_json(const struct access *access)
{
    json_t *list = json_array();
    if (access->admin_hash[0])
        json_array_append_new(list, user_json(0, "admin", ROLE_ADMIN, json_null()));
    for (size_t i = 0; i < access->n_users; i++) {
        const struct user *user = &access->users[i];
        json_array_append_new(
            list, user_json(user->id, user->name, user->role, json_integer(user->created_ms)));
    }
    return list;
}
