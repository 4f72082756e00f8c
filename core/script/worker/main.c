/* shepherd-script: runs the Lua that people write, away from the daemon.
 *
 *   shepherd-script --serve PARENT VERSION   by the daemon: its socket is descriptor 3
 *   shepherd-script --config FILE            evaluates the configuration, JSON to stdout
 *
 * It can read what the daemon's user can read, but its scripts have no way to: no io, no os, SQL
 * read-only. It dies with the daemon, leaves no core file (snapshots hold names and wallets), and
 * gains no privileges. */
#include "script/worker/worker.h"

#include <signal.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void harden(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef SHEP_SANITIZE /* sanitizers map terabytes, and look at their own process */
    struct rlimit space = {(rlim_t)LIMIT_ADDRESS_SPACE << 20, (rlim_t)LIMIT_ADDRESS_SPACE << 20};
    setrlimit(RLIMIT_AS, &space);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Ctrl-C and systemd's stop go to the daemon, which still answers what is under way. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

static int serve_main(const char *parent, const char *version)
{
    if (strcmp(version, PROTO_VERSION) != 0) {
        fprintf(stderr, "shepherd-script: the daemon is of another build; build both again\n");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != atoi(parent))
        return 1; /* it died before we could ask to be told */
    close_range(PROTO_FD + 1, ~0u, 0);
    ignore_signals();
    harden();
    return serve();
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return 1;
    if (argc == 4 && strcmp(argv[1], "--serve") == 0)
        return serve_main(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "--config") == 0) {
        harden();
        return config_main(argv[2]);
    }
    fprintf(stderr, "shepherd-script is started by shepherd; see `shepherd help`\n");
    return 64;
}
