/* A real server on loopback and a client, both in the same loop; for the tests of core/http. */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include "unit/check.h"

#include "http/internal.h"
#include "unit/test_http_fake.h"
#include "util/clock.h"

enum { ANSWER_WITHIN_MS = 5000 };

struct http_test {
    struct loop *loop;
    struct topics *topics;
    struct script_pool pool;
    struct http *http;
    uint16_t port;
    char dir[2][64]; /* of /static/, the first wins */
    bool drained;
};
extern struct http_test t;

int setup_with(struct http_conf conf);
int setup(void **state);
int teardown(void **state);

struct reply {
    struct buf bytes; /* all of it */
    int status;
    const char *body;
    size_t body_len;
    bool closed;
};
extern struct reply the_reply; /* of ask() */
void reply_free(struct reply *reply);
const char *header(const struct reply *reply, const char *name); /* NULL: not there */

int client_open(void);
void client_send(int fd, const char *text);
void read_some(int fd, struct reply *reply);
/* Turns the loop until the reply is whole, or the connection ended. */
void client_read(int fd, struct reply *reply, bool head);
const struct reply *ask_raw(const char *text);
/* Method and path, further header lines ("A: b\r\n"). */
const struct reply *ask(const char *line, const char *lines);

bool run_until(bool (*done)(void));
void move(enum topic topic); /* touch it and wait for its publication */
struct http_stats stats(void);
#endif
