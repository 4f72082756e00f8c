/* Databases of the Python Shepherd: of three versions of its schema, with a -wal, in use, in a
 * folder that cannot be written, hostile ones. Made here, with invented rows. */
#include "test_store_shim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int teardown(void **state)
{
    shim_on_read = NULL;
    return fix_teardown(state);
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *err = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &err) != SQLITE_OK)
        fail_msg("%s: %s", sql, err);
}

/* Of a file that was written just now it is not sure that it holds still. */
static void make_old(const char *path)
{
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static char *made(struct fix *fix, const char *sql)
{
    char *path = fix_path(fix, "python.db");
    unlink(path);
    sqlite3 *db = open_db(path);
    run(db, sql);
    sqlite3_close(db);
    return path;
}

static int read_it(const char *path, json_t **out, char err[600])
{
    err[0] = '\0';
    int result = store_read_python(path, out, err, 600);
    assert_true((result == 0) == (*out != NULL));
    assert_true((result == 0) == (err[0] == '\0'));
    assert_true(result == 0 || strstr(err, path));
    return result;
}

static void check_read(const char *path, const char *want_text)
{
    char err[600];
    json_t *want = json_loads(want_text, 0, NULL), *got = NULL;
    assert_non_null(want);
    if (read_it(path, &got, err) != 0)
        fail_msg("%s", err);
    char *text = json_dumps(got, JSON_SORT_KEYS);
    if (!json_equal(want, got))
        fail_msg("got %s", text);
    free(text);
    json_decref(want);
    json_decref(got);
}

/* ---- what it changed ---- */

struct bytes {
    char *data;
    size_t len;
    struct stat st;
};

static struct bytes bytes_of(const char *path)
{
    struct bytes b = {0};
    if (stat(path, &b.st) == 0)
        b.data = file_read_dup(path, 1 << 24, &b.len);
    return b;
}

static void same_bytes(struct bytes a, struct bytes b)
{
    assert_true((a.data != NULL) == (b.data != NULL));
    assert_int_equal(a.len, b.len);
    assert_true(a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
    assert_int_equal(a.st.st_mtim.tv_nsec, b.st.st_mtim.tv_nsec);
    assert_int_equal(a.st.st_mtim.tv_sec, b.st.st_mtim.tv_sec);
    assert_int_equal(a.st.st_ino, b.st.st_ino);
    free(a.data);
    free(b.data);
}

/* Reads, and nothing is different after it. */
static void check_read_only(const char *path, const char *want)
{
    char *wal = shep_asprintf("%s-wal", path), *shm = shep_asprintf("%s-shm", path);
    struct bytes before[3] = {bytes_of(path), bytes_of(wal), bytes_of(shm)};
    check_read(path, want);
    same_bytes(before[0], bytes_of(path));
    same_bytes(before[1], bytes_of(wal));
    same_bytes(before[2], bytes_of(shm));
    free(wal);
    free(shm);
}

/* ---- three versions ---- */

/* The first days: no WAL, a symlink for a path, values among the miners. */
#define FIRST                                                                                      \
    "CREATE TABLE miners (id INTEGER PRIMARY KEY, miner_id TEXT NOT NULL UNIQUE, chipset TEXT,"    \
    " attrs_idVendor TEXT, attrs_idProduct TEXT, attrs_serial TEXT, tty_symlink TEXT,"             \
    " nerdminer_rom TEXT, nerdminer_vrs TEXT, status TEXT DEFAULT 'unknown', hash_rate REAL,"      \
    " last_seen TEXT);"                                                                            \
    "CREATE TABLE miner_logs (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id INTEGER NOT NULL,"    \
    " timestamp TEXT NOT NULL, metric_key TEXT NOT NULL, metric_value TEXT);"                      \
    "INSERT INTO miners(miner_id, chipset, attrs_serial, tty_symlink, hash_rate) VALUES"           \
    " ('BARN-01', 'ESP32-S3', '001', '/dev/barn01', 55.1);"                                        \
    "INSERT INTO miner_logs(miner_id, timestamp, metric_key) VALUES (1, 'now', 'x');"

static void the_first_version(void **state)
{
    char *path = made(*state, FIRST);
    check_read_only(
        path,
        "{\"miners\":[{\"id\":1,\"miner_id\":\"BARN-01\",\"chipset\":\"ESP32-S3\","
        "\"attrs_idVendor\":null,\"attrs_idProduct\":null,\"attrs_serial\":\"001\","
        "\"tty_symlink\":\"/dev/barn01\",\"nerdminer_rom\":null,\"nerdminer_vrs\":null,"
        "\"status\":\"unknown\",\"last_seen\":null}],\"pools\":[],\"addresses\":[],"
        "\"strays\":[],\"summary\":[],\"notes\":[\"miners: the column \\\"hash_rate\\\" is not"
        " known and was left out\"]}");
    free(path);
}

/* With pools, addresses, a summary of texts, and unconfigured devices. */
#define MIDDLE                                                                                     \
    "PRAGMA journal_mode=WAL;"                                                                     \
    "CREATE TABLE miners (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id TEXT UNIQUE NOT NULL,"    \
    " chipset TEXT, dev_path TEXT UNIQUE, port_path TEXT, location_notes TEXT,"                    \
    " status TEXT DEFAULT 'unknown');"                                                             \
    "CREATE TABLE unconfigured_devices (id INTEGER PRIMARY KEY AUTOINCREMENT,"                     \
    " dev_path TEXT UNIQUE NOT NULL, port_path TEXT UNIQUE, vendor_id TEXT, product_id TEXT,"      \
    " serial_number TEXT, discovered_at TEXT NOT NULL);"                                           \
    "CREATE TABLE miner_summary (miner_id INTEGER PRIMARY KEY, last_updated TEXT, \"KH/s\" TEXT,"  \
    " \"Valid blocks\" TEXT, \"Best difficulty\" TEXT, last_mhashes_cumulative REAL);"             \
    "CREATE TABLE pools (id INTEGER PRIMARY KEY AUTOINCREMENT, pool_name TEXT NOT NULL UNIQUE,"    \
    " pool_url TEXT NOT NULL, pool_port INTEGER NOT NULL, pool_user TEXT NOT NULL,"                \
    " pool_pass TEXT DEFAULT 'x', is_active INTEGER DEFAULT 0);"                                   \
    "CREATE TABLE coin_addresses (id INTEGER PRIMARY KEY AUTOINCREMENT, coin_ticker TEXT NOT"      \
    " NULL, address TEXT NOT NULL UNIQUE, label TEXT);"                                            \
    "INSERT INTO miners(miner_id, port_path, location_notes) VALUES ('caf\xc3\xa9', '1-1.2', '');" \
    "INSERT INTO unconfigured_devices(dev_path, discovered_at) VALUES ('/dev/ttyUSB3', 'then');"   \
    "INSERT INTO miner_summary VALUES (1, 'now', '55.1', '0', '1.2M', 12.5);"                      \
    "INSERT INTO pools(pool_name, pool_url, pool_port, pool_user, is_active) VALUES"               \
    " ('P', 'p.org', 3333, 'bc1q.x', 1);"                                                          \
    "INSERT INTO coin_addresses(coin_ticker, address) VALUES ('BTC', 'bc1q');"

#define MIDDLE_JSON                                                                                \
    "{\"miners\":[{\"id\":1,\"miner_id\":\"caf\\u00e9\",\"chipset\":null,\"dev_path\":null,"       \
    "\"port_path\":\"1-1.2\",\"location_notes\":\"\",\"status\":\"unknown\"}],"                    \
    "\"pools\":[{\"id\":1,\"pool_name\":\"P\",\"pool_url\":\"p.org\",\"pool_port\":3333,"          \
    "\"pool_user\":\"bc1q.x\",\"pool_pass\":\"x\",\"is_active\":1}],"                              \
    "\"addresses\":[{\"id\":1,\"coin_ticker\":\"BTC\",\"address\":\"bc1q\",\"label\":null}],"      \
    "\"strays\":[{\"id\":1,\"dev_path\":\"/dev/ttyUSB3\",\"port_path\":null,\"vendor_id\":null,"   \
    "\"product_id\":null,\"serial_number\":null,\"discovered_at\":\"then\"}],"                     \
    "\"summary\":[{\"miner_id\":1,\"last_updated\":\"now\",\"KH/s\":\"55.1\","                     \
    "\"Valid blocks\":\"0\",\"Best difficulty\":\"1.2M\",\"last_mhashes_cumulative\":12.5}],"      \
    "\"notes\":[]}"

static void a_version_in_the_middle(void **state)
{
    struct fix *fix = *state;
    char *path = made(fix, MIDDLE); /* closed: the -wal is gone, but the file says WAL */
    check_read_only(path, MIDDLE_JSON);
    assert_int_equal(fix_files(fix, "python.db"), 1);
    char *wal = shep_asprintf("%s-wal", path);
    close(open(wal, O_CREAT | O_WRONLY, 0600)); /* an empty one is none */
    check_read_only(path, MIDDLE_JSON);
    unlink(wal);
    free(wal);
    free(path);
}

/* The last one: state, currency, wallet; strays that were captured. Both tables of strays may be
 * there after a rename that broke off. */
#define LAST                                                                                       \
    "PRAGMA journal_mode=WAL;"                                                                     \
    "CREATE TABLE miners (id INTEGER PRIMARY KEY AUTOINCREMENT, miner_id TEXT UNIQUE NOT NULL,"    \
    " mac_address TEXT UNIQUE, status TEXT DEFAULT 'Inactive', state TEXT, currency TEXT,"         \
    " pool_url TEXT, wallet_address TEXT, UNIQUE (mac_address, currency));"                        \
    "CREATE TABLE stray_devices (id INTEGER PRIMARY KEY AUTOINCREMENT, dev_path TEXT UNIQUE NOT"   \
    " NULL, port_path TEXT NOT NULL, mac_address TEXT, discovered_at TEXT NOT NULL,"               \
    " dumped_pool_url TEXT, dumped_wallet_address TEXT, dumped_firmware_version TEXT);"            \
    "CREATE TABLE unconfigured_devices (id INTEGER PRIMARY KEY, dev_path TEXT);"                   \
    "INSERT INTO miners(miner_id, currency, wallet_address) VALUES ('A', 'BTC', 'bc1q');"          \
    "INSERT INTO stray_devices(dev_path, port_path, discovered_at, dumped_pool_url) VALUES"        \
    " ('/dev/ttyACM0', '1-3', 'then', 'p.org:3333');"                                              \
    "INSERT INTO unconfigured_devices(dev_path) VALUES ('/dev/ttyUSB9');"

#define LAST_JSON(miners)                                                                          \
    "{\"miners\":[{\"id\":1,\"miner_id\":\"A\",\"mac_address\":null,\"status\":\"Inactive\","      \
    "\"state\":null,\"currency\":\"BTC\",\"pool_url\":null,\"wallet_address\":\"bc1q\"}" miners    \
    "],\"pools\":[],\"addresses\":[],\"strays\":[{\"id\":1,\"dev_path\":\"/dev/ttyUSB9\"},"        \
    "{\"id\":1,\"dev_path\":\"/dev/ttyACM0\",\"port_path\":\"1-3\",\"mac_address\":null,"          \
    "\"discovered_at\":\"then\",\"dumped_pool_url\":\"p.org:3333\","                               \
    "\"dumped_wallet_address\":null,\"dumped_firmware_version\":null}],\"summary\":[],"            \
    "\"notes\":[]}"

static void the_last_version(void **state)
{
    char *path = made(*state, LAST);
    check_read_only(path, LAST_JSON(""));
    free(path);
}

/* ---- a -wal beside it ---- */

#define INSERT_B "INSERT INTO miners(miner_id, status, currency) VALUES ('B', 'Active', 'LTC')"
#define JSON_B                                                                                     \
    ",{\"id\":2,\"miner_id\":\"B\",\"mac_address\":null,\"status\":\"Active\",\"state\":null,"     \
    "\"currency\":\"LTC\",\"pool_url\":null,\"wallet_address\":null}"

/* While the Python Shepherd has it open: its last commits are in the -wal only. */
static void what_is_in_the_wal_counts(void **state)
{
    char *path = made(*state, LAST);
    sqlite3 *db = open_db(path);
    run(db, INSERT_B);
    check_read_only(path, LAST_JSON(JSON_B));
    run(db, "BEGIN IMMEDIATE; INSERT INTO miners(miner_id) VALUES ('not committed')");
    check_read_only(path, LAST_JSON(JSON_B));
    sqlite3_close(db);
    free(path);
}

/* It was killed: a -wal, with or without its -shm, and nobody there. Copied, as people do. */
static void a_wal_that_was_left_behind_counts(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct fix *fix = *state;
    char *path = made(fix, LAST), *left = fix_path(fix, "left.db");
    sqlite3 *db = open_db(path);
    run(db, INSERT_B);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char *from = shep_asprintf("%s%s", path, ends[i]),
             *to = shep_asprintf("%s%s", left, ends[i]);
        size_t len = 0;
        char *bytes = file_read_dup(from, 1 << 24, &len);
        assert_int_equal(file_write_atomic(to, bytes, len, 0600), 0);
        free(bytes);
        free(from);
        free(to);
    }
    sqlite3_close(db);
    check_read_only(left, LAST_JSON(JSON_B));
    char *shm = shep_asprintf("%s-shm", left);
    unlink(shm);
    check_read_only(left, LAST_JSON(JSON_B));
    assert_int_not_equal(access(shm, F_OK), 0);
    free(shm);
    free(left);
    free(path);
}

/* As another user, for root may write everywhere. */
static void a_folder_that_cannot_be_written(void **state)
{
    enum { NOBODY = 65534 };
    struct fix *fix = *state;
    char *path = made(fix, LAST);
    sqlite3 *db = open_db(path);
    for (int wal = 0; wal < 2; wal++) {
        int status = 0;
        if (wal)
            run(db, INSERT_B);
        assert_int_equal(chmod(fix->dir, 0555), 0);
        char *names[3] = {shep_strdup(path), shep_asprintf("%s-wal", path),
                          shep_asprintf("%s-shm", path)};
        for (int i = 0; i < 3; i++) {
            chmod(names[i], 0444);
            free(names[i]);
        }
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            if (getuid() == 0 && setuid(NOBODY) != 0)
                _exit(2);
            check_read(path, wal ? LAST_JSON(JSON_B) : LAST_JSON(""));
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        chmod(fix->dir, 0755);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    sqlite3_close(db);
    free(path);
}

/* Another process, as it is: in each transaction all rows get the same. Bursts of writes, with
 * rests that a read may fall into, or without. Ends by a signal. */
static void write_all_the_time(const char *path, bool has_rests)
{
    sqlite3 *db = NULL;
    char sql[80];
    sqlite3_open(path, &db);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL); /* as fast as it can */
    for (int i = 0;; i++) {
        snprintf(sql, sizeof sql, "UPDATE miners SET state = '%d'", i);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        if (has_rests && i % 50 == 0)
            usleep(250 * 1000);
    }
}

enum { N_USED = 2001, FULL_SWING = 1 << 20 }; /* of a -wal that begins anew */
#define ROWS_USED                                                                                  \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"               \
    " INSERT INTO miners(miner_id) SELECT 'M' || i FROM n"

static pid_t start_writer(const char *path, bool has_rests)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        write_all_the_time(path, has_rests);
    char *wal = shep_asprintf("%s-wal", path);
    struct stat st = {0};
    int64_t until = wait_clock_ms() + DEADLINE_MS;
    while ((stat(wal, &st) != 0 || st.st_size < FULL_SWING) && wait_clock_ms() < until)
        usleep(1000);
    assert_true(st.st_size >= FULL_SWING);
    free(wal);
    return pid;
}

static void end_writer(pid_t pid)
{
    int status = 0;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); /* it did write to the end */
}

static const char *state_of(const json_t *out, size_t i)
{
    json_t *row = json_array_get(json_object_get(out, "miners"), i);
    return json_string_value(json_object_get(row, "state"));
}

/* Without locks a read may meet a write. Then it is read again, and what comes out is of one
 * moment; or, if it never holds still, it is said what to do. */
static void a_file_in_use_is_read_at_one_moment(void **state)
{
    char err[600], *path = made(*state, LAST ROWS_USED), last[32] = "";
    int n_read = 0, n_moved = 0, n_refused = 0;
    for (int i = 0; i < 6; i++) {
        json_t *out = NULL;
        char *wal = shep_asprintf("%s-wal", path);
        unlink(wal); /* the one that the last writer left */
        free(wal);
        pid_t pid = start_writer(path, i < 5);
        int result = read_it(path, &out, err);
        end_writer(pid);
        if (result == 0) {
            const char *now = state_of(out, 0);
            for (size_t row = 1; row < N_USED; row++)
                assert_true(str_eq(now, state_of(out, row)));
            n_moved += now && !str_eq(now, last);
            n_read++;
            snprintf(last, sizeof last, "%s", now ? now : "");
        } else {
            assert_int_equal(result, SHEP_E_IO);
            assert_non_null(strstr(err, "stop the Python Shepherd"));
            n_refused++;
        }
        json_decref(out);
    }
    print_message("read %d times, refused %d times\n", n_read, n_refused);
    assert_true(n_read > 0 && n_moved > 0);
    free(path);
}

static char *changing;
static int n_changes, n_looks;
static void change_it(void)
{
    n_looks++;
    if (n_changes == 0)
        return;
    struct timespec times[2] = {{.tv_sec = 1700000000 + n_changes--}};
    times[1] = times[0];
    utimensat(AT_FDCWD, changing, times, 0);
}

/* The same without luck: something writes while it is read, seven times, and then no more. */
static void a_read_that_met_a_write_is_done_again(void **state)
{
    changing = made(*state, LAST);
    make_old(changing);
    n_changes = 0;
    n_looks = 0;
    shim_on_read = change_it;
    check_read(changing, LAST_JSON(""));
    int looks_of_one = n_looks;
    n_changes = 7 * looks_of_one;
    n_looks = 0;
    check_read(changing, LAST_JSON(""));
    assert_int_equal(n_looks, 8 * looks_of_one);
    free(changing);
}

/* Nor is it sure that a file holds still that was written at this very moment. */
static void a_file_just_written_is_not_trusted(void **state)
{
    char err[600], *path = made(*state, LAST);
    json_t *out = NULL;
    make_old(path);
    clock_set_fake(1700000000 * 1000ll + 20, 1000);
    assert_int_equal(read_it(path, &out, err), SHEP_E_IO);
    assert_non_null(strstr(err, "stop the Python Shepherd"));
    clock_set_fake(1700000000 * 1000ll + 200, 1000);
    check_read(path, LAST_JSON(""));
    free(path);
}

/* ---- hostile ones ---- */

static void other_files_are_refused(void **state)
{
    struct fix *fix = *state;
    char err[600], *path = fix_path(fix, "python.db");
    json_t *out = NULL;
    assert_int_equal(read_it(path, &out, err), SHEP_E_IO);
    FILE *file = fopen(path, "w");
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", file);
    fclose(file);
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    unlink(path);
    free(path);
    path = made(fix, "CREATE TABLE songs(id, name)");
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    assert_non_null(strstr(err, "no table of miners"));
    free(path);
    path = made(fix, "CREATE TABLE t(miner_id); CREATE VIEW miners AS SELECT miner_id FROM t");
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    free(path);
    fix_open(fix);
    fix_close(fix);
    path = fix_path(fix, "shepherd.db");
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    assert_non_null(strstr(err, "use restore"));
    free(path);
    path = made(fix, FIRST);
    char *journal = shep_asprintf("%s-journal", path);
    assert_int_equal(file_write_atomic(journal, "hot", 3, 0600), 0);
    assert_int_equal(read_it(path, &out, err), SHEP_E_FORMAT);
    unlink(journal);
    free(journal);
    free(path);
}

static json_t *read_ok(const char *path)
{
    char err[600];
    json_t *out = NULL;
    if (read_it(path, &out, err) != 0)
        fail_msg("%s", err);
    return out;
}

static const char *note_at(const json_t *out, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(out, "notes"), i));
    return text ? text : "";
}

/* Texts stay as they are; what is none, or too long, is left out and said. */
static void odd_values_are_left_out_and_said(void **state)
{
    char *path = made(*state, "CREATE TABLE miners(miner_id, chipset, status, state, currency,"
                              " pool_url, \"<script>\", last_seen AS (upper(miner_id)));"
                              "INSERT INTO miners VALUES ('<script>alert(1)</script>''--',"
                              " CAST(x'ff41' AS TEXT), x'00', CAST(x'410042' AS TEXT),"
                              " replace(hex(zeroblob(3000)), '0', 'x'), 9e999, 1)");
    json_t *out = read_ok(path);
    json_t *row = json_array_get(json_object_get(out, "miners"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "miner_id")),
                        "<script>alert(1)</script>'--");
    static const char *const gone[] = {"chipset", "status", "state", "currency", "pool_url"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        assert_true(json_is_null(json_object_get(row, gone[i])));
    assert_int_equal(json_object_size(row), 6);
    assert_int_equal(json_array_size(json_object_get(out, "notes")), 7);
    assert_non_null(strstr(note_at(out, 0), "<script>"));
    assert_non_null(strstr(note_at(out, 1), "last_seen"));
    assert_non_null(strstr(note_at(out, 2), "row 1: chipset is no text in UTF-8"));
    assert_non_null(strstr(note_at(out, 5), "currency is too long"));
    json_decref(out);
    free(path);
}

static void rows_and_bytes_have_an_end(void **state)
{
    char *path = made(*state, "CREATE TABLE miners(miner_id TEXT);"
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                              " WHERE i < 30000) INSERT INTO miners SELECT 'M' || i FROM n;"
                              "CREATE TABLE pools(pool_name TEXT);"
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                              " WHERE i < 9900) INSERT INTO pools"
                              " SELECT replace(hex(zeroblob(2000)), '0', 'x') FROM n;"
                              "CREATE TABLE coin_addresses(address, label);"
                              "INSERT INTO coin_addresses VALUES ('a', 'b'),"
                              " ('huge', zeroblob(2000000)), ('c', 'd')");
    json_t *out = read_ok(path);
    assert_int_equal(json_array_size(json_object_get(out, "miners")), 10000);
    size_t n_pools = json_array_size(json_object_get(out, "pools"));
    assert_true(n_pools > 1000 && n_pools < 9900);
    assert_non_null(strstr(note_at(out, 0), "miners has too many rows"));
    assert_non_null(strstr(note_at(out, 1), "pools has too many rows"));
    json_decref(out);
    free(path);
}

static void a_huge_value_ends_its_table(void **state)
{
    char *path = made(*state, "CREATE TABLE miners(miner_id, status);"
                              "INSERT INTO miners VALUES ('a', 'b'), ('huge', zeroblob(2000000));"
                              "CREATE TABLE pools(pool_name); INSERT INTO pools VALUES ('P')");
    json_t *out = read_ok(path);
    assert_int_equal(json_array_size(json_object_get(out, "miners")), 1);
    assert_int_equal(json_array_size(json_object_get(out, "pools")), 1);
    assert_non_null(strstr(note_at(out, 0), "row 2 holds something huge"));
    json_decref(out);
    free(path);
}

/* A virtual table or a view under the name of a table is not asked. */
static void only_plain_tables_are_read(void **state)
{
    char *path = made(*state, "CREATE TABLE miners(miner_id); INSERT INTO miners VALUES ('A');"
                              "CREATE VIEW pools AS WITH RECURSIVE n(pool_name) AS (SELECT 1 UNION"
                              " ALL SELECT pool_name + 1 FROM n) SELECT * FROM n;"
                              "CREATE VIRTUAL TABLE coin_addresses USING fts5(address);"
                              "INSERT INTO coin_addresses VALUES ('bc1q')");
    check_read_only(path, "{\"miners\":[{\"miner_id\":\"A\"}],\"pools\":[],\"addresses\":[],"
                          "\"strays\":[],\"summary\":[],\"notes\":[]}");
    free(path);
}

/* Cut short, and with bytes changed at many places: an answer or an error, never a crash. */
static void damaged_files_are_survived(void **state)
{
    struct fix *fix = *state;
    char err[600], *path = made(fix, MIDDLE), *bad = fix_path(fix, "bad.db");
    size_t len = 0;
    char *bytes = file_read_dup(path, 1 << 24, &len);
    int n_errors = 0;
    unsigned seed = 7;
    for (int i = 0; i < 1500; i++) {
        char *copy = shep_alloc(len);
        memcpy(copy, bytes, len);
        size_t cut = i % 5 == 0 ? (size_t)rand_r(&seed) % len : len;
        for (int n = 0; n <= i % 7; n++)
            copy[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
        assert_int_equal(file_write_atomic(bad, copy, cut, 0600), 0);
        make_old(bad);
        json_t *out = NULL;
        n_errors += read_it(bad, &out, err) != 0;
        json_decref(out);
        free(copy);
    }
    print_message("%d of 1500 were refused\n", n_errors);
    assert_true(n_errors > 100);
    free(bytes);
    free(bad);
    free(path);
}

int main(int argc, char **argv)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fix_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_version),
        TEST(a_version_in_the_middle),
        TEST(the_last_version),
        TEST(what_is_in_the_wal_counts),
        TEST(a_wal_that_was_left_behind_counts),
        TEST(a_folder_that_cannot_be_written),
        TEST(a_file_in_use_is_read_at_one_moment),
        TEST(a_read_that_met_a_write_is_done_again),
        TEST(a_file_just_written_is_not_trusted),
        TEST(other_files_are_refused),
        TEST(odd_values_are_left_out_and_said),
        TEST(rows_and_bytes_have_an_end),
        TEST(a_huge_value_ends_its_table),
        TEST(only_plain_tables_are_read),
        TEST(damaged_files_are_survived),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL); /* "one_test" or "a*" */
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
