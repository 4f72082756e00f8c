/* One at a time in a data directory: the daemon, or a command that changes what the daemon owns.
 * DATA_DIR/shepherd.pid is locked and holds the owner's pid. Any thread. */
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Root made it for the daemon's user, who must be able to open it later. */
static void give_to_owner(int fd, const char *dir)
{
    struct stat st;
    if (geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0 &&
        fchown(fd, st.st_uid, st.st_gid) != 0)
        log_warn("store", "cannot give %s/shepherd.pid to its folder's owner: %s", dir,
                 strerror(errno));
}

static int busy(int fd, const char *dir, char *err, size_t err_cap, int *pid_out)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    int pid = n > 0 ? atoi(text) : 0;
    if (pid_out)
        *pid_out = pid;
    snprintf(err, err_cap, "another daemon (pid %d) uses %s; stop it, or choose another data_dir",
             pid, dir);
    return SHEP_E_BUSY;
}

int store_lock(const char *data_dir, char *err, size_t err_cap, int *pid_out)
{
    char *path = path_join_dup(data_dir, "shepherd.pid"), text[32];
    int result = 0, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        snprintf(err, err_cap, "cannot open %s: %s; check who owns the directory", path,
                 strerror(errno));
        result = SHEP_E_IO;
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        result = busy(fd, data_dir, err, err_cap, pid_out);
    } else {
        int len = snprintf(text, sizeof text, "%d\n", (int)getpid());
        if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
            log_warn("store", "cannot write %s: %s; the lock holds all the same", path,
                     strerror(errno));
        give_to_owner(fd, data_dir);
        result = fd;
        fd = -1;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return result;
}
