/* The ballast: DATA_DIR/.ballast, a file of nothing that is given up when the disk is full. After
 * SQLITE_FULL not even a checkpoint or a DELETE works, since both need a few pages first; these are
 * they. Thread: the writer. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BALLAST_SHARE = 16, /* DESIGN "Storage": 1/16 of the free space */
    BALLAST_MIN = 256 * 1024,
    BALLAST_MAX = 8 * 1024 * 1024,
    ROOM_FACTOR = 4 /* made again only when four times its size is free: no flip-flop */
};

void ballast_find(struct ballast *ballast, const char *dir)
{
    struct stat st;
    ballast->path = path_join_dup(dir, ".ballast");
    ballast->bytes = stat(ballast->path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

bool ballast_drop(struct ballast *ballast)
{
    bool had = ballast->bytes > 0 && unlink(ballast->path) == 0;
    ballast->bytes = 0;
    return had;
}

void ballast_make(struct ballast *ballast, int64_t free_bytes)
{
    int64_t want = free_bytes / BALLAST_SHARE;
    want = want < BALLAST_MIN ? BALLAST_MIN : (want > BALLAST_MAX ? BALLAST_MAX : want);
    if (ballast->bytes || free_bytes < want * ROOM_FACTOR)
        return;
    int fd = open(ballast->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    int err = posix_fallocate(fd, 0, (off_t)want); /* really taken, not a hole */
    close(fd);
    if (err)
        unlink(ballast->path);
    else
        ballast->bytes = want;
}
