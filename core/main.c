/* shepherd: the command line's first word decides what runs; without one it is `run`. */
#include "cli/cli.h"

#include "util/log.h"

#include <malloc.h>

static int run_parse(int argc, char **argv)
{
    struct paths paths;
    if (paths_find(&paths) != 0) {
        paths_free(&paths);
        return EX_SOFTWARE;
    }
    log_set_level(SHEP_LOG_ERROR);
    struct plugins_conf conf = {.shipped_dir = paths.plugins_dir};
    struct plugins *plugins = plugins_load(&conf);
    int rc = cmd_parse(argc, argv, plugins_parsers(plugins));
    plugins_free(plugins);
    paths_free(&paths);
    return rc;
}

static int run_version(int argc, char **argv)
{
#ifdef SHEP_SANITIZE
    printf("shepherd %s (built with sanitizers: %s)\n", SHEP_VERSION, SHEP_SANITIZE);
#else
    printf("shepherd %s\n", SHEP_VERSION);
#endif
    return EX_OK;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cmd_run},         {"check", cmd_check},     {"parse", run_parse},
    {"plugins", cmd_plugins}, {"render", cmd_render},   {"passwd", cmd_passwd},
    {"backup", cmd_backup},   {"restore", cmd_restore}, {"import", cmd_import},
    {"help", cmd_help},       {"version", run_version},
};

/* Pages, snapshots and batches are large and short-lived: from the system and back to it, so that
 * the heap does not keep their holes for years. One arena: the threads allocate little. */
static void tame_malloc(void)
{
    mallopt(M_MMAP_THRESHOLD, 65536);
    mallopt(M_TRIM_THRESHOLD, 131072);
    mallopt(M_ARENA_MAX, 1);
}

int main(int argc, char **argv)
{
    tame_malloc();
    const char *word = argc > 1 ? argv[1] : "run";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return cmd_help(1, argv);
    if (strcmp(word, "--version") == 0)
        return run_version(1, argv);
    if (word[0] == '-' || argc < 2)
        return cmd_run(argc, argv);
    const char *names[ARRAY_LEN(commands)];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(word, commands[i].name) != 0)
            continue;
        if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
            return cmd_help(2, argv);
        return commands[i].run(argc - 1, argv + 1);
    }
    const char *near = str_nearest(word, names, ARRAY_LEN(names));
    fprintf(stderr,
            near ? "shepherd: no command '%s'; did you mean '%s'?\n"
                 : "shepherd: no command '%s'; see 'shepherd help'\n",
            word, near);
    return EX_USAGE;
}
