/* The command line and the daemon that it starts: configuration, start and stop order, the glue
 * between the rooms. Everything here runs on the loop thread. */
#ifndef SHEP_CLI_H
#define SHEP_CLI_H

#include "flock/flock.h"
#include "forms/forms.h"
#include "http/http.h"
#include "plugin/plugin.h"
#include "script/script.h"

#include <sysexits.h>

/* ---- where things are: beside the program in a build tree, FHS-like under an installed prefix
 * ---- */
struct paths {
    char *exe_dir, *script_exe, *plugins_dir, *lua_dir, *views_dir, *static_dir, *demo_dir;
};
int paths_find(struct paths *out);
/* Is all there that pages and the configuration need? 0; SHEP_E_GONE, with a message on stderr. */
int paths_check(const struct paths *paths);
void paths_free(struct paths *paths);

/* ---- configuration ---- */
struct listen_addr {
    char *addr;
    uint16_t port;
};
struct config {
    char *file;   /* NULL: none, all defaults */
    char *place;  /* where a restored one goes: the file, or where the next start looks for one */
    json_t *keys; /* what the file says; borrowed texts below point into it or are owned */
    struct listen_addr *listen;
    size_t n_listen;
    const char **hosts, **view_dirs, **plugin_dirs;
    size_t n_hosts, n_view_dirs, n_plugin_dirs;
    char *data_dir;
    bool offline;
    int64_t silent_after_ms, keep_ms, keep_bytes;
    enum access_role loopback_role, lan_role; /* of who has not logged in */
    const json_t *miners;                     /* array or NULL */
    const json_t *plugins;                    /* object or NULL */
};
struct config_overrides {
    const char *file, *data_dir;
    const char *listen[16];
    size_t n_listen;
};
/* Reads and checks. Every mistake is one line on stderr: FILE:LINE: key: what is wrong and what to
 * do. *plugins_out is loaded on the way, since plugins bring their own settings. 0; SHEP_E_CONFIG
 * when there was any mistake (nothing is left to free then but what config_free() and
 * plugins_free() take). */
int config_load(const struct paths *paths, const struct config_overrides *overrides,
                struct config *out, struct plugins **plugins_out);
/* The same file again, against plugins that run already. */
int config_reload(const struct paths *paths, const struct config_overrides *overrides,
                  const struct plugins *plugins, struct config *out);
/* What a configuration that was read again says about screens. */
void config_display_take(struct config *config, const struct config *fresh);
void config_free(struct config *config);
bool listen_is_loopback(const struct listen_addr *listen);

/* ---- commands: exit codes of sysexits.h ---- */
int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_plugins(int argc, char **argv);
int cmd_render(int argc, char **argv);
int cmd_passwd(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_parse(int argc, char **argv, const struct ingest_parsers *parsers); /* cmd_parse.c */
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_import(int argc, char **argv);
/* cmd_restore.c: does the rest of a restore that was killed. Before the store is opened; exit code,
 * with a message. */
int restore_resume(const char *data_dir);
/* theirs.c: the configuration of a backup that was unpacked. 0; SHEP_E_CONFIG: its mistakes in
 * words. their_config_free() in any case. Any thread; blocks. */
struct their_config {
    bool is_there;
    const char **view_dirs; /* point into whole */
    size_t n_view_dirs;
    json_t *whole;
};
int their_config_read(const char *unpacked_dir, const char *data_dir, struct their_config *out,
                      char *why, size_t why_cap);
void their_config_free(struct their_config *theirs);
/* --config, --data-dir and a command's own switches (name NULL ends them; the table may be NULL).
 * optind is the first argument behind them. EX_USAGE: a message is on stderr. */
struct command_switch {
    const char *name;
    bool *set;
};
int command_options(int argc, char **argv, const struct command_switch *switches,
                    struct config_overrides *out);
/* An option that getopt_long() did not know: message with the nearest one, EX_USAGE. */
int usage_error(const char *command, const char *fmt, ...) SHEP_PRINTF(2, 3);

/* What a command needs that looks at the same things as the daemon: exit code, messages on stderr.
 * loaded_close() in any case. */
struct loaded {
    struct paths paths;
    struct config config;
    struct plugins *plugins;
};
int loaded_open(const struct config_overrides *overrides, struct loaded *out);
void loaded_close(struct loaded *loaded);

/* DATA_DIR/admin_password: an argon2id hash, mode 0600. */
bool admin_password_is_set(const char *data_dir);

/* ---- the running daemon ---- */
struct daemon {
    struct paths paths;
    struct config_overrides overrides;
    struct config config;
    struct loop *loop;
    struct loop_owner owner;
    struct topics *topics;
    struct herd *herd;
    struct facts *facts;
    struct store *store;
    struct plugins *plugins;
    struct script_pool *scripts;
    struct access *access;
    struct flock *flock;
    struct http *http;
    struct forms *forms;
    struct keeper *keeper;
    struct status *status;
    int64_t started_at_ms;
    char **listening; /* "http://127.0.0.1:8080" */
    size_t n_listening;
    struct again *again; /* NULL: the end is the end */
    bool demo, stopping;
};

/* rooms.c: loop, herd and database, for the daemon and for an import. Exit code, with a message of
 * who on stderr; rooms_free() in any case, after the store was closed. */
int rooms_open(struct daemon *daemon, const char *who, unsigned n_workers);
void rooms_free(struct daemon *daemon);

/* cmd_run.c: a clean stop, as by SIGTERM; returns at once. */
void daemon_stop(struct daemon *daemon);

/* again.c: stop cleanly, then start again in place. */
enum again_why { AGAIN_SAME, AGAIN_FOR_REAL, AGAIN_RESTORE };
void again_for_real(struct daemon *daemon); /* the demo is over */
void again_ask(void *daemon);
int again_check(const char *unpacked_dir, char *why, size_t why_cap, void *daemon); /* any thread */
void again_restore(const char *unpacked_dir, void *daemon);
void again_stay_down(struct daemon *daemon); /* somebody wants the end, and no new start */
/* After stop(); returns when nothing was started. Takes again. */
void again_run(struct again *again, char **argv, int argc, char *const *listening,
               size_t n_listening);

/* cmd_run.c: hands the rooms to the plugins and brings back the flock: miners of the file (or the
 * demo's), of the browser, what was plugged in, the latest readings. Starts no plugin. */
void daemon_restore(struct daemon *daemon);

/* keeper.c: what happens in the herd goes into the store; the store's health comes back as a fact.
 */
struct keeper *keeper_new(struct daemon *daemon);
void keeper_restore(struct keeper *keeper); /* latest readings; after the miners are there */
void keeper_flush(struct keeper *keeper);   /* before the store closes */
void keeper_free(struct keeper *keeper);
const char *keeper_health(void *daemon); /* for /healthz */

/* pulse.c: what happens in the herd is told to browsers. After http_new(), before any miner. */
void pulse_start(struct daemon *daemon);

/* status.c: the documents behind shepherd.system() and shepherd.config(). */
struct status *status_new(struct daemon *daemon);
void status_free(struct status *status);
const void *status_topic_data(enum topic topic, size_t *len_out, void *daemon);

/* notify.c: systemd's readiness protocol; nothing happens without NOTIFY_SOCKET. */
void notify_send(const char *state);
int64_t notify_watchdog_ms(void); /* how often to say WATCHDOG=1; 0: never */
#endif
