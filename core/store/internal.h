/* The store's own joints. One thread writes: everything in struct writer belongs to it once it
 * runs; what the loop and the writer share is in struct queue and struct status, under the one lock
 * of the queue. */
#ifndef SHEP_STORE_INTERNAL_H
#define SHEP_STORE_INTERNAL_H

#include "store/store.h"
#include "util/log.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

enum {
    STORE_APPLICATION_ID = 0x53484550, /* "SHEP" */
    /* A commit writes the page that it goes on filling again: with lines of 27 bytes, one a second
     * from each of 100 miners, 7.3 bytes are written for each byte of log with pages of 4 KiB, 4.0
     * with these (tests/bench, disk). */
    DB_PAGE_BYTES = 1024,
    BATCH_ROWS = 2000,         /* DESIGN "Storage" */
    BATCH_BYTES = 1024 * 1024, /* 60 lines of the longest kind: bounds one transaction */
    BATCH_WAIT_US = 1000 * 1000,
    BATCH_QUIET_US =
        50 * 1000, /* after a pause: a line comes with its burst, and is seen at once */
    LINE_BYTES_MAX = 3 * SHEP_LINE_MAX, /* a line of nothing but U+FFFD */
    EVENT_TEXT_MAX = 1024,              /* shep_event.text */
    DUTY_US = 60 * 1000 * 1000,         /* retention, index and latest readings: once a minute */
    CLOSE_MS = 5000,                    /* CONTRACT: stops within 5 s */
    CLOSE_WRITE_MS = 4000,              /* of these, for writing what is left */
    EVENTS_KEPT = 200000,               /* about 30 MB */
    ROLLUP_ROWS_MAX = 200000,           /* plugin.h, rollup_get */
    PROBLEM_MAX = 192,                  /* why the database cannot be written, and what to do */
    COUNTERS_MAX = 64                   /* herd.h: plugins declare at most 64 metrics */
};

/* ---- records: what the loop hands over. A batch is one buffer of them, one after the other ----
 */

enum rec_type {
    REC_LINE, /* struct rec_line, then the text */
    REC_LATEST,
    REC_EVENT, /* this and the rest: parameters of a statement of the same number */
    REC_STATUS,
    REC_MINER,
    REC_MINER_REMOVE,
    REC_DEVICE,
    REC_SUMMARY,
    REC_ROLLUP,
    REC_KV_PUT,
    REC_KV_DELETE,
    REC_DEVICE_IGNORE,
    REC_DEVICE_DELETE,
    REC_DEVICES_MOVE, /* all of one miner to another, or to nobody */
    REC_MINER_RENAME,
    REC_MINER_NAMELESS, /* nothing but its id is left */
    REC_CHORE,
    REC_ROW_PUT, /* and one for each table of people */
    REC_ROW_DELETE = REC_ROW_PUT + STORE_TABLES,
    REC_COUNT = REC_ROW_DELETE + STORE_TABLES
};

struct rec_head {
    uint32_t len; /* of what follows */
    uint16_t type, n_params;
};
struct rec_line {
    int64_t id, miner_id, at_ms;
};
/* One parameter, packed as kind (1 byte), then 8 bytes or, for text, 4 bytes of length and the
 * text. */
struct rec_param {
    enum { PARAM_NULL, PARAM_INT, PARAM_REAL, PARAM_TEXT } kind;
    int64_t i;
    double r;
    const char *text;
    uint32_t len;
};

struct rec_writer { /* begun by rec_begin() */
    struct buf *buf;
    size_t head_at;
    struct rec_head head;
};
void rec_begin(struct rec_writer *rec, struct buf *buf, enum rec_type type);
void rec_i64(struct rec_writer *rec, int64_t value);
void rec_id(struct rec_writer *rec, int64_t id);         /* 0 becomes NULL */
void rec_f64(struct rec_writer *rec, double value);      /* what is not finite becomes NULL */
void rec_text(struct rec_writer *rec, const char *text); /* NULL stays NULL */
void rec_text_n(struct rec_writer *rec, const char *text, size_t len);
void rec_param(struct rec_writer *rec, const struct rec_param *param); /* of another record */
void rec_end(struct rec_writer *rec);
/* The parameter at *at; moves *at behind it. */
struct rec_param rec_param_next(const char **at);

/* ---- the queue ---- */

enum rec_class {
    CLASS_LINE,      /* dropped first */
    CLASS_DATA,      /* summaries, roll-ups, devices: have a reserve */
    CLASS_KEPT,      /* events, settings: have a reserve of their own */
    CLASS_NEVER_FULL /* miners, users, tokens, what is taken out: there are only so many */
};

enum job_type { JOB_FOLD, JOB_DROP };
struct job {
    enum job_type type;
    uint32_t from_s, to_s;
    int64_t from_ms, to_ms;
};

struct batch {
    struct batch *next;
    struct buf data;
    size_t rows;
    uint32_t n_lines, n_events;
    int64_t first_us; /* when its first record came */
    bool urgent;      /* commit at once and sync: an alarm, start, stop */
    bool has_job;     /* then it holds nothing but the job */
    struct job job;
};

struct copy;
struct get { /* a roll-up query, and then its rows; or one of the next two, when it is not NULL */
    struct get *next;
    struct copy *copy;       /* a copy that is asked for */
    store_saved_fn saved_fn; /* is all before it in the file? */
    uint32_t period_s, metric;
    char *metric_name;
    int64_t from_ms, to_ms, asked_us;
    uint64_t after; /* of these two: when so many batches are finished */
    shep_rollup_fn fn;
    void *arg;
    struct shep_rollup *rows;
    size_t n_rows;
    int err;
    char problem[PROBLEM_MAX]; /* of saved_fn */
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;         /* for the writer */
    pthread_cond_t done;         /* for store_flush() */
    struct batch *first, **last; /* sealed, in order */
    struct batch *filling;       /* NULL or at least one record */
    struct batch *spare;
    struct get *gets, **gets_last;
    int64_t bytes, limit_bytes; /* of records not committed yet */
    uint64_t n_in, n_out;       /* batches begun, batches finished: for store_flush() */
    bool waiting, behind, closing;
    int64_t close_by_us, taken_us; /* taken_us: when the last batch was */
};

/* ---- messages to the loop ---- */

enum { MAIL_LINES = 1, MAIL_EVENTS = 2, MAIL_PRESSURE = 4 };
struct state_note { /* the database went bad or came back */
    struct state_note *next;
    bool degraded;
    char problem[256];
};
struct mailbox;
struct mailbox *mail_new(struct store *store);
void mail_close(struct mailbox *mail); /* loop; what is under way is dropped, gets are answered */
void mail_bits(struct mailbox *mail, uint32_t bits);
void mail_get(struct mailbox *mail, struct get *get); /* takes get */
void mail_state(struct mailbox *mail, bool degraded, const char *problem);
void get_answer(struct get *get); /* calls fn, frees */

/* ---- the database file ---- */

enum stmt_id { /* the first REC_COUNT are those of the records */
               STMT_LINE = REC_LINE,
               STMT_LATEST = REC_LATEST,
               STMT_MINER_LATEST = REC_COUNT, /* what the readings say about a miner, in its row */
               STMT_NAME_FREE, /* before REC_MINER_RENAME: who has the name gives it up */
               STMT_BEGIN,
               STMT_COMMIT,
               STMT_INDEX_PUT,
               STMT_STATE_PUT,
               STMT_COUNT
};

struct db_open_result {
    int err; /* 0 or enum shep_err */
    bool moved_aside;
    char text[1200];
};
/* Opens, creates, migrates; a damaged file is moved aside first. NULL: res->err; text may be set
 * (a warning) when it is not NULL too. */
sqlite3 *db_open(const char *path, struct db_open_result *res);
/* Moves the file, -wal and -shm to PATH.corrupt.<time>. false: could not. */
bool db_move_aside(const char *path, char *new_path, size_t cap);
bool db_is_damage(int rc);
int db_prepare(sqlite3 *db, sqlite3_stmt *stmts[STMT_COUNT]);
/* One row of integers; rc of SQLite. NULL values become 0. */
int db_ints(sqlite3 *db, const char *sql, const int64_t *params, size_t n_params, int64_t *out,
            size_t n_out);
int db_exec_ints(sqlite3 *db, const char *sql, const int64_t *params, size_t n_params);
void db_bind(sqlite3_stmt *stmt, const char *params, unsigned n_params); /* of a record */
int db_step(sqlite3_stmt *stmt); /* step once and reset; SQLITE_OK for done and row */

/* "file:…?params" of a path, whatever is in it; owned. */
char *db_uri_dup(const char *path, const char *params);

int migrations_newest(void);
int migrations_run(sqlite3 *db, int from_version, int to_version);

/* ---- databases that are not ours to write; any thread ---- */

enum { ATREST_VALUE_MAX = 1000000 }; /* of one row or value */
struct atrest_file {
    bool is_file;
    dev_t dev;
    ino_t ino; /* 0: not there */
    off_t bytes;
    struct timespec changed;
};
struct atrest_look {
    struct atrest_file db, wal, journal;
};
void atrest_look(const char *path, struct atrest_look *out);
bool atrest_same(const struct atrest_look *a, const struct atrest_look *b);
/* Looks, and says what is no database at first sight: 0, SHEP_E_FORMAT, SHEP_E_IO. */
int atrest_begin(const char *path, struct atrest_look *out, char *err, size_t err_cap);
/* SQLite's rc; *out is to be closed in any case. */
int atrest_open(const char *path, const struct atrest_look *look, sqlite3 **out);
/* The error in words; SHEP_E_FORMAT or SHEP_E_IO. */
int atrest_explain(const char *path, sqlite3 *db, int rc, char *err, size_t err_cap);

/* ---- the index of lines by minute, held in memory for the newest minute ---- */

struct idmap { /* miner id → small number, open addressing */
    int64_t *keys;
    uint32_t *values;
    size_t cap, n;
};
/* The number of a key, a new one (0, 1, 2 …) when it is not there. */
uint32_t idmap_get(struct idmap *map, int64_t key, bool *is_new);
void idmap_free(struct idmap *map);

struct log_slot { /* a row of log_index in the making */
    int64_t minute, miner_id, first_id, last_id, n, bytes;
};
struct logs {
    struct idmap by_miner;
    struct log_slot *open; /* by number of the miner; n 0: nothing */
    size_t open_cap;
    struct log_slot *ready; /* of a minute that went by */
    size_t n_ready, ready_cap;
    int64_t bytes;                                     /* text stored, all in all */
    int64_t indexed_bytes, indexed_n, indexed_last_id; /* as of log_state */
    int64_t unindexed_n, unindexed_bytes, newest_id, newest_minute, flushed_minute;
    int64_t flushed_us;
};
void logs_add(struct logs *logs, int64_t id, int64_t miner_id, int64_t at_ms, size_t len);
bool logs_flush_due(const struct logs *logs, int64_t now_us);
int logs_flush(struct logs *logs, sqlite3_stmt *const *stmts); /* within a transaction */
void logs_flushed(struct logs *logs, int64_t now_us);          /* it was committed */
int logs_load(struct logs *logs, sqlite3 *db); /* log_state and the lines after it */
void logs_free(struct logs *logs);

/* ---- latest readings that wait for their minute ---- */

struct latest_slot {
    struct buf record; /* the parameters; empty: nothing new */
    uint16_t n_params;
};
struct latest {
    struct idmap by_miner;
    struct latest_slot *slots;
    size_t cap, n_waiting;
    int64_t flushed_us; /* 0: never */
};
void latest_keep(struct latest *latest, const char *params, const struct rec_head *head);
int latest_flush(struct latest *latest, sqlite3_stmt *const *stmts);
void latest_forget(struct latest *latest, int64_t miner_id);
void latest_flushed(struct latest *latest, int64_t now_us);
void latest_free(struct latest *latest);

/* ---- the writer ---- */

struct writer;
struct ballast {
    char *path;
    int64_t bytes; /* 0: not there */
};
void ballast_find(struct ballast *ballast, const char *dir);
bool ballast_drop(struct ballast *ballast); /* true: there was one */
void ballast_make(struct ballast *ballast, int64_t free_bytes);

struct retention {
    int64_t keep_ms, keep_bytes;
    int64_t chunk_rows;
    int64_t run_first_id; /* first line of this run of the program */
    int64_t hour_ids[61]; /* newest id at each minute of the last hour, by the monotonic clock */
    int64_t hour_us[61];
    size_t hour_n;
    bool unfinished; /* a batch waited */
};

/* ---- chores: erasing and merging miners, a step at a time ---- */

struct id_range {
    int64_t first_id, last_id;
};
struct chore {                     /* a row of the table, and how far it is */
    int64_t id, miner_id, into_id; /* id 0: none; into_id 0: erase */
    enum {
        CHORE_BEGIN, /* what memory holds of lines and readings goes into the file: the writer's */
        CHORE_FIND,
        CHORE_LINES,
        CHORE_INDEX,
        CHORE_EVENTS,
        CHORE_ROLLUPS,
        CHORE_END
    } stage;
    int64_t at, period_s; /* where the stage is: minute, id or time */
    struct id_range *ranges;
    size_t n_ranges, cap, range_at;
    int64_t rows; /* of lines in a step */
};
struct chores {
    struct chore now;
    bool maybe;                /* the table is not known to be empty */
    int64_t retry_us, wait_us; /* after an error: when again; longer each time */
};
int chores_find(struct writer *w);         /* the first one, when none is under way; SQLite's rc */
int chores_step(struct writer *w);         /* one transaction, a few ms; SQLite's rc */
void chores_reset(struct chores *chores);  /* from its start, and after the last one look again */
void chores_failed(struct chores *chores); /* not again at once */

struct writer {
    sqlite3 *db; /* NULL: to be opened again */
    sqlite3_stmt *stmts[STMT_COUNT];
    bool reload;                       /* the outcome of a transaction is not known */
    int64_t max_line_id, max_event_id; /* in the file, as of the last load */
    struct logs logs;
    struct latest latest;
    struct ballast ballast;
    struct retention retention;
    struct chores chores;
    int64_t page_bytes, wal_bytes, wal_limit_bytes, wal_checkpoint_at;
    int64_t duty_us, free_bytes;
    unsigned n_moved_aside;
    bool anew; /* the file was opened again in another's place: the miners are to be put there */
    struct complain trouble, odd;
    pthread_t copier;
    bool has_copier;
    bool ballast_spent;        /* the disk is nearly full */
    bool gave_up;              /* closing: a batch was left out */
    char problem[PROBLEM_MAX]; /* the newest reason of a failed write; what to do */
    char notice[256];          /* shown as the problem while nothing worse is */
};

struct name_entry { /* by name, sorted */
    char *name;
    int64_t id, removed_ms; /* 0: it lives */
    struct buf record;      /* the newest REC_MINER, to write it again into a new database */
};

struct kept_row { /* of a table of people */
    int64_t id;
    struct buf record; /* its newest REC_ROW_PUT, to write it again into a new database */
};
struct kept_rows { /* by id, sorted */
    struct kept_row *rows;
    size_t n, cap;
    int64_t last_id; /* the highest there ever was: audit is only appended to */
};

struct device_seen {
    uint64_t key_hash, value_hash;
    int64_t put_us;
};

struct store {
    struct loop *loop;
    char *dir, *db_path;
    int pid_fd;
    struct mailbox *mail;
    pthread_t thread;
    struct queue queue;
    struct store_stats stats; /* under queue.lock */
    struct writer writer;

    /* loop */
    struct name_entry *names; /* changed under queue.lock: the writer may read it */
    size_t n_names, cap_names;
    struct kept_rows kept[STORE_TABLES]; /* also under queue.lock; of the audit only last_id */
    int64_t next_miner_id, next_line_id, next_event_id, next_chore_id;
    struct device_seen *devices;
    size_t n_devices;
    char *counters[COUNTERS_MAX]; /* of plugins; under queue.lock */
    size_t n_counters;
    void (*pressure_fn)(bool behind, void *arg);
    void *pressure_arg;
    bool pressure_told;
    void (*commit_fn)(bool lines, bool events, void *arg);
    void *commit_arg;
    void (*state_fn)(bool degraded, const char *problem, void *arg);
    void *state_arg;
    bool copy_running;       /* loop */
    atomic_bool copy_cancel; /* told by the loop, read by the copier */
};

/* ---- one record from the loop: begin takes the queue's lock, end gives it back ---- */

struct put {
    struct store *store;
    struct batch *batch;
    size_t before;
    struct rec_writer rec;
};
bool put_begin(struct put *put, struct store *store, enum rec_class cls, enum rec_type type);
void put_next(struct put *put, enum rec_type type); /* another one, in the same transaction */
void put_end(struct put *put, bool urgent);

/* ---- miners and their names. Lock held, or before the writer runs ---- */

/* The entry of that name, made with <id> when there is none. */
struct name_entry *name_put(struct store *store, const char *name, int64_t id);
int miners_load(struct store *store); /* SQLite's rc */
#define MINER_COLUMNS                                                                              \
    "id, origin, miner_id, location_notes, source, path, parser, options, group_name, tags"
enum { MINER_TEXTS = 8 };                           /* the last of these columns */
struct store_miner miner_of_row(sqlite3_stmt *row); /* texts as long as the row is the same */
void miners_free(struct store *store);
/* The newest records of all, for a new database. */
void miners_again(struct store *store, struct buf *buf);

/* ---- tables of people ---- */

/* "INSERT … VALUES (?1, …)" or "DELETE …" of such a record; owned. */
char *row_sql_dup(enum rec_type type);
int rows_load(struct store *store); /* SQLite's rc */
void rows_free(struct store *store);
void rows_again(struct store *store, struct buf *buf);
/* It went with its miner. Lock held. */
void rows_forget(struct store *store, enum store_table table, int64_t id);

/* Each row of a SELECT, by a connection of its own; 0 or SHEP_E_IO. Loop, at the start. */
int read_each(struct store *store, const char *sql, const char *param,
              void (*fn)(sqlite3_stmt *row, void *arg), void *arg);

int64_t real_mono_us(void); /* not the mockable clock: waits are real */

void queue_init(struct queue *q, int64_t limit_bytes);
void queue_free(struct queue *q);
/* Lock held: room for a record of that class? Then the batch to add to. NULL: full. */
struct batch *queue_begin(struct queue *q, enum rec_class cls);
void queue_end(struct queue *q, struct batch *batch, size_t before_bytes, bool urgent);
void queue_ask(struct queue *q, struct get *get);       /* takes the lock, and get */
bool queue_is_past(struct queue *q, uint64_t n_out);    /* takes the lock: so many are finished */
bool queue_job(struct queue *q, const struct job *job); /* lock held; false: full */
enum queue_says {
    QUEUE_BATCH,
    QUEUE_GET,
    QUEUE_TIME,  /* it is wake_us */
    QUEUE_CLOSED /* closing, and nothing is left */
};
/* Writer: the next thing to do, at the latest at wake_us. */
enum queue_says queue_next(struct queue *q, int64_t wake_us, struct batch **batch,
                           struct get **get);
bool queue_has_work(struct queue *q);
bool queue_closing(struct queue *q);
void queue_done(struct store *store, struct batch *batch); /* frees or keeps it as the spare */
/* Writer: sleep; less when the store is closing. A get that came meanwhile ends it early. */
struct get *queue_pause(struct queue *q, int64_t pause_ms);
bool queue_time_up(struct queue *q); /* closing, and no time is left for writing */

void *writer_main(void *store);
int writer_attach(struct writer *w, sqlite3 *db); /* prepare, load: SQLite's rc; takes db if OK */
void writer_detach(struct writer *w);
int writer_checkpoint(struct store *store, int mode);
void writer_space(struct store *store); /* looks at the disk, sets what depends on it */
/* After an error: roll back and forget what memory believes; close the file where it must be opened
 * again. */
void writer_failed(struct writer *w, int rc);
/* Degraded, and why. true: something was gained (ballast, a new file): try again at once. */
bool trouble_begin(struct store *store, int rc);
void trouble_over(struct store *store);
void trouble_look_for_file(struct store *store); /* is ours still the one of that name? */
int apply_batch(struct store *store, const struct batch *batch);
bool rc_is_record(int rc);                           /* the record's fault, not the disk's */
int retention_run(struct store *store, bool urgent); /* SQLITE_OK, or what went wrong */
int job_run(struct store *store, const struct job *job);
/* The herd's rows of these periods from the miners'. Within the transaction that changed them. */
int herd_sum(struct writer *w, int64_t period_s, int64_t from_ms, int64_t before_ms);
void get_run(struct writer *w, struct get *get);
void copy_begin(struct store *store, struct get *get); /* takes get */
bool copy_join(struct writer *w, int64_t wait_ms);     /* 0: as long as it takes; false: it hangs */
void copy_answer(struct get *get);                     /* calls done, frees all but get */
bool counter_known(struct store *store, const char *name);
#endif
