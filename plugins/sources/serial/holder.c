/* Who has a device open, by /proc/PID/fd. Other users' processes are readable for root only: then
 * there is no answer, and the caller names the usual suspects instead. Worker thread. */
#include "serial.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A busy server has a few hundred processes with some 20 descriptors each; past this we give up
 * and do not know. */
enum { MAX_PROCESSES = 4096, MAX_DESCRIPTORS = 32768 };

static bool process_has(const char *pid, dev_t rdev, unsigned *budget)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    bool has = false;
    struct dirent *entry;
    while (!has && *budget > 0 && (entry = readdir(dir))) {
        struct stat st;
        if (entry->d_name[0] == '.')
            continue;
        --*budget;
        has = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
              st.st_rdev == rdev;
    }
    closedir(dir);
    return has;
}

static void process_name(const char *pid, char *out, size_t cap)
{
    char path[320], name[32] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(name, sizeof name, file))
            name[0] = 0;
        fclose(file);
    }
    name[strcspn(name, "\n")] = 0;
    for (char *c = name; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    snprintf(out, cap, "%s (pid %.16s)", name[0] ? name : "a program", pid);
}

bool holder_find(dev_t rdev, char *out, size_t cap)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    unsigned processes = MAX_PROCESSES, descriptors = MAX_DESCRIPTORS;
    pid_t own = getpid();
    bool found = false;
    struct dirent *entry;
    while (!found && processes > 0 && (entry = readdir(proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || atol(entry->d_name) == own)
            continue;
        processes--;
        found = process_has(entry->d_name, rdev, &descriptors);
        if (found)
            process_name(entry->d_name, out, cap);
    }
    closedir(proc);
    return found;
}
