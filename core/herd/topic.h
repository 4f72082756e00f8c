/* Topics: what a page can depend on. A topic has a sequence number that moves when anything visible
 * of it moved. A touch is published at once when the topic was quiet, else with the next tick
 * (TOPIC_TICK_MS): 10,000 lines a second cost ten publications, one line after a pause costs no
 * delay. No timer runs while nothing moves. Thread: loop. */
#ifndef SHEP_TOPIC_H
#define SHEP_TOPIC_H

#include "loop/loop.h"

#define TOPIC_LIST(X)                                                                              \
    X(HERD, "herd")     /* miners, readings, statuses */                                           \
    X(LOGS, "logs")     /* stored lines */                                                         \
    X(EVENTS, "events") /* the events table */                                                     \
    X(FACTS, "facts")   /* price and what services publish */                                      \
    X(CONFIG, "config") /* settings, pools, addresses */                                           \
    X(SYSTEM, "system") /* the daemon itself; moves every 2 s while somebody looks */

enum topic {
#define X(sym, name) TOPIC_##sym,
    TOPIC_LIST(X)
#undef X
        TOPIC_COUNT
};
enum { TOPIC_TICK_MS = 100 };

struct topics;
typedef void (*topic_fn)(enum topic topic, uint64_t seq, void *arg);

struct topics *topics_new(struct loop *loop);
void topics_free(struct topics *topics);
const char *topic_name(enum topic topic);
int topic_by_name(const char *name); /* -1: none */
void topic_touch(struct topics *topics, enum topic topic);
/* What was touched is published now and not with the next tick: who changed something and looks at
 * once sees it. For what people do, not for what miners say. */
void topic_publish(struct topics *topics, enum topic topic);
uint64_t topic_seq(const struct topics *topics,
                   enum topic topic); /* of the last publication; starts at 1 */
/* fn is called on each publication, in the order of subscribing. Subscriptions live as long as the
 * topics. */
void topic_subscribe(struct topics *topics, topic_fn fn, void *arg);
#endif
