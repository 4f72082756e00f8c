/* One file that holds a whole Shepherd: database, configuration, edited views. A tar archive with
 * gzip (libarchive):
 *
 *     shepherd-backup.json   {"format":1,"version":"0.1.0","made_at_ms":…,"schema":3,"with_logs":…}
 *     shepherd.db  admin_password  btc_price.json
 *     config/shepherd.lua
 *     views/0/…  views/1/…    the folders of view_dirs, in their order, but links and hidden files
 *     shepherd-backup.sha256  checksums of all, as of sha256sum(1); the last one
 *
 * Everything in an archive is hostile: names are checked against this list, sizes are bounded, and
 * nothing is put into its place before all of it was unpacked and checked. */
#ifndef SHEP_BACKUP_H
#define SHEP_BACKUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BACKUP_WHY_MAX = 512 };

struct backup_parts {     /* NULL, 0: there is none */
    const char *data_dir; /* for admin_password */
    const char *db_copy;  /* made by store_copy() or of a database that nobody has open */
    const char *config_file;
    const char *const *view_dirs;
    size_t n_view_dirs;
    bool with_logs;
};
/* Any thread; blocks. 0 (why: what was left out, or empty) or SHEP_E_IO. out_path is replaced
 * atomically, mode 0600. */
int backup_write(const struct backup_parts *parts, const char *out_path, char why[BACKUP_WHY_MAX]);

/* Unpacks into a new directory and checks all of it: 0 and what it found ({"version","made_at_ms",
 * "miners":n,"views":n,…}, and who may come in by it: store_people()); SHEP_E_FORMAT,
 * SHEP_E_UNSUPPORTED (made by a newer Shepherd), SHEP_E_IO, SHEP_E_LIMIT (not enough room). Nothing
 * is left behind when it fails. Any thread; blocks. */
int backup_unpack(const char *file, const char *into_dir, json_t **about_out,
                  char why[BACKUP_WHY_MAX]);
void backup_discard(const char *unpacked_dir); /* or any folder of ours; not there: nothing */
/* Puts what was unpacked into its places: data_dir, config_file and view_dirs of places; what is
 * NULL, or not in the archive, stays as it is. What was there is moved to
 * DATA_DIR/before-restore.<time>/ first (or stays beside its place as NAME.before-restore.<time>,
 * when that is on another disk), and comes back if anything fails. 0: the unpacked folder is gone,
 * and why says where the old things are (empty: there were none); SHEP_E_IO; SHEP_E_BUSY: half of
 * it is done and could not be taken back: the unpacked folder must stay for backup_recover(). The
 * daemon must not run: the caller holds the data directory's lock. After a kill in the middle,
 * backup_recover() does the rest. */
int backup_put(const char *unpacked_dir, const struct backup_parts *places,
               char why[BACKUP_WHY_MAX]);
/* Carries out a restore that was killed in the middle, so that never a part of the old meets a part
 * of the new. Not when somebody else may have written what it planned. With the data directory's
 * lock, before the database is opened. 0: there was nothing, or it is done (why says so);
 * SHEP_E_IO, SHEP_E_BUSY, SHEP_E_FORMAT: why says what to do. */
int backup_recover(const char *data_dir, char why[BACKUP_WHY_MAX]);
#endif
