#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SHEP_SOURCE_DIR
#define SHEP_SOURCE_DIR "" /* set in build trees: where lua/ and views/ are */
#endif
#ifndef SHEP_LIBDIR
#define SHEP_LIBDIR "lib" /* relative to the prefix, as cmake --install puts it */
#endif

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *exe_dir_dup(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    return shep_strdup(path);
}

static void build_tree(struct paths *out)
{
    out->script_exe = path_join_dup(out->exe_dir, "shepherd-script");
    out->plugins_dir = path_join_dup(out->exe_dir, "plugins");
    out->static_dir = path_join_dup(out->exe_dir, "static");
    out->lua_dir = shep_strdup(SHEP_SOURCE_DIR "/lua");
    out->views_dir = shep_strdup(SHEP_SOURCE_DIR "/views");
    out->demo_dir = shep_strdup(SHEP_SOURCE_DIR "/plugins/sources/replay/demo");
}

static void installed(struct paths *out)
{
    char *prefix = shep_asprintf("%s/..", out->exe_dir);
    out->script_exe = shep_asprintf("%s/libexec/shepherd/shepherd-script", prefix);
    out->plugins_dir = shep_asprintf("%s/%s/shepherd", prefix, SHEP_LIBDIR);
    out->static_dir = shep_asprintf("%s/share/shepherd/static", prefix);
    out->lua_dir = shep_asprintf("%s/share/shepherd/lua", prefix);
    out->views_dir = shep_asprintf("%s/share/shepherd/views", prefix);
    out->demo_dir = shep_asprintf("%s/share/shepherd/demo", prefix);
    free(prefix);
}

int paths_find(struct paths *out)
{
    *out = (struct paths){.exe_dir = exe_dir_dup()};
    if (!out->exe_dir) {
        fprintf(stderr, "shepherd: cannot read /proc/self/exe: %s; is /proc mounted?\n",
                strerror(errno));
        return SHEP_E_GONE;
    }
    char *beside = path_join_dup(out->exe_dir, "plugins");
    if (is_dir(beside))
        build_tree(out);
    else
        installed(out);
    free(beside);
    return 0;
}

int paths_check(const struct paths *paths)
{
    const char *needed[] = {paths->plugins_dir, paths->lua_dir, paths->views_dir};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (is_dir(needed[i]))
            continue;
        fprintf(stderr, "shepherd: the folder %s is missing; build or install the program again\n",
                needed[i]);
        return SHEP_E_GONE;
    }
    if (access(paths->script_exe, X_OK) != 0) {
        fprintf(stderr, "shepherd: %s: %s; build or install the program again\n", paths->script_exe,
                strerror(errno));
        return SHEP_E_GONE;
    }
    return 0;
}

void paths_free(struct paths *paths)
{
    free(paths->exe_dir);
    free(paths->script_exe);
    free(paths->plugins_dir);
    free(paths->lua_dir);
    free(paths->views_dir);
    free(paths->static_dir);
    free(paths->demo_dir);
    *paths = (struct paths){0};
}
