/* What people send: every POST of the settings page, of the login, and those of the Python
 * Shepherd, with their fields and answers. A form is read (bounded), handed to core/flock,
 * core/access or core/backup, written into the audit, and answered: 302 and a flash message for a
 * page, {"success":…,"message":…} for a program. No rule about miners or passwords lives here.
 * Thread: loop. */
#ifndef SHEP_FORMS_H
#define SHEP_FORMS_H

#include "access/access.h"
#include "flock/flock.h"
#include "http/http.h"

struct forms;

struct forms_conf { /* all borrowed for the life of the forms */
    struct loop *loop;
    struct http *http;
    struct store *store;
    struct access *access;
    struct flock *flock;
    const char *data_dir, *config_file; /* config_file NULL: none */
    const char *config_place;           /* where a restored one goes */
    const char *const *view_dirs;
    size_t n_view_dirs;
    /* What memory holds and the store does not have yet is handed over: before a backup. */
    void (*flush)(void *arg);
    /* Is the configuration of what lies unpacked in this directory one to start with? 0 or
     * SHEP_E_CONFIG with its mistakes in words. Blocks; any thread. */
    int (*check)(const char *unpacked_dir, char *why, size_t why_cap, void *arg);
    /* Stop cleanly and start again with what lies unpacked in this directory (backup_put()). */
    void (*restore)(const char *unpacked_dir, void *arg);
    void (*restart)(void *arg); /* stop cleanly and start again */
    void *arg;
};
/* Adds the routes; before http_listen(). */
struct forms *forms_new(const struct forms_conf *conf);
/* The daemon stops: whoever still waits (a board boots, a backup is packed) is answered. Before
 * http_drain(). */
void forms_stop(struct forms *forms);
/* Before http_free(); what is still under way ends by itself later. */
void forms_free(struct forms *forms);
#endif
