/* One way in to one miner, and the stream from its bytes to the herd and the store. A miner may
 * have several, each with a stream of its own; and a way in may become another miner's while it is
 * open, so nothing here keeps the miner. Thread: loop. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

enum {
    HEAR_OUT_MS = 50, /* longer than ports are left alone (loop/stream.c) */
    FULL_BYTES = 2048 /* half of what the kernel keeps of a tty */
};

static struct plugin_env *env_of(const struct shep_device *dev)
{
    return &dev->source->plugins->env;
}

/* ---- the stream ---- */

static void on_line(const struct ingest_line *line, void *arg)
{
    struct shep_device *dev = arg;
    struct plugin_env *env = env_of(dev);
    herd_line(env->herd, dev->member->miner, line->at_ms);
    if (store_line(env->store, miner_id(dev->member->miner), line->at_ms, line->text, line->len) !=
        0)
        herd_lines_dropped(env->herd, dev->member->miner, 1);
}

static void on_parsed(const struct ingest_line *line, bool known, void *arg)
{
    struct shep_device *dev = arg;
    if (!known)
        herd_line_unknown(dev->member->miner);
}

static void on_chosen(const char *parser, int confidence, void *arg)
{
    struct shep_device *dev = arg;
    log_info("ingest", "%s: parser %s (confidence %d)", dev->member->name, parser, confidence);
    dev->parser = parser;
    herd_parser(env_of(dev)->herd, dev->member->miner, parser);
}

static int on_reading(const struct shep_reading *reading, uint64_t line_number, void *arg)
{
    return device_reading(arg, reading);
}

static int on_event(const struct shep_event *event, uint64_t line_number, void *arg)
{
    struct shep_device *dev = arg;
    if (!event_name(event->event))
        return SHEP_E_BUG;
    herd_event(env_of(dev)->herd, dev->member->miner, event);
    return 0;
}

/* What the log says may prove whose it is: that first, so that the reading goes to the right one.
 */
int device_reading(struct shep_device *dev, const struct shep_reading *reading)
{
    proof_heard(dev, reading);
    return herd_reading(env_of(dev)->herd, dev->member->miner, reading);
}

static void stream_open(struct shep_device *dev)
{
    struct ingest_stream_conf conf = {
        .parsers = &dev->source->plugins->parser_list,
        .parser = dev->member->source == dev->source ? dev->member->parser : "auto",
        .callbacks = {.line = on_line,
                      .parsed = on_parsed,
                      .chosen = on_chosen,
                      .reading = on_reading,
                      .event = on_event},
        .arg = dev};
    dev->stream = ingest_stream_new(&conf);
}

static void stream_close(struct shep_device *dev)
{
    loop_timer_free(dev->tick);
    dev->tick = NULL;
    if (!dev->stream)
        return;
    ingest_end(dev->stream, clock_wall_ms());
    ingest_stream_free(dev->stream);
    dev->stream = NULL;
}

static void on_tick(void *arg);

/* An unfinished line is stored after a silence; the timer stands only while one waits. */
static void tick_arm(struct shep_device *dev)
{
    int64_t wait_ms = ingest_tick(dev->stream, clock_wall_ms());
    if (wait_ms >= 0 && !dev->tick)
        dev->tick =
            loop_timer_new(env_of(dev)->loop, &dev->source->owner, wait_ms + 1, 0, on_tick, dev);
}

/* It is the miner's silence that counts, not ours: bytes may wait in the port while the loop was
 * busy or reading was paused. So when the time is over, one more turn of the loop reads what is
 * there. */
static void on_tick(void *arg)
{
    struct shep_device *dev = arg;
    struct loop *loop = env_of(dev)->loop;
    dev->tick = NULL; /* it fired and freed itself */
    if (!dev->stream)
        return;
    if (loop_is_choked(loop) || !dev->heard_out) {
        dev->heard_out = !loop_is_choked(loop);
        dev->tick = loop_timer_new(loop, &dev->source->owner, HEAR_OUT_MS, 0, on_tick, dev);
        return;
    }
    tick_arm(dev);
}

int device_feed(struct shep_device *dev, const void *bytes, size_t len)
{
    if (!dev->attached || len > 65536)
        return SHEP_E_BUG;
    if (!dev->stream)
        stream_open(dev);
    if (!dev->stream)
        return SHEP_E_CONFIG; /* its parser is not there (any more) */
    if (len >= FULL_BYTES)
        loop_hurry(env_of(dev)->loop);
    dev->heard_out = false;
    ingest_feed(dev->stream, bytes, len, clock_wall_ms());
    tick_arm(dev);
    return 0;
}

void device_link(struct shep_device *dev, bool up, const char *why)
{
    if (!up)
        stream_close(dev);
    if (dev->found && up != dev->up) {
        if (up)
            ports_came(dev->found);
        else
            ports_went(dev->found);
    }
    dev->up = up;
    member_link(dev->member, why);
}

/* ---- life ---- */

void way_configure(struct shep_device *dev)
{
    const json_t *entry = dev->member->entry;
    json_decref(dev->entry);
    if (dev->source == dev->member->source)
        dev->entry = json_deep_copy(entry);
    else /* its options are those of another source */
        dev->entry = json_pack("{s:s}", "id", dev->member->name);
    if (!dev->own)
        json_object_set_new(dev->entry, "path", json_string(dev->found->path));
}

struct shep_device *way_new(struct member *member, struct found *found)
{
    struct shep_device *dev = shep_alloc(sizeof *dev);
    dev->member = member;
    dev->source = found ? found->opener : member->source;
    dev->own = !found;
    dev->found = found;
    if (found)
        found->way = dev;
    LIST_INSERT_HEAD(&member->ways, dev, link);
    way_configure(dev);
    if (found)
        member_moved(member);
    return dev;
}

void way_attach(struct shep_device *dev)
{
    struct plugin *source = dev->source;
    if (dev->attached)
        return;
    if (!source->started) {
        char *why = shep_asprintf("its source '%s' does not run: %s", source->desc.name,
                                  source->disabled  ? "switched off in the configuration"
                                  : source->problem ? source->problem
                                                    : "it was not started");
        member_link(dev->member, why);
        free(why);
        return;
    }
    dev->attached = true;
    int64_t begun_us = loop_meter_begin();
    int err = source->ops.source.attach(source->self, dev);
    loop_meter_end(&source->owner, begun_us);
    if (err) {
        dev->attached = false;
        member_link(dev->member, source->problem ? source->problem : "its source refused it");
    }
}

void way_detach(struct shep_device *dev, const char *why)
{
    if (dev->attached) {
        int64_t begun_us = loop_meter_begin();
        dev->source->ops.source.detach(dev->source->self, dev);
        loop_meter_end(&dev->source->owner, begun_us);
    }
    dev->attached = dev->up = false;
    stream_close(dev);
    dev->parser = NULL;
    if (why)
        member_link(dev->member, why);
}

void way_free(struct shep_device *dev, const char *why)
{
    struct member *member = dev->member;
    way_detach(dev, NULL);
    LIST_REMOVE(dev, link);
    if (dev->found)
        dev->found->way = NULL;
    json_decref(dev->entry);
    free(dev);
    if (why)
        member_link(member, why);
}

void way_move(struct shep_device *dev, struct member *member, const char *why)
{
    struct member *before = dev->member;
    LIST_REMOVE(dev, link);
    dev->member = member;
    LIST_INSERT_HEAD(&member->ways, dev, link);
    member_moved(member);
    member_link(before, why);
    member_link(member, why);
    if (dev->parser)
        herd_parser(env_of(dev)->herd, member->miner, dev->parser);
}
