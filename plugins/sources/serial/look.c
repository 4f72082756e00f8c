/* Whether configured paths are there, and which directories decide that. Worker thread: a path may
 * lead anywhere. One look serves all ports that wait for one, so that a hundred missing paths cost
 * as much as one.
 *
 * A directory is watched before it is looked into; what changes later makes an event. */
#include "serial.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WATCH_MASK = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ATTRIB | IN_DELETE_SELF |
                 IN_MOVE_SELF | IN_ONLYDIR,
    WALK_TRIES = 4,  /* directories that appear while we look for the nearest one */
    LISTED_MAX = 256 /* names of ports in a message for people */
};

/* FNV-1a. Two names with one hash cost a look, nothing else. */
uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash ? hash : 1;
}

bool link_target(const char *path, char out[static SERIAL_PATH_MAX])
{
    char target[SERIAL_PATH_MAX];
    ssize_t len = readlink(path, target, sizeof target - 1);
    const char *slash = strrchr(path, '/');
    if (len < 0 || !slash)
        return false;
    target[len] = 0;
    int n = target[0] == '/'
                ? snprintf(out, SERIAL_PATH_MAX, "%s", target)
                : snprintf(out, SERIAL_PATH_MAX, "%.*s/%s", (int)(slash - path), path, target);
    errno = ENAMETOOLONG;
    return n < SERIAL_PATH_MAX;
}

/* ---- directories ---- */

static void point_add(struct look_view *view, int wd, const char *name)
{
    struct watch_point point = {wd, name_hash(name)};
    for (size_t i = 0; i < view->n_points; i++)
        if (view->points[i].wd == point.wd && view->points[i].name == point.name)
            return;
    if (view->n_points < SERIAL_POINTS_MAX)
        view->points[view->n_points++] = point;
}

/* Watches the directory of this path, or the nearest one above it that is there. True: the one
 * that is watched now has no such name, or is the direct one. False: something appeared meanwhile.
 */
static bool nearest_watch(struct look *look, struct look_view *view, const char *path)
{
    char dir[SERIAL_PATH_MAX];
    bool direct = true;
    snprintf(dir, sizeof dir, "%s", path);
    for (;;) {
        char *slash = strrchr(dir, '/');
        if (!slash)
            return true;
        const char *name = slash + 1;
        *slash = 0;
        int wd = inotify_add_watch(look->inotify, dir[0] ? dir : "/", WATCH_MASK);
        if (wd >= 0) {
            point_add(view, wd, name);
            *slash = '/';
            return direct || access(dir, F_OK) != 0;
        }
        if (errno != ENOENT && errno != ENOTDIR) {
            look->blind = true; /* no more watches, or a directory that we may not read */
            return true;
        }
        if (slash == dir)
            return true;
        direct = false;
    }
}

/* ---- one path ---- */

static void path_look(struct look *look, struct look_view *view)
{
    char path[SERIAL_PATH_MAX], next[SERIAL_PATH_MAX];
    struct stat st;
    memcpy(path, view->path, sizeof path);
    for (int i = 0; look->inotify >= 0 && i < SERIAL_LINKS_MAX; i++) {
        for (int tries = 0; tries < WALK_TRIES && !nearest_watch(look, view, path); tries++)
            ;
        if (!link_target(path, next))
            break;
        memcpy(path, next, sizeof path);
    }
    view->exists = stat(view->path, &st) == 0;
    view->rdev = view->exists && S_ISCHR(st.st_mode) ? st.st_rdev : 0;
}

void look_run(void *arg)
{
    struct look *look = arg;
    bool some_missing = false;
    for (size_t i = 0; i < look->n_views && !atomic_load(&look->leave); i++) {
        atomic_store(&look->at, i);
        path_look(look, &look->views[i]);
        some_missing |= !look->views[i].exists;
    }
    atomic_store(&look->at, look->n_views);
    if (some_missing && !atomic_load(&look->leave))
        ports_list(look->sysfs_root, look->dev_root, look->known, sizeof look->known);
    if (look->inotify >= 0)
        close(look->inotify);
}

/* ---- what there is instead ---- */

typedef char tty_name[32];

static int name_compare(const void *a, const void *b)
{
    return strverscmp(a, b);
}

/* Not scandir(): the test bed umockdev shows its tree to opendir() only. */
static size_t names_read(const char *sysfs_root, tty_name *names, size_t max)
{
    char path[SERIAL_PATH_MAX + 16];
    size_t n = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/class/tty", sysfs_root);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    while (n < max && (entry = readdir(dir)))
        if ((!strncmp(entry->d_name, "ttyUSB", 6) || !strncmp(entry->d_name, "ttyACM", 6)) &&
            strlen(entry->d_name) < sizeof *names)
            snprintf(names[n++], sizeof *names, "%.31s", entry->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, name_compare);
    return n;
}

void ports_list(const char *sysfs_root, const char *dev_root, char *out, size_t cap)
{
    tty_name names[LISTED_MAX];
    size_t n = names_read(sysfs_root, names, LISTED_MAX), len = 0;
    out[0] = 0;
    for (size_t i = 0; i < n; i++) {
        int add = snprintf(out + len, cap - len, "%s%s/%s", len ? ", " : "", dev_root, names[i]);
        if (len + (size_t)add >= cap) {
            out[len] = 0; /* no room: a shorter list is a list all the same */
            break;
        }
        len += (size_t)add;
    }
    if (len == 0)
        snprintf(out, cap, "none");
}
