/* Many renames that are done wholly or not at all. The plan stands in a journal, DATA_DIR/
 * restore.json, before the first rename; who finds one there (the next start, the next restore)
 * carries it out. Whether a step was done shows in what lies where, so it does not matter where a
 * kill came. When a rename fails, all that was done is taken back. */
#include "backup/internal.h"

#include "util/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOURNAL_BYTES_MAX = 1 << 20 }; /* a few dozen moves with long paths */

struct moves {
    char *journal, *data_dir;
    json_t *list; /* [{"to":…,"new":…|null,"old":…,"had":bool}] */
    bool bad_name;
};

struct move {
    const char *to, *new_path, *old;
    bool had; /* there was something at to */
};

struct moves *moves_new(const char *data_dir)
{
    struct moves *moves = shep_alloc(sizeof *moves);
    moves->data_dir = shep_strdup(data_dir);
    moves->journal = path_join_dup(data_dir, "restore.json");
    moves->list = json_array();
    return moves;
}

void moves_free(struct moves *moves)
{
    json_decref(moves->list);
    free(moves->journal);
    free(moves->data_dir);
    free(moves);
}

void moves_add(struct moves *moves, const char *to, const char *new_path, const char *old)
{
    if (!new_path && !exists(to))
        return;
    json_t *move = json_pack("{s:s, s:s?, s:s, s:b}", "to", to, "new", new_path, "old", old, "had",
                             (int)exists(to));
    if (!move || json_array_append_new(moves->list, move) != 0)
        moves->bad_name = true; /* not UTF-8 */
}

static struct move move_at(const struct moves *moves, size_t i)
{
    const json_t *item = json_array_get(moves->list, i);
    return (struct move){.to = json_string_value(json_object_get(item, "to")),
                         .new_path = json_string_value(json_object_get(item, "new")),
                         .old = json_string_value(json_object_get(item, "old")),
                         .had = json_is_true(json_object_get(item, "had"))};
}

static int move_file(const char *from, const char *to, char why[BACKUP_WHY_MAX])
{
    if (rename(from, to) == 0)
        return 0;
    int n = errno;
    return backup_fail(why, SHEP_E_IO, "cannot move %.180s to %.180s: %s%s", from, to, strerror(n),
                       n == EBUSY ? " (is it a mount point?)" : "");
}

/* First all old ones leave, then the new ones come: an old -wal never lies beside a new database.
 */
static int carry_out(const struct moves *moves, char why[BACKUP_WHY_MAX])
{
    int rc = 0;
    size_t n = json_array_size(moves->list);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct move move = move_at(moves, i);
        if (move.had && exists(move.to) && !exists(move.old)) /* else it left already */
            rc = move_file(move.to, move.old, why);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct move move = move_at(moves, i);
        if (move.new_path && exists(move.new_path))
            rc = move_file(move.new_path, move.to, why);
    }
    return rc;
}

static int take_back(const struct moves *moves)
{
    char why[BACKUP_WHY_MAX];
    int rc = 0;
    for (size_t i = json_array_size(moves->list); i-- > 0;) {
        struct move move = move_at(moves, i);
        bool came = move.new_path && !exists(move.new_path) && exists(move.to);
        if (came && move_file(move.to, move.new_path, why) != 0)
            rc = SHEP_E_IO;
        if (move.had && exists(move.old) && move_file(move.old, move.to, why) != 0)
            rc = SHEP_E_IO;
    }
    return rc;
}

static int sync_names(const struct moves *moves)
{
    int err = 0;
    for (size_t i = 0; i < json_array_size(moves->list); i++) {
        struct move move = move_at(moves, i);
        char *dirs[] = {dir_of_dup(move.to), dir_of_dup(move.old)};
        for (size_t k = 0; k < ARRAY_LEN(dirs); k++) {
            int one = dir_sync(dirs[k]);
            err = one && one != -ENOENT ? one : err;
            free(dirs[k]);
        }
    }
    return err;
}

/* ---- the journal ---- */

/* Owned by who runs the daemon, whoever restores: they are to carry it out. What fails here leaves
 * no journal: the next start would carry out what was never begun. */
static int journal_write(const struct moves *moves, char why[BACKUP_WHY_MAX])
{
    char *text = json_dumps(moves->list, JSON_INDENT(1));
    int err = text ? file_write_atomic_as(moves->journal, text, strlen(text), 0600, moves->data_dir)
                   : -EILSEQ;
    if (!err && (err = dir_sync(moves->data_dir)) != 0) {
        unlink(moves->journal);
        dir_sync(moves->data_dir);
    }
    free(text);
    return err ? backup_fail(why, SHEP_E_IO, "cannot write %s: %s", moves->journal, strerror(-err))
               : 0;
}

/* Whoever could write it, or swap it, would have this program move what they like: dear when that
 * is root. */
static int trust(const char *path, const struct stat *st, char why[BACKUP_WHY_MAX])
{
    uid_t me = geteuid();
    if (st->st_uid != me && st->st_uid != 0)
        return backup_fail(why, SHEP_E_FORMAT,
                           "a restore was interrupted, and what it planned is not carried out: "
                           "%.150s belongs to uid %u, and this is uid %u; start as that user, or "
                           "look into restore.json, remove it and restore again",
                           path, (unsigned)st->st_uid, (unsigned)me);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return backup_fail(why, SHEP_E_FORMAT,
                           "a restore was interrupted, and what it planned is not carried out: "
                           "others may write to %.150s; look into restore.json, then `chmod go-w` "
                           "it, or remove restore.json",
                           path);
    return 0;
}

static int journal_read(struct moves *moves, char why[BACKUP_WHY_MAX])
{
    struct stat st, dir;
    int64_t size;
    json_decref(moves->list);
    moves->list = NULL;
    int fd = file_open_regular(moves->journal, &size), rc = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && stat(moves->data_dir, &dir) == 0) {
        rc = trust(moves->data_dir, &dir, why);
        if (!rc)
            rc = trust(moves->journal, &st, why);
        if (!rc && size <= JOURNAL_BYTES_MAX)
            moves->list = json_loadfd(fd, 0, NULL);
    }
    if (fd >= 0)
        close(fd);
    for (size_t i = 0; i < json_array_size(moves->list); i++)
        moves->bad_name |= !move_at(moves, i).to || !move_at(moves, i).old;
    if (!rc && (!json_is_array(moves->list) || moves->bad_name))
        rc = backup_fail(why, SHEP_E_FORMAT,
                         "a restore was interrupted, and %s, which says how "
                         "far it came, cannot be read; restore again",
                         moves->journal);
    return rc;
}

/* ---- doing it ---- */

/* All is where it belongs, whatever the disk says of its names: so it counts as done. The journal
 * goes in any case; carried out again months later it would move what came after it. */
static void bring_to_disk(const struct moves *moves)
{
    int err = sync_names(moves);
    if (!err)
        return;
    sync(); /* some disks take no fsync of a folder */
    log_warn("restore",
             "all of it is in its place, but the disk of %s does not say that it has the new names "
             "(%s): look at it (dmesg) before the power goes",
             moves->data_dir, strerror(-err));
}

static int finish(const struct moves *moves, char why[BACKUP_WHY_MAX])
{
    int rc = carry_out(moves, why);
    if (rc && take_back(moves) != 0) { /* the journal stays: nothing is lost, all is named in it */
        size_t used = strlen(why);
        snprintf(why + used, BACKUP_WHY_MAX - used, "; what lies where is said in %s",
                 moves->journal);
        return SHEP_E_BUSY;
    }
    bring_to_disk(moves);
    if (unlink(moves->journal) == 0)
        dir_sync(moves->data_dir);
    return rc;
}

int moves_run(struct moves *moves, char why[BACKUP_WHY_MAX])
{
    if (moves->bad_name)
        return backup_fail(why, SHEP_E_IO,
                           "a path of the data directory, the configuration or "
                           "view_dirs is not UTF-8; choose other names");
    int rc = journal_write(moves, why);
    return rc ? rc : finish(moves, why);
}

int backup_recover(const char *data_dir, char why[BACKUP_WHY_MAX])
{
    struct moves *moves = moves_new(data_dir);
    int rc = 0;
    why[0] = '\0';
    if (exists(moves->journal)) {
        rc = journal_read(moves, why);
        if (!rc && (rc = finish(moves, why)) == 0)
            backup_fail(why, 0, "an interrupted restore was carried out");
    }
    moves_free(moves);
    return rc;
}
