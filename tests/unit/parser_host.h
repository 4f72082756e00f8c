/* A host that writes down what a parser says, and one stream of the NerdMiner parser on it. The
 * parser's own sources are linked in. Everything belongs to one test at a time. */
#ifndef PARSER_HOST_H
#define PARSER_HOST_H

#include "check.h"

#include "shepherd/plugin.h"

#include <stdbool.h>

enum { SAID_MAX = 256 };

struct said_event {
    uint32_t event;
    double value;
    char text[256];
};

/* By metric and attribute the last reading; events in order. */
struct shep_ctx {
    bool have[SHEP_ATTR_END];
    double value[SHEP_ATTR_END];
    char text[SHEP_ATTR_END][SHEP_TEXT_MAX + 1];
    struct said_event events[SAID_MAX];
    size_t n_events, n_readings;
};

extern struct shep_ctx said;
extern int64_t now_ms; /* of the next lines; starts at 1,000,000 */

int setup(void **state);
int teardown(void **state);
void again(void); /* a fresh stream in the middle of a test */

const struct shep_parser_ops *ops(void);
int line_of(const char *text, size_t len); /* what the parser's line() returns */
int line(const char *text);
void submit(unsigned id); /* the line of a mining.submit */

void assert_near(double got, double want, double slack);
void assert_value(uint32_t metric, double want);
void assert_text(uint32_t attr, const char *want);
size_t events(uint32_t event);
const struct said_event *last_event(uint32_t event); /* fails when there is none */

#define assert_known(text)   assert_int_equal(line(text), 1)
#define assert_unknown(text) assert_int_equal(line(text), 0)
#define TEST(name)           cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif
