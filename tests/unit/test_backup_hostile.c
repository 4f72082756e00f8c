/* Archives that somebody made to harm, that were cut off, or that went bad. */
#include "test_backup_util.h"

#include <archive.h>
#include <archive_entry.h>

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
                 "{\"format\":2,\"version\":\"7.0\",\"made_at_ms\":5,\"new\":true}"),
            TEXT("shepherd.db", "x"), TEXT("of/another/kind", "x"));
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
    const struct item bit[] = {ABOUT_IS("{\"format\":3,\"version\":\"9\",\"made_at_ms\":5}"),
                               TEXT("shepherd-backup.sha256", "00  shepherd-backup.json\n"),
                               end_of_items};
    make_archive(at(box, "bit"), bit, false, true); /* 1 ^ 2: it is not newer, but damaged */
    assert_int_equal(try_unpack(box, at(box, "bit"), why), SHEP_E_FORMAT);
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
        assert_true(err == 0 || err == SHEP_E_FORMAT);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names),          TEST(hostile), TEST(sums_are_checked),
        TEST(after_the_end),  TEST(a_bomb),  TEST(too_many_files),
        TEST(truncated),      TEST(flipped), TEST(damaged_database),
        TEST(newer_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
