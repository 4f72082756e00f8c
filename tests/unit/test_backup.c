/* Backups: round trips, hostile archives, full disks, and a restore that is killed or fails at each
 * of its renames. */
#include "test_store_util.h"

#include "backup/backup.h"
#include "backup/internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SKIPPED = 77 };

/* ---- a folder for each test ---- */

struct box {
    char dir[200];
    char *paths[512];
    size_t n;
};

/* dir/fmt…; freed at the end of the test. */
static const char *at(struct box *box, const char *fmt, ...) SHEP_PRINTF(2, 3);
static const char *at(struct box *box, const char *fmt, ...)
{
    char name[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    assert_true(box->n < ARRAY_LEN(box->paths));
    return box->paths[box->n++] = path_join_dup(box->dir, name);
}

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    struct box *box = shep_alloc(sizeof *box);
    snprintf(box->dir, sizeof box->dir, "%s/shep-backup-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(box->dir));
    *state = box;
    return 0;
}

static int teardown(void **state)
{
    struct box *box = *state;
    backup_discard(box->dir);
    for (size_t i = 0; i < box->n; i++)
        free(box->paths[i]);
    free(box);
    return 0;
}

static void put_text(const char *path, const char *text)
{
    char *dir = dir_of_dup(path);
    assert_int_equal(dir_make(dir, 0755), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
    free(dir);
}

/* Bytes that do not pack, so that the archive is long. */
static void put_noise(const char *path, size_t n)
{
    char *bytes = shep_alloc(n);
    randombytes_buf_deterministic(bytes, n,
                                  (const unsigned char *)"0123456789abcdef0123456789abcdef");
    assert_int_equal(file_write_atomic(path, bytes, n, 0644), 0);
    free(bytes);
}

static bool has_text(const char *path, const char *text)
{
    char *got = file_read_dup(path, 1 << 20, NULL);
    bool same = str_eq(got, text);
    free(got);
    return same;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

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

/* ---- a database of ours with one miner of that name ---- */

static void make_db(const char *dir, const char *miner)
{
    struct store_conf conf = {.data_dir = dir};
    struct loop *loop = loop_new(1);
    struct store *store = NULL;
    char err[600];
    log_set_level(SHEP_LOG_ERROR);
    if (store_open(&conf, loop, &store, err, sizeof err, NULL) != 0)
        fail_msg("%s", err);
    struct store_miner put = {.name = miner, .source = "serial", .path = "/dev/ttyUSB0"};
    int64_t id = store_miner_put(store, &put);
    for (int i = 0; i < 200; i++)
        store_line(store, id, 60000 + i, "a line of the log", 17);
    store_close(store);
    loop_free(loop);
}

/* A whole Shepherd under dir, marked by tag. */
static void make_world(struct box *box, const char *dir, const char *tag)
{
    make_db(at(box, "%s/data", dir), tag);
    put_text(at(box, "%s/data/admin_password", dir), tag);
    put_text(at(box, "%s/data/btc_price.json", dir), tag);
    put_text(at(box, "%s/etc/shepherd.lua", dir), tag);
    put_text(at(box, "%s/views/index.html", dir), tag);
    put_text(at(box, "%s/views/deep/er/x y.lua", dir), tag);
    put_text(at(box, "%s/more/a.html", dir), tag);
}

static bool is_world(struct box *box, const char *dir, const char *tag)
{
    char *miner = sql_text_at(at(box, "%s/data/shepherd.db", dir), "SELECT miner_id FROM miners");
    bool is = str_eq(miner, tag) && has_text(at(box, "%s/data/admin_password", dir), tag) &&
              has_text(at(box, "%s/data/btc_price.json", dir), tag) &&
              has_text(at(box, "%s/etc/shepherd.lua", dir), tag) &&
              has_text(at(box, "%s/views/index.html", dir), tag) &&
              has_text(at(box, "%s/views/deep/er/x y.lua", dir), tag) &&
              has_text(at(box, "%s/more/a.html", dir), tag);
    free(miner);
    return is;
}

struct places {
    const char *views[2];
    struct backup_parts parts;
};

static struct backup_parts *places(struct box *box, const char *dir, struct places *out)
{
    out->views[0] = at(box, "%s/views", dir);
    out->views[1] = at(box, "%s/more", dir);
    out->parts = (struct backup_parts){.data_dir = at(box, "%s/data", dir),
                                       .config_file = at(box, "%s/etc/shepherd.lua", dir),
                                       .view_dirs = out->views,
                                       .n_view_dirs = 2};
    return &out->parts;
}

/* The world in dir as a file. */
static const char *back_up(struct box *box, const char *dir, const char *name)
{
    char why[BACKUP_WHY_MAX];
    struct places from;
    struct backup_parts *parts = places(box, dir, &from);
    const char *out = at(box, "%s", name), *copy = at(box, "%s.copy", name);
    int err = store_copy_file(at(box, "%s/data/shepherd.db", dir), copy, true, why, sizeof why);
    if (err)
        fail_msg("%s", why);
    parts->db_copy = copy;
    parts->with_logs = true;
    if (backup_write(parts, out, why) != 0)
        fail_msg("%s", why);
    unlink(copy);
    return out;
}

static json_t *unpack(struct box *box, const char *file, const char *into)
{
    char why[BACKUP_WHY_MAX];
    json_t *about = NULL;
    if (backup_unpack(file, at(box, "%s", into), &about, why) != 0)
        fail_msg("%s", why);
    return about;
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

/* ---- names ---- */

static void names(void **state)
{
    static const char *const good[] = {
        "shepherd-backup.json", "shepherd.db",        "admin_password",      "btc_price.json",
        "views/0/a.html",       "views/31/b/c/d.lua", "config/shepherd.lua", "views/2/ä b.html"};
    static const char *const bad[] = {"",
                                      "/etc/passwd",
                                      "../x",
                                      "views/0/../../x",
                                      "views/0/..",
                                      "views/0/.",
                                      "views/0/",
                                      "views/0",
                                      "views/",
                                      "views/x/a",
                                      "views/32/a",
                                      "views/00/a",
                                      "views/-1/a",
                                      "views/0//a",
                                      "views/0/a//b",
                                      "views/0/.hidden",
                                      "views/0/a/.git/x",
                                      "./shepherd.db",
                                      "shepherd.db/",
                                      "shepherd.db-wal",
                                      "config/other.lua",
                                      "views/0/a\nb",
                                      "views/0/a\x7f",
                                      "views/0/a\\b",
                                      "views/99999999999999999999/a",
                                      "Shepherd.db",
                                      "views/0/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    struct part_name part;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (!part_name_parse(good[i], &part))
            fail_msg("%s", good[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (part_name_parse(bad[i], &part))
            fail_msg("%s", bad[i]);
    }
    assert_false(part_name_parse(NULL, &part));
    char longest[NAME_BYTES_MAX + 2];
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "views/0/", 8);
    longest[sizeof longest - 1] = '\0';
    assert_false(part_name_parse(longest, &part));
}

/* ---- archives of an enemy ---- */

struct item {
    const char *name, *text;
    unsigned type; /* 0: a file */
    const char *symlink, *hardlink;
    int64_t zeros; /* so many instead of text */
    bool sparse;
};
static const struct item end_of_items = {0};
#define ITEM(n, ...)                                                                               \
    {                                                                                              \
        .name = (n), __VA_ARGS__                                                                   \
    }
#define TEXT(n, t)                                                                                 \
    {                                                                                              \
        .name = (n), .text = (t)                                                                   \
    }
#define ABOUT_IS(t) TEXT("shepherd-backup.json", t)
#define ABOUT       ABOUT_IS("{\"format\":1,\"version\":\"9\",\"made_at_ms\":5}")

static void put_zeros(struct archive *a, int64_t n)
{
    static char zeros[65536];
    for (; n > 0; n -= (int64_t)sizeof zeros)
        assert_true(
            archive_write_data(a, zeros, n < (int64_t)sizeof zeros ? (size_t)n : sizeof zeros) > 0);
}

/* with_sums: its end is right, so that only the other mistake counts. */
static void make_archive(const char *path, const struct item *items, bool with_sums, bool gzip)
{
    struct archive *a = archive_write_new();
    struct buf sums = {0};
    if (gzip)
        archive_write_add_filter_gzip(a);
    archive_write_set_format_pax_restricted(a);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    for (const struct item *item = items; item->name || with_sums; item++) {
        struct archive_entry *entry = archive_entry_new();
        bool last = !item->name;
        const char *text = last ? (sums.data ? sums.data : "") : item->text ? item->text : "";
        size_t len = last ? sums.len : strlen(text);
        archive_entry_set_pathname(entry, last ? "shepherd-backup.sha256" : item->name);
        archive_entry_set_filetype(entry, item->type ? item->type : AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, item->zeros ? item->zeros : (int64_t)len);
        if (item->symlink)
            archive_entry_set_symlink(entry, item->symlink);
        if (item->hardlink)
            archive_entry_set_hardlink(entry, item->hardlink);
        if (item->sparse)
            archive_entry_sparse_add_entry(entry, 0, 1);
        assert_true(archive_write_header(a, entry) >= ARCHIVE_WARN);
        if (item->zeros)
            put_zeros(a, item->zeros);
        else if (archive_entry_size(entry) > 0)
            archive_write_data(a, text, len);
        archive_entry_free(entry);
        if (last)
            break;
        unsigned char sum[32];
        char hex[65];
        crypto_hash_sha256(sum, (const unsigned char *)text, len);
        buf_printf(&sums, "%s  %s\n", sodium_bin2hex(hex, sizeof hex, sum, sizeof sum), item->name);
    }
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    buf_free(&sums);
}

static int try_unpack(struct box *box, const char *file, char why[BACKUP_WHY_MAX])
{
    json_t *about = NULL;
    const char *into = at(box, "into");
    int err = backup_unpack(file, into, &about, why);
    if (err && (is_there(into) || about || !why[0]))
        fail_msg("%s: something is left behind (%s)", file, why);
    if (!err)
        backup_discard(into);
    json_decref(about);
    return err;
}

#define REFUSED(want, words, ...)                                                                  \
    do {                                                                                           \
        const struct item items_[] = {__VA_ARGS__, end_of_items};                                  \
        char why_[BACKUP_WHY_MAX];                                                                 \
        const char *file_ = at(box, "hostile.tar.gz");                                             \
        make_archive(file_, items_, true, true);                                                   \
        int err_ = try_unpack(box, file_, why_);                                                   \
        if (err_ != (want) || !strstr(why_, words))                                                \
            fail_msg("line %d: %d %s", __LINE__, err_, why_);                                      \
        unlink(file_);                                                                             \
    } while (0)

static void hostile(void **state)
{
    struct box *box = *state;
    const char *name = "name that no backup has", *plain = "plain files", *twice = "name twice";
    REFUSED(SHEP_E_FORMAT, name, ABOUT, TEXT("../evil", "x"));
    REFUSED(SHEP_E_FORMAT, name, ABOUT, TEXT("/tmp/evil", "x"));
    REFUSED(SHEP_E_FORMAT, name, ABOUT, TEXT("views/0/../../../evil", "x"));
    REFUSED(SHEP_E_FORMAT, name, ABOUT, TEXT("views/0/.ssh/authorized_keys", "x"));
    REFUSED(SHEP_E_FORMAT, name, ABOUT, TEXT("shepherd.db-wal", "x"));
    REFUSED(SHEP_E_FORMAT, plain, ABOUT,
            ITEM("views/0/l", .type = AE_IFLNK, .symlink = "/etc/passwd"));
    REFUSED(SHEP_E_FORMAT, plain, ABOUT, ITEM("shepherd.db", .hardlink = "/etc/passwd"));
    REFUSED(SHEP_E_FORMAT, name, ABOUT, ITEM("views/0/d", .type = AE_IFDIR)); /* "views/0/d/" */
    REFUSED(SHEP_E_FORMAT, plain, ABOUT, ITEM("views/0/c", .type = AE_IFCHR));
    REFUSED(SHEP_E_FORMAT, plain, ABOUT, ITEM("views/0/p", .type = AE_IFIFO));
    REFUSED(SHEP_E_FORMAT, twice, ABOUT, TEXT("admin_password", "a"), TEXT("admin_password", "b"));
    REFUSED(SHEP_E_FORMAT, twice, ABOUT, TEXT("views/0/a", "a"), TEXT("views/0/a/b", "b"));
    REFUSED(SHEP_E_FORMAT, twice, ABOUT, TEXT("views/0/a/b", "a"), TEXT("views/0/a", "b"));
    REFUSED(SHEP_E_FORMAT, twice, ABOUT, ABOUT);
    REFUSED(SHEP_E_FORMAT, "does not say", TEXT("shepherd.db", "x"), ABOUT);
    REFUSED(SHEP_E_FORMAT, "does not say", TEXT("shepherd-backup.json", "no JSON"));
    REFUSED(SHEP_E_FORMAT, "does not say", TEXT("shepherd-backup.json", "[1]"));
    REFUSED(SHEP_E_FORMAT, "does not say", TEXT("shepherd-backup.json", "{\"format\":\"1\"}"));
    REFUSED(SHEP_E_FORMAT, "too large", ABOUT, ITEM("admin_password", .zeros = 5000));
    REFUSED(SHEP_E_FORMAT, "too large", ABOUT, ITEM("views/0/big", .zeros = VIEW_BYTES_MAX + 1));
    REFUSED(SHEP_E_FORMAT, "no database", ABOUT, TEXT("admin_password", "a"));
    REFUSED(SHEP_E_FORMAT, "database", ABOUT,
            TEXT("shepherd.db", "not a database, just some text"));
    REFUSED(SHEP_E_UNSUPPORTED, "newer Shepherd (7.0)",
            TEXT("shepherd-backup.json",
                 "{\"format\":2,\"version\":\"7.0\",\"made_at_ms\":5,\"new\":true}"));
    assert_false(is_there(at(box, "evil")));
}

/* What the first lines say does not count without the last one. */
static void sums_are_checked(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    const struct item none[] = {ABOUT, TEXT("admin_password", "a"), end_of_items};
    make_archive(at(box, "x"), none, false, true);
    assert_int_equal(try_unpack(box, at(box, "x"), why), SHEP_E_FORMAT);
    assert_non_null(strstr(why, "its end is missing"));
    const struct item wrong[] = {ABOUT, TEXT("admin_password", "a"),
                                 TEXT("shepherd-backup.sha256", "00  admin_password\n"),
                                 end_of_items};
    make_archive(at(box, "y"), wrong, false, true);
    assert_int_equal(try_unpack(box, at(box, "y"), why), SHEP_E_FORMAT);
    assert_non_null(strstr(why, "checksums"));
    put_text(at(box, "z"), "not an archive at all, but long enough to be looked at");
    assert_int_equal(try_unpack(box, at(box, "z"), why), SHEP_E_FORMAT);
    put_text(at(box, "empty"), "");
    assert_int_equal(try_unpack(box, at(box, "empty"), why), SHEP_E_FORMAT);
    assert_int_equal(try_unpack(box, box->dir, why), SHEP_E_FORMAT);
    assert_int_equal(try_unpack(box, at(box, "nothing"), why), SHEP_E_IO);
    assert_int_equal(mkfifo(at(box, "fifo"), 0600), 0); /* opened, it would wait for ever */
    assert_int_equal(try_unpack(box, at(box, "fifo"), why), SHEP_E_FORMAT);
}

static void after_the_end(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    struct buf sums = {0};
    const char *const texts[] = {"{\"format\":1,\"version\":\"9\",\"made_at_ms\":5}", "a"};
    const char *const files[] = {"shepherd-backup.json", "admin_password"};
    for (int i = 0; i < 2; i++) {
        unsigned char sum[32];
        char hex[65];
        crypto_hash_sha256(sum, (const unsigned char *)texts[i], strlen(texts[i]));
        buf_printf(&sums, "%s  %s\n", sodium_bin2hex(hex, sizeof hex, sum, sizeof sum), files[i]);
    }
    const struct item items[] = {ABOUT, TEXT("admin_password", "a"),
                                 TEXT("shepherd-backup.sha256", sums.data),
                                 TEXT("views/0/late.html", "x"), end_of_items};
    make_archive(at(box, "x"), items, false, true);
    assert_int_equal(try_unpack(box, at(box, "x"), why), SHEP_E_FORMAT);
    assert_non_null(strstr(why, "follows its end"));
    buf_free(&sums);
}

static void a_bomb(void **state)
{
    struct box *box = *state;
    REFUSED(SHEP_E_FORMAT, "far more comes out", ABOUT, ITEM("shepherd.db", .zeros = 200 << 20));
}

static void too_many_files(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    struct item *items = shep_alloc_array(FILES_MAX + 40, sizeof *items);
    items[0] = (struct item)ABOUT;
    for (int i = 1; i < FILES_MAX + 30; i++)
        items[i] = (struct item){.name = shep_asprintf("views/0/%d", i), .text = "x"};
    make_archive(at(box, "many"), items, true, true);
    assert_int_equal(try_unpack(box, at(box, "many"), why), SHEP_E_FORMAT);
    assert_non_null(strstr(why, "too many files"));
    for (int i = 1; i < FILES_MAX + 30; i++)
        free((char *)items[i].name);
    free(items);
}

static void truncated(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    put_noise(at(box, "a/views/noise.bin"), 60000);
    const char *file = back_up(box, "a", "backup.tar.gz");
    size_t len;
    char *bytes = file_read_dup(file, 1 << 20, &len);
    assert_true(len > 60000);
    const char *cut = at(box, "cut.tar.gz");
    for (size_t n = 0; n < len; n += 512) {
        assert_int_equal(file_write_atomic(cut, bytes, n, 0600), 0);
        int err = try_unpack(box, cut, why);
        if (err != SHEP_E_FORMAT)
            fail_msg("cut at %zu of %zu: %d", n, len, err);
    }
    free(bytes);
}

/* Whatever byte is wrong: it is noticed, or it was one that does not matter. */
static void flipped(void **state)
{
    struct box *box = *state;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    const char *file = back_up(box, "a", "backup.tar.gz"), *bad = at(box, "bad.tar.gz");
    size_t len, noticed = 0, tried = 0;
    char *bytes = file_read_dup(file, 1 << 20, &len);
    for (size_t i = 0; i < len; i += 23, tried++) {
        bytes[i] ^= 0x10;
        assert_int_equal(file_write_atomic(bad, bytes, len, 0600), 0);
        int err = try_unpack(box, bad, why);
        assert_true(err == 0 || err == SHEP_E_FORMAT || err == SHEP_E_UNSUPPORTED);
        noticed += err != 0;
        bytes[i] ^= 0x10;
    }
    assert_true(noticed + 4 >= tried); /* gzip's own header */
    free(bytes);
}

/* The archive is whole, the database in it is not. */
static void damaged_database(void **state)
{
    struct box *box = *state;
    struct places from;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    struct backup_parts *parts = places(box, "a", &from);
    parts->db_copy = at(box, "a/data/shepherd.db");
    int fd = open(parts->db_copy, O_WRONLY);
    char noise[1024];
    memset(noise, 0xA5, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 4096), (ssize_t)sizeof noise);
    close(fd);
    assert_int_equal(backup_write(parts, at(box, "b"), why), 0);
    assert_int_equal(try_unpack(box, at(box, "b"), why), SHEP_E_FORMAT);
    assert_non_null(strstr(why, "database"));
}

static void newer_database(void **state)
{
    struct box *box = *state;
    struct places from;
    char why[BACKUP_WHY_MAX];
    make_world(box, "a", "NEW");
    struct backup_parts *parts = places(box, "a", &from);
    parts->db_copy = at(box, "a/data/shepherd.db");
    sql_int_at(parts->db_copy, "PRAGMA user_version = 999");
    sql_int_at(parts->db_copy, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(backup_write(parts, at(box, "b"), why), 0);
    assert_int_equal(try_unpack(box, at(box, "b"), why), SHEP_E_UNSUPPORTED);
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
    assert_int_equal(backup_put(at(box, "b/data/in"), parts, why), SHEP_E_IO);
    renames.fail_at = 0;
    assert_non_null(strstr(why, "restore.json"));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_trip),
        TEST(into_nothing),
        TEST(what_is_left_out),
        TEST(names),
        TEST(what_cannot_be_written),
        TEST(hostile),
        TEST(sums_are_checked),
        TEST(after_the_end),
        TEST(a_bomb),
        TEST(too_many_files),
        TEST(truncated),
        TEST(flipped),
        TEST(damaged_database),
        TEST(newer_database),
        TEST(killed),
        TEST(a_rename_fails),
        TEST(all_renames_fail),
        TEST(a_broken_journal),
        TEST(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
