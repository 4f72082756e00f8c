/* What --help says. It suffices to use the program without any other document. */
#include "cli/cli.h"

static const char overview[] =
    "The Shepherd watches a flock of small Bitcoin miners and shows it on a web page.\n"
    "\n"
    "usage: shepherd [COMMAND] [OPTIONS]\n"
    "\n"
    "  run       watch the miners and serve the pages (the default)\n"
    "  check     say every mistake in the configuration; exit 78 if there is one\n"
    "  parse     print what a parser reads out of log files\n"
    "  plugins   list every plugin: kind, name, version, loaded or why not\n"
    "  render    print a page or an API reply as the daemon would serve it\n"
    "  passwd    set the admin password\n"
    "  backup    put database, configuration and views into one file\n"
    "  restore   put them back from such a file\n"
    "  import    take over from the Python Shepherd: its database or its CSV\n"
    "  help      this, or help about one command: shepherd help run\n"
    "  version   print the version\n"
    "\n"
    "First steps: 'shepherd run --demo' shows an invented flock on http://127.0.0.1:8080.\n"
    "Configuration: ~/.config/shepherd/shepherd.lua, else /etc/shepherd/shepherd.lua.\n"
    "Exit codes: 0 fine, 64 wrong usage, 65 a file that cannot be used, 66 no such input, 69 port "
    "or\n"
    "data directory in use, 74 input or output failed, 78 mistake in the configuration.\n";

static const struct {
    const char *command, *text;
} pages[] = {
    {"run",
     "usage: shepherd [run] [--config FILE] [--data-dir DIR] [--listen ADDR:PORT]... [--demo] "
     "[-v]\n"
     "\n"
     "Watches the miners until SIGTERM or SIGINT. SIGHUP reads the configuration again; a bad one\n"
     "changes nothing. Prints one line when everything answers:\n"
     "  shepherd: listening on http://127.0.0.1:8080\n"
     "\n"
     "  --config FILE       instead of ~/.config/shepherd/shepherd.lua or "
     "/etc/shepherd/shepherd.lua\n"
     "  --data-dir DIR      where the database lives, instead of the configuration's data_dir\n"
     "  --listen ADDR:PORT  instead of the configuration's listen; may be given several times;\n"
     "                      port 0: the kernel chooses. Beyond loopback it needs 'shepherd "
     "passwd'.\n"
     "  --demo              show an invented flock, in DIR/demo; ends at the first real miner\n"
     "  -v, --verbose       log more\n"},
    {"check",
     "usage: shepherd check [--config FILE]\n"
     "\n"
     "Says every mistake in the configuration as FILE:LINE: key: what is wrong. Exit 0 or 78.\n"},
    {"parse",
     "usage: shepherd parse [--parser NAME] [--summary] [FILE|-]...\n"
     "\n"
     "Prints one JSON object for each reading in the log files ('-': standard input):\n"
     "  {\"line\":12,\"metric\":\"hashrate\",\"value\":55123}\n"
     "\n"
     "  --parser NAME  take this parser instead of finding it by the log's fingerprint\n"
     "  --summary      one object for each file: parser, confidence, lines, last readings\n"},
    {"plugins", "usage: shepherd plugins [--config FILE]\n"
                "\n"
                "Lists every plugin that was found: kind, name, version, interface (ABI), loaded "
                "or why not.\n"},
    {"render",
     "usage: shepherd render VIEW [--config FILE] [--data-dir DIR] [--now MS] [--lang LANG]\n"
     "                            [--role ROLE]\n"
     "\n"
     "Prints the page or API reply of a path, for example / or /api/herd_data?x=1, made from the\n"
     "readings in the data directory. No daemon needs to run. Exit 0 when its status is 200.\n"
     "\n"
     "  --now MS     the time that the view sees, in ms since 1970, for tests\n"
     "  --lang LANG  the language of its words: en, or one of lua/locale/\n"
     "  --role ROLE  who looks: none, viewer (addresses are shortened), operator (default), "
     "admin\n"},
    {"passwd", "usage: shepherd passwd [--config FILE] [--data-dir DIR]\n"
               "\n"
               "Asks for the admin password (or reads one line from standard input) and stores its "
               "hash. It is\n"
               "needed before the daemon listens beyond loopback.\n"},
    {"backup",
     "usage: shepherd backup FILE [--with-logs] [--config FILE] [--data-dir DIR]\n"
     "\n"
     "Writes one file (a tar archive with gzip, mode 0600) with the database, the admin "
     "password's\n"
     "hash, the configuration file and the folders of view_dirs. A daemon may run meanwhile; then "
     "the\n"
     "latest readings are up to a minute old, and the newest lines up to 2 s (a backup made in "
     "the\n"
     "browser is of its moment). FILE is replaced only when the new one is whole. Keep it "
     "private:\n"
     "pool passwords are in it.\n"
     "\n"
     "  --with-logs     the miners' log lines too; without them only readings and history\n"
     "  --config FILE   the configuration to keep, instead of the usual one\n"
     "  --data-dir DIR  where the database lives, instead of the configuration's data_dir\n"
     "\n"
     "Exit 66 when there is no database, 74 when it cannot be read or FILE cannot be written.\n"},
    {"restore",
     "usage: shepherd restore FILE [--check] [--without-config] [--config FILE] [--data-dir DIR]\n"
     "\n"
     "Puts back what 'shepherd backup' (or Settings in the browser) made: database, admin "
     "password,\n"
     "configuration and views. All of it is unpacked and checked before anything is replaced; "
     "what\n"
     "was there is moved to DATA_DIR/before-restore.<time>. No daemon may run: stop it first, or "
     "use\n"
     "Settings in the browser. Run it as the daemon's user, or as root: root gives the files to "
     "the\n"
     "owner of the data directory.\n"
     "\n"
     "  --check           only check FILE and say what is in it; a daemon may run\n"
     "  --without-config  leave the configuration file as it is\n"
     "  --config FILE     where the configuration file goes, instead of the usual place\n"
     "  --data-dir DIR    where the database goes, instead of the configuration's data_dir\n"
     "\n"
     "Exit 65 when FILE is damaged or no backup, 66 when it is not there, 69 (with the pid) while "
     "a\n"
     "daemon runs, 74 when the disk fails or is full, 78 when FILE was made by a newer Shepherd "
     "or\n"
     "its configuration has mistakes.\n"},
    {"import",
     "usage: shepherd import OLD_DB|OLD.csv [--dry-run] [--config FILE] [--data-dir DIR]\n"
     "\n"
     "Takes over from the Python Shepherd: miners, pools, coin addresses, unconfigured devices "
     "and\n"
     "best difficulties out of its database (usually ~/shepherd_data/shepherd.db, any version), "
     "or\n"
     "miners out of its CSV. The old file is only read. What is here already stays; done twice it "
     "is\n"
     "the same as once. Miners of the configuration file are not touched. No daemon may run: stop "
     "it\n"
     "first, or use Settings, Import in the browser. Run it as the daemon's user.\n"
     "\n"
     "  --dry-run       say what would come, change nothing; a daemon may run\n"
     "  --config FILE   the configuration, instead of the usual one\n"
     "  --data-dir DIR  where the database lives, instead of the configuration's data_dir\n"
     "\n"
     "Exit 65 when the file is neither, 66 when it is not there, 69 (with the pid) while a daemon "
     "runs.\n"},
    {"version", "usage: shepherd version\n"},
    {"help", "usage: shepherd help [COMMAND]\n"},
};

int cmd_help(int argc, char **argv)
{
    if (argc < 2) {
        fputs(overview, stdout);
        return EX_OK;
    }
    const char *names[ARRAY_LEN(pages)];
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        names[i] = pages[i].command;
        if (strcmp(pages[i].command, argv[1]) == 0) {
            fputs(pages[i].text, stdout);
            return EX_OK;
        }
    }
    const char *near = str_nearest(argv[1], names, ARRAY_LEN(names));
    fprintf(stderr,
            near ? "shepherd help: no command '%s'; did you mean '%s'?\n"
                 : "shepherd help: no command '%s'\n",
            argv[1], near);
    return EX_USAGE;
}
