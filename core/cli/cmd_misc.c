/* The commands that look or set something and end: check, plugins, passwd. */
#include "cli/cli.h"

#include "access/password.h"
#include "util/log.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <termios.h>
#include <unistd.h>

int usage_error(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "shepherd %s: ", command);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "; see 'shepherd help %s'\n", command);
    va_end(args);
    return EX_USAGE;
}

int command_options(int argc, char **argv, const struct command_switch *switches,
                    struct config_overrides *out)
{
    enum { SHARED = 2, SWITCHES_MAX = 4, FIRST_SWITCH = 256 };
    struct option options[SHARED + SWITCHES_MAX + 1] = {{"config", required_argument, NULL, 'c'},
                                                        {"data-dir", required_argument, NULL, 'd'}};
    for (int i = 0; switches && switches[i].name && i < SWITCHES_MAX; i++)
        options[SHARED + i] =
            (struct option){switches[i].name, no_argument, NULL, FIRST_SWITCH + i};
    int opt;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'c')
            out->file = optarg;
        else if (opt == 'd')
            out->data_dir = optarg;
        else if (opt >= FIRST_SWITCH)
            *switches[opt - FIRST_SWITCH].set = true;
        else
            return EX_USAGE;
    }
    return 0;
}

int loaded_open(const struct config_overrides *overrides, struct loaded *out)
{
    if (paths_find(&out->paths) != 0 || paths_check(&out->paths) != 0)
        return EX_SOFTWARE;
    log_set_level(SHEP_LOG_ERROR); /* a refused plugin is shown by `plugins`, not here */
    return config_load(&out->paths, overrides, &out->config, &out->plugins) ? EX_CONFIG : 0;
}

void loaded_close(struct loaded *loaded)
{
    plugins_free(loaded->plugins);
    config_free(&loaded->config);
    paths_free(&loaded->paths);
}

static int load(int argc, char **argv, struct loaded *out)
{
    struct config_overrides overrides = {0};
    int rc = command_options(argc, argv, NULL, &overrides);
    if (!rc && optind < argc)
        rc = usage_error(argv[0], "what is '%s'?", argv[optind]);
    return rc ? rc : loaded_open(&overrides, out);
}

int cmd_check(int argc, char **argv)
{
    struct loaded loaded = {0};
    int rc = load(argc, argv, &loaded);
    if (rc == 0)
        printf("%s: no mistakes; %zu miners\n",
               loaded.config.file ? loaded.config.file : "no configuration file, all defaults",
               json_array_size(loaded.config.miners));
    loaded_close(&loaded);
    return rc;
}

static void print_plugin(const struct plugin_info *info, void *arg)
{
    printf("%-8s %-16s %-10s %d.%d  %s%s\n", info->name ? info->kind : "-",
           info->name ? info->name : "-", info->version ? info->version : "-", info->abi_major,
           info->abi_minor,
           info->loaded ? "loaded" : "refused: ", info->loaded ? "" : info->problem);
    printf("%-8s %s\n", "", info->file);
}

int cmd_plugins(int argc, char **argv)
{
    struct loaded loaded = {0};
    int rc = load(argc, argv, &loaded);
    if (loaded.plugins) {
        printf("%-8s %-16s %-10s %s\n", "KIND", "NAME", "VERSION", "ABI  STATE");
        plugins_each(loaded.plugins, print_plugin, NULL);
    }
    loaded_close(&loaded);
    return rc;
}

/* ---- the admin password ---- */

bool admin_password_is_set(const char *data_dir)
{
    char hash[PASSWORD_HASH_MAX];
    password_file_read(data_dir, hash);
    return hash[0] != '\0';
}

/* One line without its end; nothing is shown on a terminal. false: no line. */
static bool read_password(const char *prompt, char *out, size_t cap)
{
    struct termios old, hidden;
    bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    if (terminal) {
        fputs(prompt, stderr);
        hidden = old;
        hidden.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool got = fgets(out, (int)cap, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (got)
        out[strcspn(out, "\r\n")] = '\0';
    return got;
}

static int ask_password(char *out, size_t cap)
{
    char again[PASSWORD_MAX + 2];
    if (!read_password("New admin password: ", out, cap)) {
        fprintf(stderr, "shepherd passwd: no password on standard input\n");
        return EX_NOINPUT;
    }
    const char *problem = password_problem(out);
    if (problem) {
        fprintf(stderr, "shepherd passwd: %s\n", problem);
        return EX_DATAERR;
    }
    if (!isatty(STDIN_FILENO))
        return 0;
    bool same = read_password("Once more: ", again, sizeof again) && strcmp(out, again) == 0;
    sodium_memzero(again, sizeof again);
    if (same)
        return 0;
    fprintf(stderr, "shepherd passwd: the two differ; nothing was changed\n");
    return EX_DATAERR;
}

static int store_password(const char *data_dir, const char *password)
{
    char hash[PASSWORD_HASH_MAX];
    if (password_hash(password, hash) != 0) {
        fprintf(stderr, "shepherd passwd: not enough memory to hash the password (19 MiB)\n");
        return EX_OSERR;
    }
    int err = password_file_write(data_dir, hash);
    if (err)
        fprintf(stderr, "shepherd passwd: cannot write %s/admin_password: %s\n", data_dir,
                strerror(-err));
    else
        printf("The admin password is set. A running daemon takes it at once, and ends what began "
               "with the old one.\n");
    return err ? EX_IOERR : 0;
}

int cmd_passwd(int argc, char **argv)
{
    struct loaded loaded = {0};
    char password[PASSWORD_MAX + 2]; /* with its line end; one byte more is too long */
    int rc = load(argc, argv, &loaded);
    if (!rc)
        rc = ask_password(password, sizeof password);
    if (!rc)
        rc = store_password(loaded.config.data_dir, password);
    sodium_memzero(password, sizeof password);
    loaded_close(&loaded);
    return rc;
}
