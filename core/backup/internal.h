/* What the files of core/backup share. Nobody outside includes this. */
#ifndef SHEP_BACKUP_INTERNAL_H
#define SHEP_BACKUP_INTERNAL_H

#include "backup/backup.h"
#include "util/util.h"

#include "shepherd/plugin.h"

#include <sys/types.h>

enum {
    BACKUP_FORMAT = 1,
    FILES_MAX = 10000,           /* view_dirs that hold more are not folders of views */
    DEPTH_MAX = 16,              /* folders in folders */
    NAME_BYTES_MAX = 512,        /* of a name in the archive */
    VIEW_DIRS_MAX = 32,          /* more than anybody has */
    VIEW_BYTES_MAX = 16 << 20,   /* a view, or a picture beside it */
    SMALL_BYTES_MAX = 1 << 20,   /* configuration, price, what the archive says of itself */
    RESERVE_BYTES = 16 << 20,    /* stays free on the disk: a running daemon writes there too */
    RATIO_MAX = 200,             /* text packs to a tenth, zeros to a thousandth */
    RATIO_FREE_BYTES = 64 << 20, /* so much may come out of whatever went in */
    CHUNK_BYTES = 64 * 1024,
    SPACE_EVERY_BYTES = 4 << 20 /* how often the disk is asked */
};

enum part { PART_ABOUT, PART_DB, PART_PASSWORD, PART_PRICE, PART_CONFIG, PART_VIEW, PART_SUMS };

/* names.c: what may stand in an archive, and nothing else. */
struct part_name {
    enum part part;
    int64_t max_bytes; /* of its content; 0: what the disk has room for */
    int view_dir;      /* PART_VIEW: which of the view_dirs */
    const char *rest;  /* PART_VIEW: the path in it */
};
bool part_name_parse(const char *name, struct part_name *out);
const char *part_file(enum part part); /* its name, for all but PART_VIEW */
/* May a file of people be called that? No control characters, nothing hidden, not too long. */
bool part_component_ok(const char *name);

/* ---- files.c ---- */

/* Text into why; returns err. */
int backup_fail(char why[BACKUP_WHY_MAX], int err, const char *fmt, ...) SHEP_PRINTF(3, 4);
/* Bytes that may be written to the disk of path, without the reserve; -1: unknown. */
int64_t free_bytes(const char *path);
bool exists(const char *path); /* a link counts by itself */
/* A regular file, not through a link; -1 and errno (EINVAL: another kind of file). */
int file_open_regular(const char *path, int64_t *size_out);
/* 0 or -errno; a directory with everything in it. Not there: 0. Links are removed, not followed. */
int tree_remove(const char *path);
int tree_copy(const char *from, const char *to); /* files and folders; 0 or -errno */
int tree_sync(const char *path);                 /* all of it is on the disk; 0 or -errno */
/* For root only, who restores for the daemon's user: gives all of it to that user. */
void tree_give(const char *path, uid_t uid, gid_t gid);
void tree_open(const char *path); /* modes 0755 and 0644; of our own files only */
int dir_sync(const char *path);   /* the names in it; 0 or -errno */
char *dir_of_dup(const char *path);

/* moves.c: many renames that are done wholly or not at all, also after a kill. */
struct moves;
struct moves *moves_new(const char *data_dir);
void moves_free(struct moves *moves);
/* to: what is there goes to old; what is new, if not NULL, comes there. */
void moves_add(struct moves *moves, const char *to, const char *new_path, const char *old);
int moves_run(struct moves *moves, char why[BACKUP_WHY_MAX]);
#endif
