#include "herd/topic.h"

#include "util/clock.h"

enum { SUBSCRIBERS_MAX = 8 };

struct topics {
    struct loop *loop;
    struct loop_owner owner;
    struct loop_timer *timer; /* armed while something is dirty */
    struct {
        uint64_t seq;
        int64_t published_ms; /* monotonic */
        bool dirty;
    } state[TOPIC_COUNT];
    struct {
        topic_fn fn;
        void *arg;
    } subscribers[SUBSCRIBERS_MAX];
    size_t n_subscribers;
};

struct topics *topics_new(struct loop *loop)
{
    struct topics *topics = shep_alloc(sizeof *topics);
    topics->loop = loop;
    topics->owner.name = "topics";
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        topics->state[i].seq = 1;
        topics->state[i].published_ms = clock_mono_ms() - TOPIC_TICK_MS;
    }
    return topics;
}

void topics_free(struct topics *topics)
{
    if (!topics)
        return;
    loop_timer_free(topics->timer);
    free(topics->owner.complaint);
    free(topics);
}

const char *topic_name(enum topic topic)
{
    static const char *const names[] = {
#define X(sym, name) name,
        TOPIC_LIST(X)
#undef X
    };
    return names[topic];
}

int topic_by_name(const char *name)
{
    for (int i = 0; i < TOPIC_COUNT; i++)
        if (strcmp(topic_name((enum topic)i), name) == 0)
            return i;
    return -1;
}

static void arm(struct topics *topics);

static void publish(struct topics *topics, enum topic topic, int64_t now_ms)
{
    topics->state[topic].dirty = false;
    topics->state[topic].published_ms = now_ms;
    topics->state[topic].seq++;
    for (size_t s = 0; s < topics->n_subscribers; s++)
        topics->subscribers[s].fn(topic, topics->state[topic].seq, topics->subscribers[s].arg);
}

static void publish_due(void *arg)
{
    struct topics *topics = arg;
    topics->timer = NULL; /* it fired and freed itself */
    int64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        if (!topics->state[i].dirty || now_ms < topics->state[i].published_ms + TOPIC_TICK_MS)
            continue;
        publish(topics, (enum topic)i, now_ms);
    }
    arm(topics);
}

/* The timer stands at the earliest due topic; at 0 ms that is the end of this turn of the loop, so
 * that the lines of one read are published together. */
static void arm(struct topics *topics)
{
    int64_t now_ms = clock_mono_ms(), wait_ms = INT64_MAX;
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        if (!topics->state[i].dirty)
            continue;
        int64_t due_ms = topics->state[i].published_ms + TOPIC_TICK_MS - now_ms;
        if (due_ms < wait_ms)
            wait_ms = due_ms;
    }
    loop_timer_free(topics->timer);
    topics->timer = wait_ms == INT64_MAX ? NULL
                                         : loop_timer_new(topics->loop, &topics->owner, wait_ms, 0,
                                                          publish_due, topics);
}

void topic_touch(struct topics *topics, enum topic topic)
{
    if (topics->state[topic].dirty)
        return;
    topics->state[topic].dirty = true;
    arm(topics);
}

void topic_publish(struct topics *topics, enum topic topic)
{
    if (topics->state[topic].dirty)
        publish(topics, topic, clock_mono_ms());
}

uint64_t topic_seq(const struct topics *topics, enum topic topic)
{
    return topics->state[topic].seq;
}

void topic_subscribe(struct topics *topics, topic_fn fn, void *arg)
{
    if (topics->n_subscribers == SUBSCRIBERS_MAX)
        abort(); /* rooms subscribe once each at start-up */
    topics->subscribers[topics->n_subscribers].fn = fn;
    topics->subscribers[topics->n_subscribers++].arg = arg;
}
