/* What the tests of backups share: a folder of their own, a whole Shepherd in it, a backup of it.
 */
#ifndef TEST_BACKUP_UTIL_H
#define TEST_BACKUP_UTIL_H

#include "test_store_util.h"

#include "backup/backup.h"
#include "backup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

/* ---- a folder for each test ---- */

struct box {
    char dir[200];
    char *paths[512];
    size_t n;
};

/* dir/fmt…; freed at the end of the test. */
static inline const char *at(struct box *box, const char *fmt, ...) SHEP_PRINTF(2, 3);
static inline const char *at(struct box *box, const char *fmt, ...)
{
    char name[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    assert_true(box->n < ARRAY_LEN(box->paths));
    return box->paths[box->n++] = path_join_dup(box->dir, name);
}

static inline int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    struct box *box = shep_alloc(sizeof *box);
    snprintf(box->dir, sizeof box->dir, "%s/shep-backup-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(box->dir));
    *state = box;
    return 0;
}

static inline int teardown(void **state)
{
    struct box *box = *state;
    backup_discard(box->dir);
    for (size_t i = 0; i < box->n; i++)
        free(box->paths[i]);
    free(box);
    return 0;
}

static inline void put_text(const char *path, const char *text)
{
    char *dir = dir_of_dup(path);
    assert_int_equal(dir_make(dir, 0755), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
    free(dir);
}

/* Bytes that do not pack, so that the archive is long. */
static inline void put_noise(const char *path, size_t n)
{
    char *bytes = shep_alloc(n);
    randombytes_buf_deterministic(bytes, n,
                                  (const unsigned char *)"0123456789abcdef0123456789abcdef");
    assert_int_equal(file_write_atomic(path, bytes, n, 0644), 0);
    free(bytes);
}

static inline bool has_text(const char *path, const char *text)
{
    char *got = file_read_dup(path, 1 << 20, NULL);
    bool same = str_eq(got, text);
    free(got);
    return same;
}

static inline bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- a database of ours with one miner of that name ---- */

static inline void make_db(const char *dir, const char *miner)
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
static inline void make_world(struct box *box, const char *dir, const char *tag)
{
    make_db(at(box, "%s/data", dir), tag);
    put_text(at(box, "%s/data/admin_password", dir), tag);
    put_text(at(box, "%s/data/btc_price.json", dir), tag);
    put_text(at(box, "%s/etc/shepherd.lua", dir), tag);
    put_text(at(box, "%s/views/index.html", dir), tag);
    put_text(at(box, "%s/views/deep/er/x y.lua", dir), tag);
    put_text(at(box, "%s/more/a.html", dir), tag);
}

static inline bool is_world(struct box *box, const char *dir, const char *tag)
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

static inline struct backup_parts *places(struct box *box, const char *dir, struct places *out)
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
static inline const char *back_up(struct box *box, const char *dir, const char *name)
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

static inline json_t *unpack(struct box *box, const char *file, const char *into)
{
    char why[BACKUP_WHY_MAX];
    json_t *about = NULL;
    if (backup_unpack(file, at(box, "%s", into), &about, why) != 0)
        fail_msg("%s", why);
    return about;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#endif
