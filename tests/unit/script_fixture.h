/* What the tests of core/script share: a loop, topics and a herd, a pool on directories of its own,
 * and rendering as a call that waits. */
#ifndef SHEP_TEST_SCRIPT_FIXTURE_H
#define SHEP_TEST_SCRIPT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* before cmocka.h */
#include <cmocka.h>

#include "herd/facts.h"
#include "herd/herd.h"
#include "script/script.h"
#include "util/clock.h"

struct fixture {
    char dir[64];                        /* a fresh directory; views/, over/, lua/ are in it */
    char *views, *over, *lua, *db, *exe; /* paths */
    struct loop *loop;
    struct topics *topics;
    struct herd *herd;
    struct facts *facts;
    struct script_pool *pool;
    struct script_conf conf; /* change it, then fixture_pool() */
    const char *view_dirs[1];
    const char *locale; /* of the requests; "en" */
    const char *role;   /* likewise; "viewer" */
    const char *config; /* JSON of shepherd.config(); NULL: a small one */
};

int fixture_setup(void **state); /* with the real lua/, no views, no database */
int fixture_teardown(void **state);
void fixture_pool(struct fixture *f); /* a new pool by f->conf, in place of the one there is */

/* Files below the fixture's directory; folders are made. */
char *fixture_path(struct fixture *f, const char *name);
void fixture_write(struct fixture *f, const char *name, const char *text);
void fixture_remove(struct fixture *f, const char *name);
void fixture_copy_lua(struct fixture *f); /* the library into lua/, to be edited there */

/* "/a/b?x=1&y=2", not percent-decoded. The page is freed with the next render. */
struct script_page *fixture_render(struct fixture *f, const char *target);
/* Several at once: pages in order of the targets. The caller frees them. */
void fixture_render_all(struct fixture *f, const char *const *targets, size_t n,
                        struct script_page **pages);
/* Turn the loop until *done or for 20 s at most, which fails the test. */
void fixture_settle(struct fixture *f); /* until every touched topic is published */
void fixture_wait(struct fixture *f, const bool *done);

void assert_body(const struct script_page *page, const char *text);
void assert_has(const struct script_page *page, const char *text);
void assert_lacks(const struct script_page *page, const char *text);
#endif
