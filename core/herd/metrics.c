/* The tables of metrics.def and events.def as functions. Read-only; any thread. */
#include "herd/herd.h"

const char *metric_name(uint32_t id)
{
    switch (id) {
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc)                             \
    case id:                                                                                       \
        return #name;
#define SHEP_ATTR(id, sym, name, doc)                                                              \
    case id:                                                                                       \
        return #name;
#include "shepherd/metrics.def"
    default:
        return NULL;
    }
}

uint32_t metric_by_name(const char *name)
{
#define SHEP_METRIC(id, sym, metric, unit, kind, min, max, history, doc)                           \
    if (strcmp(name, #metric) == 0)                                                                \
        return id;
#define SHEP_ATTR(id, sym, attr, doc)                                                              \
    if (strcmp(name, #attr) == 0)                                                                  \
        return id;
#include "shepherd/metrics.def"
    return 0;
}

struct event_info {
    uint32_t id;
    const char *name;
    bool keep;
    int severity;
};

static const struct event_info *event_find(uint32_t id)
{
    static const struct event_info events[] = {
#define SHEP_EVENT(id, sym, name, keep, severity, doc) {id, name, keep, severity},
#include "shepherd/events.def"
    };
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (events[i].id == id)
            return &events[i];
    return NULL;
}

const char *event_name(uint32_t id)
{
    const struct event_info *info = event_find(id);
    return info ? info->name : NULL;
}

int event_severity(uint32_t id)
{
    const struct event_info *info = event_find(id);
    return info ? info->severity : 0;
}

bool event_keep(uint32_t id)
{
    const struct event_info *info = event_find(id);
    return info && info->keep;
}

const char *status_name(enum shep_status status)
{
    static const char *const names[] = {"offline", "silent", "resetting", "idle", "online"};
    return (size_t)status < ARRAY_LEN(names) ? names[status] : "offline";
}
