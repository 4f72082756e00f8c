/* What was unpacked is put into its places. First everything is made ready beside its place, on the
 * same disk, and brought to the disk; then renames alone do it (moves.c). What was there goes into
 * DATA_DIR/before-restore.<time>/, or stays beside its place when that is on another disk. */
#include "backup/internal.h"

#include "util/clock.h"
#include "util/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct putting {
    const char *from, *data_dir;
    char *before;   /* DATA_DIR/before-restore.20261122T223105Z */
    char stamp[24]; /* the time in it */
    char *why;
    struct moves *moves;
    struct stat data_st;
};

static int io_failed(struct putting *p, const char *path, int err)
{
    return backup_fail(p->why, SHEP_E_IO, "cannot write %s: %s", path, strerror(-err));
}

static bool same_disk(const char *path, dev_t dev)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == dev;
}

static int before_make(struct putting *p)
{
    char utc[21]; /* 2026-11-22T22:31:05Z */
    clock_format_utc(clock_wall_ms(), utc);
    size_t n = 0;
    for (const char *c = utc; *c && n + 1 < sizeof p->stamp; c++) {
        if (*c != '-' && *c != ':')
            p->stamp[n++] = *c;
    }
    for (int i = 0; i < 100; i++) {
        free(p->before);
        p->before = i ? shep_asprintf("%s/before-restore.%s.%d", p->data_dir, p->stamp, i)
                      : shep_asprintf("%s/before-restore.%s", p->data_dir, p->stamp);
        if (mkdir(p->before, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return io_failed(p, p->before, -errno);
}

/* ---- one place ---- */

/* Who may read it: as the old one says, else as its folder's owner. */
static void mode_give(const char *staged, const char *to, const struct stat *parent, mode_t fresh)
{
    struct stat old;
    bool had = stat(to, &old) == 0;
    chmod(staged, had ? old.st_mode & 07777 : fresh);
    tree_give(staged, had ? old.st_uid : parent->st_uid, had ? old.st_gid : parent->st_gid);
}

/* Ready to be renamed to its place: as it is, or a copy beside the place. */
static int stage(struct putting *p, const char *from, const char *to, const char *parent,
                 mode_t fresh, char **staged_out)
{
    struct stat st;
    if (stat(parent, &st) != 0)
        return io_failed(p, parent, -errno);
    char *staged = shep_strdup(from);
    int err = 0;
    if (!same_disk(from, st.st_dev)) {
        free(staged);
        staged = shep_asprintf("%s.restore-new", to);
        err = tree_remove(staged); /* of a restore that did not come to its end */
        if (!err)
            err = tree_copy(from, staged);
    }
    *staged_out = staged;
    if (!err)
        mode_give(staged, to, &st, fresh);
    if (!err)
        err = tree_sync(staged);
    return err ? io_failed(p, staged, err) : 0;
}

static char *old_dup(struct putting *p, const char *to, const char *parent, const char *name)
{
    if (same_disk(parent, p->data_st.st_dev))
        return path_join_dup(p->before, name);
    return shep_asprintf("%s.before-restore.%s", to, p->stamp);
}

/* Where it really is, links followed, from the root: the journal is read in another folder. Its own
 * folder is made when it is not there. */
static int resolve(struct putting *p, const char *target, char **to_out)
{
    if ((*to_out = realpath(target, NULL)))
        return 0;
    char *dir = dir_of_dup(target);
    const char *slash = strrchr(target, '/');
    int err = dir_make(dir, 0755);
    char *real = err ? NULL : realpath(dir, NULL);
    if (real)
        *to_out = path_join_dup(real, slash ? slash + 1 : target);
    else
        err = io_failed(p, dir, err ? err : -errno);
    free(real);
    free(dir);
    return err;
}

/* name: in the archive; in the folder of what was there with _ instead of /. */
static int place(struct putting *p, const char *name, const char *target, mode_t fresh)
{
    char *from = path_join_dup(p->from, name), *flat = shep_strdup(name);
    char *to = NULL, *parent = NULL, *staged = NULL, *old = NULL;
    for (char *c = flat; *c; c++)
        *c = *c == '/' ? '_' : *c;
    int rc = exists(from) ? resolve(p, target, &to) : 0;
    if (to && !rc) {
        parent = dir_of_dup(to);
        rc = stage(p, from, to, parent, fresh, &staged);
        old = old_dup(p, to, parent, flat);
        if (!rc)
            moves_add(p->moves, to, staged, old);
    }
    free(old);
    free(staged);
    free(parent);
    free(to);
    free(flat);
    free(from);
    return rc;
}

/* ---- all of them ---- */

/* An old -wal beside a new database would be replayed into it. */
static void add_beside_db(struct putting *p)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char *to = shep_asprintf("%s/%s%s", p->data_dir, part_file(PART_DB), ends[i]);
        char *old = shep_asprintf("%s/%s%s", p->before, part_file(PART_DB), ends[i]);
        moves_add(p->moves, to, NULL, old);
        free(to);
        free(old);
    }
}

static int place_in_data(struct putting *p, enum part part, mode_t fresh)
{
    char *to = path_join_dup(p->data_dir, part_file(part));
    int rc = place(p, part_file(part), to, fresh);
    free(to);
    return rc;
}

static int place_all(struct putting *p, const struct backup_parts *places)
{
    add_beside_db(p);
    int rc = place_in_data(p, PART_DB, 0640);
    if (!rc)
        rc = place_in_data(p, PART_PASSWORD, 0600);
    if (!rc)
        rc = place_in_data(p, PART_PRICE, 0644);
    if (!rc && places->config_file)
        rc = place(p, part_file(PART_CONFIG), places->config_file, 0644);
    for (size_t i = 0; !rc && i < places->n_view_dirs && i < VIEW_DIRS_MAX; i++) {
        char *name = shep_asprintf("views/%zu", i);
        rc = place(p, name, places->view_dirs[i], 0755);
        free(name);
    }
    return rc;
}

/* Files of an archive are 0600: views are to be read by whoever runs the daemon. */
static void open_views(const char *from)
{
    char *views = path_join_dup(from, "views");
    tree_open(views);
    free(views);
}

static int put(struct putting *p, const struct backup_parts *places)
{
    int rc = before_make(p);
    p->moves = moves_new(p->data_dir);
    open_views(p->from);
    if (!rc)
        rc = place_all(p, places);
    if (!rc)
        rc = moves_run(p->moves, p->why);
    tree_give(p->before, p->data_st.st_uid, p->data_st.st_gid);
    bool kept = rmdir(p->before) != 0; /* goes only when it is empty */
    if (!rc) {
        tree_remove(p->from);
        snprintf(p->why, BACKUP_WHY_MAX, "%s", kept ? p->before : "");
    }
    moves_free(p->moves);
    free(p->before);
    return rc;
}

int backup_put(const char *unpacked_dir, const struct backup_parts *places,
               char why[BACKUP_WHY_MAX])
{
    char *from = realpath(unpacked_dir, NULL), *data_dir = realpath(places->data_dir, NULL);
    struct putting p = {.from = from, .data_dir = data_dir, .why = why};
    why[0] = '\0';
    int rc = from && data_dir && stat(data_dir, &p.data_st) == 0
                 ? put(&p, places)
                 : io_failed(&p, data_dir ? unpacked_dir : places->data_dir, -errno);
    free(from);
    free(data_dir);
    return rc;
}

void backup_discard(const char *unpacked_dir)
{
    int err = tree_remove(unpacked_dir);
    if (err)
        log_warn("backup", "%s: cannot be removed: %s", unpacked_dir, strerror(-err));
}
