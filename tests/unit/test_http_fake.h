/* A script pool for the tests of core/http: the functions of core/script that it calls, answered
 * from a table, later and on the loop as the real one does. */
#ifndef TEST_HTTP_FAKE_H
#define TEST_HTTP_FAKE_H

#include "script/script.h"

struct script_pool {
    struct loop *loop;
    struct topics *topics;
    struct loop_owner owner;
    unsigned n_renders, n_dep_checks;
    unsigned n_pages;      /* alive now, for leaks of references */
    bool deps_stale;       /* the next look at the files says: changed */
    uint64_t generation;   /* of the override directories */
    bool gone;             /* no route at all */
    int64_t slow_ms;       /* of /slow */
    unsigned skeleton;     /* of /parts */
    size_t bytes;          /* of /bulk?n= */
    struct job *never[16]; /* renders of /never */
    size_t n_never;
};
void fake_pool_init(struct script_pool *pool, struct loop *loop, struct topics *topics);
void fake_pool_finish(struct script_pool *pool); /* lands what is at /never */

/* Pages: / (reads herd), /parts (herd and logs, five rows), /api/herd_data (82 kB), /slow, /never,
 * /query (declares a), /bulk (declares n), /system (reads it), /fail (500), /busy (503), /once (max
 * age 0), /brief (max age 50 ms), /moved (303), /hostile (a content type and a location with line
 * ends), /words (its language: de, en, es or pt-BR), /edited, /role and
 * /login (the role that it is made for; declare a). */
#endif
