/* Backups: round trips, full disks, and a restore that is killed or fails at each of its renames.
 */
#include "test_backup_util.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { SKIPPED = 77 };

/* ---- renames that fail, or at which the process is killed ---- */

static struct {
    int n, kill_before, kill_after, fail_at, fail_to;
} renames;

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
    int n = ++renames.n;
    if (n == renames.kill_before)
        raise(SIGKILL);
    if (renames.fail_at && n >= renames.fail_at && n <= renames.fail_to) {
        errno = EIO;
        return -1;
    }
    int rc = __real_rename(from, to);
    if (n == renames.kill_after)
        raise(SIGKILL);
    return rc;
}

/* ---- a disk that takes no fsync; another user ---- */

static struct {
    int n, fail_at;
    uid_t uid; /* 0: who it is */
} fake;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    if (++fake.n != fake.fail_at)
        return __real_fsync(fd);
    errno = EIO;
    return -1;
}

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
    return fake.uid ? fake.uid : __real_geteuid();
}

/* ---- round trips ---- */

static void round_trip(void **state)
{
    struct box *box = *state;
    struct places to;
    char why[BACKUP_WHY_MAX];
    struct stat st;
    make_world(box, "a", "NEW");
    make_world(box, "b", "OLD");
    put_text(at(box, "b/data/shepherd.db-wal"), "an old log that must not meet the new database");
    put_text(at(box, "b/views/only-old.html"), "x");
    const char *file = back_up(box, "a", "backup.tar.gz");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    json_t *about = unpack(box, file, "b/data/in");
    assert_int_equal(json_integer_value(json_object_get(about, "miners")), 1);
    assert_int_equal(json_integer_value(json_object_get(about, "views")), 3);
    assert_string_equal(json_string_value(json_object_get(about, "version")), SHEP_VERSION);
    assert_int_equal(json_integer_value(json_object_get(about, "schema")),
                     sql_int_at(at(box, "a/data/shepherd.db"), "PRAGMA user_version"));
    assert_true(json_is_true(json_object_get(about, "with_logs")));
    json_decref(about);
    if (backup_put(at(box, "b/data/in"), places(box, "b", &to), why) != 0)
        fail_msg("%s", why);
    assert_true(is_world(box, "b", "NEW"));
    assert_int_equal(sql_int_at(at(box, "b/data/shepherd.db"), "SELECT count(*) FROM miner_logs"),
                     200);
    assert_false(is_there(at(box, "b/data/in")));
    assert_false(is_there(at(box, "b/data/restore.json")));
    assert_false(is_there(at(box, "b/views/only-old.html")));
    assert_int_equal(stat(at(box, "b/views/deep/er"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    const char *before = strrchr(why, '/') + 1; /* what was there, all of it */
    assert_true(strncmp(before, "before-restore.", 15) == 0);
    assert_true(has_text(at(box, "b/data/%s/admin_password", before), "OLD"));
    assert_true(has_text(at(box, "b/data/%s/config_shepherd.lua", before), "OLD"));
    assert_true(has_text(at(box, "b/data/%s/views_0/only-old.html", before), "x"));
    assert_true(is_there(at(box, "b/data/%s/shepherd.db-wal", before)));
    assert_true(is_there(at(box, "b/data/%s/shepherd.db", before)));
}

/* An archive of somebody else's making lets in whom they like: that is told before it is put back.
 */
static void who_comes_along(void **state)
{
    struct box *box = *state;
    make_world(box, "a", "NEW");
    json_t *about = unpack(box, back_up(box, "a", "none.tar.gz"), "none");
    assert_int_equal(json_integer_value(json_object_get(about, "users")), 0);
    assert_int_equal(json_integer_value(json_object_get(about, "tokens")), 0);
    assert_int_equal(json_array_size(json_object_get(about, "user_list")), 0);
    json_decref(about);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(at(box, "a/data/shepherd.db"), &db), SQLITE_OK);
    const char *sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
                      " INSERT INTO users SELECT i, CASE i WHEN 1 THEN char(27, 91, 10) || 'x' || "
                      "replace(hex(zeroblob(40)), '00', 'ab') ELSE 'user' || i END,"
                      " CASE i WHEN 40 THEN 'admin' ELSE 'viewer' END, 'h', 1 FROM n;"
                      "INSERT INTO tokens VALUES(1, 'grafana', 'h', 'viewer', 1, NULL, 'admin')";
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    about = unpack(box, back_up(box, "a", "some.tar.gz"), "some");
    const json_t *list = json_object_get(about, "user_list");
    assert_int_equal(json_integer_value(json_object_get(about, "users")), 40);
    assert_int_equal(json_integer_value(json_object_get(about, "tokens")), 1);
    assert_int_equal(json_array_size(list), 16);
    const json_t *first = json_array_get(list, 0), *odd = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "user40");
    assert_string_equal(json_string_value(json_object_get(first, "role")), "admin");
    assert_string_equal(json_string_value(json_object_get(odd, "name")),
                        "???xabababababababababababababab");
    json_decref(about);
}

static void into_nothing(void **state)
{
    struct box *box = *state;
    struct places to;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz");
    assert_int_equal(dir_make(at(box, "b/data"), 0755), 0);
    json_decref(unpack(box, file, "b/data/in"));
    assert_int_equal(backup_put(at(box, "b/data/in"), places(box, "b", &to), why), 0);
    assert_string_equal(why, "");
    assert_true(is_world(box, "b", "NEW"));
}

static void what_is_left_out(void **state)
{
    struct box *box = *state;
    struct places from;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    put_text(at(box, "a/views/.git/config"), "secret");
    put_text(at(box, "outside"), "secret");
    assert_int_equal(symlink("../../outside", at(box, "a/views/link.html")), 0);
    assert_int_equal(symlink("/", at(box, "a/views/deep/root")), 0);
    assert_int_equal(mkfifo(at(box, "a/views/pipe"), 0600), 0);
    struct backup_parts *parts = places(box, "a", &from);
    parts->db_copy = at(box, "a/data/shepherd.db");
    const char *file = at(box, "b.tar.gz");
    assert_int_equal(backup_write(parts, file, why), 0);
    assert_non_null(strstr(why, "4 hidden files or links"));
    json_t *about = unpack(box, file, "in");
    assert_int_equal(json_integer_value(json_object_get(about, "views")), 3);
    assert_false(is_there(at(box, "in/views/0/.git")));
    assert_false(is_there(at(box, "in/views/0/link.html")));
    json_decref(about);
}

static void what_cannot_be_written(void **state)
{
    struct box *box = *state;
    struct places from;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    struct backup_parts *parts = places(box, "a", &from);
    parts->db_copy = at(box, "a/data/shepherd.db");
    assert_int_equal(backup_write(parts, at(box, "no/such/folder/b"), why), SHEP_E_IO);
    assert_non_null(strstr(why, "no/such/folder"));
    put_text(at(box, "b"), "the backup of last week");
    int fd = open(at(box, "a/views/huge.bin"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, VIEW_BYTES_MAX + 1), 0);
    close(fd);
    assert_int_equal(backup_write(parts, at(box, "b"), why), SHEP_E_IO);
    assert_non_null(strstr(why, "huge.bin"));
    assert_int_equal(unlink(at(box, "a/views/huge.bin")), 0);
    put_noise(at(box, "a/views/noise.bin"), 200000);
    struct rlimit before, small = {100000, RLIM_INFINITY}; /* the disk fails in the middle */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &small);
    int err = backup_write(parts, at(box, "b"), why);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err, SHEP_E_IO);
    assert_true(has_text(at(box, "b"), "the backup of last week"));
    assert_false(is_there(at(box, "b.tmp%d", (int)getpid())));
}

/* ---- killed, failing ---- */

/* OLD in b, NEW unpacked beside it, as made once. */
static void make_pair(struct box *box, const char *file)
{
    backup_discard(at(box, "b"));
    make_world(box, "b", "OLD");
    put_text(at(box, "b/data/shepherd.db-wal"), ""); /* as a daemon leaves it that was killed */
    json_decref(unpack(box, file, "b/data/in"));
}

static int put_in_child(struct box *box, int kill_before, int kill_after)
{
    pid_t pid = fork();
    if (pid == 0) {
        char why[BACKUP_WHY_MAX];
        struct places to;
        struct backup_parts *parts = places(box, "b", &to);
        renames.n = 0;
        renames.kill_before = kill_before;
        renames.kill_after = kill_after;
        _exit(backup_put(at(box, "b/data/in"), parts, why) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void forget_paths(struct box *box, size_t n)
{
    while (box->n > n)
        free(box->paths[--box->n]);
}

/* At each rename, before it and after it: afterwards all is old or all is new, and when something
 * was moved already, it is new. */
static void killed(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz");
    size_t n_paths = box->n;
    bool killed_once = true;
    int n_old = 0, n_new = 0;
    for (int i = 1; killed_once; i++) {
        killed_once = false;
        for (int after = 0; after < 2; after++) {
            make_pair(box, file);
            int status = put_in_child(box, after ? 0 : i, after ? i : 0);
            killed_once |= WIFSIGNALED(status);
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
            assert_int_equal(backup_recover(at(box, "b/data"), why), 0);
            assert_false(is_there(at(box, "b/data/restore.json")));
            bool is_new = is_world(box, "b", "NEW"), is_old = is_world(box, "b", "OLD");
            if (is_new == is_old)
                fail_msg("killed %s rename %d: neither old nor new", after ? "after" : "before", i);
            n_old += is_old;
            n_new += is_new;
            assert_int_equal(backup_recover(at(box, "b/data"), why), 0); /* nothing left to do */
            assert_string_equal(why, "");
            forget_paths(box, n_paths);
        }
    }
    assert_true(n_old >= 1 && n_new > 10);
}

static void a_rename_fails(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz");
    size_t n_paths = box->n;
    int n_failed = 0;
    for (int i = 1;; i++) {
        struct places to;
        make_pair(box, file);
        struct backup_parts *parts = places(box, "b", &to);
        renames.n = 0;
        renames.fail_at = renames.fail_to = i;
        int err = backup_put(at(box, "b/data/in"), parts, why);
        renames.fail_at = 0;
        assert_false(is_there(at(box, "b/data/restore.json")));
        assert_true(is_world(box, "b", err ? "OLD" : "NEW"));
        assert_true(!err || why[0]);
        forget_paths(box, n_paths);
        if (!err)
            break;
        n_failed++;
    }
    assert_true(n_failed > 10);
}

/* Whatever the disk says: what is told is what is there, and the next start does nothing more. */
static void a_sync_fails(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz");
    size_t n_paths = box->n;
    int n_old = 0, n_new = 0;
    for (int i = 1;; i++) {
        struct places to;
        make_pair(box, file);
        struct backup_parts *parts = places(box, "b", &to);
        fake.n = 0;
        fake.fail_at = i;
        int err = backup_put(at(box, "b/data/in"), parts, why);
        bool failed = fake.n >= i;
        fake.fail_at = 0;
        assert_false(is_there(at(box, "b/data/restore.json")));
        assert_int_equal(backup_recover(at(box, "b/data"), why), 0);
        assert_true(is_world(box, "b", err ? "OLD" : "NEW"));
        n_old += err != 0;
        n_new += failed && !err;
        forget_paths(box, n_paths);
        if (!failed)
            break;
    }
    assert_true(n_old > 10 && n_new > 10);
}

/* It fails, and taking back fails too: nothing is lost, and the next start finds it. */
static void all_renames_fail(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    struct places to;
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz");
    make_pair(box, file);
    struct backup_parts *parts = places(box, "b", &to);
    renames.n = 0;
    renames.fail_at = 5;
    renames.fail_to = 1000;
    assert_int_equal(backup_put(at(box, "b/data/in"), parts, why), SHEP_E_BUSY);
    assert_int_equal(backup_recover(at(box, "b/data"), why), SHEP_E_BUSY);
    renames.fail_at = 0;
    assert_non_null(strstr(why, "restore.json"));
    assert_true(is_there(at(box, "b/data/in")));
    assert_int_equal(backup_recover(at(box, "b/data"), why), 0);
    assert_non_null(strstr(why, "carried out"));
    assert_true(is_world(box, "b", "NEW"));
}

static void a_broken_journal(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    static const char *const texts[] = {"{", "{}", "[{}]", "[1]", "[{\"to\":\"/x\"}]", ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        put_text(at(box, "d/restore.json"), texts[i]);
        assert_int_equal(backup_recover(at(box, "d"), why), SHEP_E_FORMAT);
        assert_non_null(strstr(why, "restore.json"));
        assert_true(is_there(at(box, "d/restore.json")));
    }
    assert_int_equal(backup_recover(at(box, "nothing"), why), 0);
}

static void another_ones_journal(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    const char *dir = at(box, "d"), *journal = at(box, "d/restore.json"), *moved = at(box, "d/b");
    put_text(at(box, "d/a"), "x");
    char *plan = shep_asprintf("[{\"to\":\"%s\",\"new\":null,\"old\":\"%s\",\"had\":true}]",
                               at(box, "d/a"), moved);
    put_text(journal, plan);
    free(plan);
    const struct {
        const char *path;
        mode_t mode;
    } open_to_others[] = {{dir, 0777}, {dir, 0775}, {journal, 0666}, {journal, 0620}};
    for (size_t i = 0; i < ARRAY_LEN(open_to_others); i++) {
        struct stat before;
        assert_int_equal(stat(open_to_others[i].path, &before), 0);
        assert_int_equal(chmod(open_to_others[i].path, open_to_others[i].mode), 0);
        assert_int_equal(backup_recover(dir, why), SHEP_E_FORMAT);
        assert_non_null(strstr(why, "chmod go-w"));
        assert_int_equal(chmod(open_to_others[i].path, before.st_mode & 07777), 0);
    }
    bool root = __real_geteuid() == 0; /* what is root's is believed: give it to somebody */
    const char *const parts[] = {dir, journal};
    for (size_t i = 0; i < (root ? 2 : 1); i++) {
        assert_true(!root || chown(parts[i], 12345, (gid_t)-1) == 0);
        fake.uid = root ? 0 : 12345;
        assert_int_equal(backup_recover(dir, why), SHEP_E_FORMAT);
        fake.uid = 0;
        assert_non_null(strstr(why, "belongs to uid"));
        assert_true(!root || chown(parts[i], 0, (gid_t)-1) == 0);
    }
    assert_int_equal(rename(journal, at(box, "d/elsewhere")), 0);
    assert_int_equal(symlink("elsewhere", journal), 0);
    assert_int_equal(backup_recover(dir, why), SHEP_E_FORMAT);
    assert_false(is_there(moved));
    assert_int_equal(rename(at(box, "d/elsewhere"), journal), 0);
    assert_int_equal(backup_recover(dir, why), 0);
    assert_true(is_there(moved));
}

/* ---- a full disk ---- */

static bool mount_small(const char *dir)
{
    uid_t uid = geteuid();
    return unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, "size=20m") == 0; /* 4 MB more than the reserve */
}

static int on_small_disk(struct box *box, const char *file)
{
    char why[BACKUP_WHY_MAX];
    struct places from;
    json_t *about;
    struct backup_parts *parts = places(box, "a", &from);
    parts->db_copy = at(box, "a/data/shepherd.db");
    if (!mount_small(at(box, "small")))
        return SKIPPED;
    put_text(at(box, "small/last-week"), "x");
    if (backup_write(parts, at(box, "small/last-week"), why) != SHEP_E_IO || !strstr(why, "room"))
        return 1;
    if (!has_text(at(box, "small/last-week"), "x"))
        return 2;
    if (backup_unpack(file, at(box, "small/in"), &about, why) != SHEP_E_LIMIT ||
        !strstr(why, "room") || is_there(at(box, "small/in")))
        return 3;
    struct dirent **list;
    return scandir(at(box, "small"), &list, NULL, NULL) == 3 ? 0 : 4; /* . .. last-week */
}

static void full_disk(void **state)
{
    struct box *box = *state;
    make_world(box, "a", "NEW");
    assert_int_equal(dir_make(at(box, "small"), 0755), 0);
    put_noise(at(box, "a/views/noise.bin"), 12 << 20);
    const char *file = back_up(box, "a", "backup.tar.gz");
    pid_t pid = fork();
    if (pid == 0)
        _exit(on_small_disk(box, file));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        print_message("skipped: no mount namespace here (needs root or unprivileged user "
                      "namespaces)\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_trip),           TEST(who_comes_along),        TEST(into_nothing),
        TEST(what_is_left_out),     TEST(what_cannot_be_written), TEST(killed),
        TEST(a_rename_fails),       TEST(all_renames_fail),       TEST(a_broken_journal),
        TEST(another_ones_journal), TEST(a_sync_fails),           TEST(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
