/* The rooms that the daemon and an import both live in: loop, herd and database. Opened and freed
 * here; what stands between, each stops in its own order. Thread: the loop's. */
#include "cli/cli.h"

#include "util/log.h"

/* Exit code; what is wrong is on stderr. */
static int open_store(struct daemon *daemon, const char *who)
{
    struct store_conf conf = {.data_dir = daemon->config.data_dir,
                              .keep_ms = daemon->config.keep_ms,
                              .keep_bytes = daemon->config.keep_bytes};
    char err[512] = "";
    int pid = 0;
    int code = store_open(&conf, daemon->loop, &daemon->store, err, sizeof err, &pid);
    if (code)
        fprintf(stderr, "%s: %s\n", who, err);
    else if (err[0])
        log_error("store", "%s", err); /* it was damaged, and is a new one now */
    return code == 0                    ? 0
           : code == SHEP_E_BUSY        ? EX_UNAVAILABLE
           : code == SHEP_E_UNSUPPORTED ? EX_CONFIG
                                        : EX_IOERR;
}

int rooms_open(struct daemon *daemon, const char *who, unsigned n_workers)
{
    struct herd_conf herd_conf = {.silent_after_ms = daemon->config.silent_after_ms};
    daemon->loop = loop_new(n_workers);
    daemon->topics = topics_new(daemon->loop);
    daemon->herd = herd_new(daemon->loop, daemon->topics, &herd_conf);
    daemon->facts = facts_new(daemon->topics);
    int rc = restore_resume(daemon->config.data_dir);
    return rc ? rc : open_store(daemon, who);
}

void rooms_free(struct daemon *daemon)
{
    keeper_free(daemon->keeper);
    plugins_free(daemon->plugins);
    herd_free(daemon->herd);
    facts_free(daemon->facts);
    topics_free(daemon->topics);
    loop_free(daemon->loop);
    free(daemon->owner.complaint);
    config_free(&daemon->config);
    paths_free(&daemon->paths);
}
