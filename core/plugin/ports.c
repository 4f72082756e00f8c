/* Many ports that go at once, and one that comes and goes: told as one event each. Thread: loop.
 *
 * A port that goes is first held back for a second: its miner shows at once that it is offline, but
 * the events wait (herd_hush), because only then it is known whether it was one of many. A hub that
 * browns out is one ports.lost and one ports.back; the ports it took need no event of their own. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

enum {
    /* Fewer go together by accident, or by hand: a board with two ttys, a hub of four pulled out.
     */
    MANY_PORTS = 5,
    MANY_WITHIN_MS = 1000,
    BACK_WITHIN_MS = 10000, /* hubs and boards are up again by then; who is not stays offline. From
                               the last that came: forty are opened one after the other */
    BACK_AT_MOST_MS = 120000, /* from the first, however many flap */
    FLAPS_MAX = 5,            /* more than this within FLAPS_WITHIN_MS is flapping */
    FLAPS_WITHIN_MS = 60000,
    FLAPS_PATIENT = 3, /* so often it is opened at once: people try plugs, boards start again */
    WAIT_FIRST_MS = 1000,
    WAIT_LAST_MS = 30000,
    TICK_MS = 250
};

enum state {
    CALM,
    GOING, /* held back: alone, or one of many? */
    LOST,  /* one of many */
    BACK   /* was one of many, is there again */
};

struct port {
    char place[ID_PLACE_MAX], hub[ID_PLACE_MAX], path[FOUND_PATH_MAX];
    enum state state;
    int64_t at_ms;                /* when it went; monotonic, like all here */
    unsigned n_flaps;             /* since it was last calm */
    int64_t flaps[FLAPS_MAX];     /* when it went before, the oldest first */
    int64_t miner_id;             /* hushed; 0: none */
    bool again;                   /* it went, and is there again already */
    bool flapping, told_lost;     /* told_lost: within a ports.lost */
    bool lost_waits, found_waits; /* device.lost, device.found of a stranger */
};

struct ports {
    struct plugins *plugins;
    struct loop_owner owner;
    struct loop_timer *tick;
    struct port items[FOUND_MAX];
    size_t n;
    bool many, many_told; /* a ports.lost is being counted, was told */
    int64_t last_ms;      /* when the last one of many went */
    int64_t back_ms;      /* when the first came back; 0: none did */
    int64_t back_last_ms; /* when the last did */
};

static void on_tick(void *arg)
{
    ports_tick(arg);
}

static struct ports *ports_get(struct plugins *plugins)
{
    if (!plugins->ports) {
        plugins->ports = shep_alloc(sizeof *plugins->ports);
        plugins->ports->plugins = plugins;
        plugins->ports->owner.name = "ports";
    }
    return plugins->ports;
}

static struct port *find(struct plugins *plugins, const char *place)
{
    struct ports *ports = plugins->ports;
    for (size_t i = 0; ports && i < ports->n; i++)
        if (strcmp(ports->items[i].place, place) == 0)
            return &ports->items[i];
    return NULL;
}

/* The port's record; when there are too many, of the one that is calm for longest. */
static struct port *find_or_make(struct plugins *plugins, const struct found *found)
{
    struct ports *ports = ports_get(plugins);
    struct port *port = find(plugins, found->facts.place), *spare = NULL;
    if (port)
        return port;
    if (ports->n < FOUND_MAX)
        spare = &ports->items[ports->n++];
    for (size_t i = 0; !spare && i < ports->n; i++)
        if (ports->items[i].state == CALM && !ports->items[i].flapping)
            spare = &ports->items[i];
    if (!spare)
        return NULL;
    *spare = (struct port){0};
    memcpy(spare->place, found->facts.place, sizeof spare->place);
    if (found->hub)
        str_copy(spare->hub, sizeof spare->hub, found->hub, strlen(found->hub));
    else if (!id_hub(found->port_path, spare->hub, sizeof spare->hub))
        spare->hub[0] = '\0';
    return spare;
}

static struct member *member_of(const struct ports *ports, const struct port *port)
{
    return port->miner_id ? member_by_id(ports->plugins, port->miner_id) : NULL;
}

static void hush(struct port *port, const struct found *found)
{
    if (!found->owner)
        return;
    port->miner_id = miner_id(found->owner->miner);
    herd_hush(found->owner->miner);
}

static void unhush(struct ports *ports, struct port *port, bool told)
{
    const struct member *member = member_of(ports, port);
    port->miner_id = 0;
    if (member)
        herd_unhush(ports->plugins->env.herd, member->miner, told);
}

/* ---- flapping ---- */

static void count_flap(struct ports *ports, struct port *port, const struct found *found,
                       int64_t now_ms)
{
    int64_t oldest_ms = port->flaps[0], newest_ms = port->flaps[FLAPS_MAX - 1];
    port->n_flaps = newest_ms && now_ms - newest_ms < FLAPS_WITHIN_MS ? port->n_flaps + 1 : 1;
    memmove(port->flaps, port->flaps + 1, sizeof port->flaps - sizeof port->flaps[0]);
    port->flaps[FLAPS_MAX - 1] = now_ms;
    if (port->flapping || !oldest_ms || now_ms - oldest_ms > FLAPS_WITHIN_MS)
        return;
    port->flapping = true;
    char *text = shep_asprintf(
        "port %s (%s) went %d times within %lld s; is its cable or its power "
        "supply bad?",
        port->place, found->path, FLAPS_MAX + 1, (long long)(now_ms - oldest_ms + 999) / 1000);
    found_event(ports->plugins, SHEP_EV_FLAPPING, found->owner, text);
    log_warn("plugins", "%s", text);
    free(text);
}

/* ---- many at once ---- */

static size_t count(const struct ports *ports, enum state state, bool untold)
{
    size_t n = 0;
    for (size_t i = 0; i < ports->n; i++)
        n += ports->items[i].state == state && !(untold && ports->items[i].told_lost);
    return n;
}

static void count_back(struct ports *ports, int64_t now_ms)
{
    if (!ports->back_ms)
        ports->back_ms = now_ms;
    ports->back_last_ms = now_ms;
}

static void look_for_many(struct ports *ports, int64_t now_ms)
{
    bool counting = ports->many && !ports->many_told;
    size_t n = 0;
    for (size_t i = 0; i < ports->n; i++)
        n += ports->items[i].state == GOING && now_ms - ports->items[i].at_ms <= MANY_WITHIN_MS;
    if (n < MANY_PORTS && !counting)
        return;
    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = &ports->items[i];
        if (port->state != GOING || now_ms - port->at_ms > MANY_WITHIN_MS)
            continue;
        port->state = port->again ? BACK : LOST;
        if (port->again)
            count_back(ports, now_ms);
        port->told_lost = false;
        port->lost_waits = port->found_waits = false;
    }
    ports->many = true;
    ports->many_told = false;
    ports->last_ms = now_ms;
}

/* What the hubs of all have in common: "hub 1-1"; else "several hubs". */
static void name_hub(const struct ports *ports, char *out, size_t cap)
{
    const char *hub = NULL;
    size_t len = 0;
    for (size_t i = 0; i < ports->n; i++) {
        const struct port *port = &ports->items[i];
        if (port->state != LOST && port->state != BACK)
            continue;
        if (!hub)
            len = strlen(hub = port->hub);
        while (len && (strncmp(hub, port->hub, len) != 0 ||
                       (port->hub[len] != '\0' && port->hub[len] != '.')))
            do
                len--;
            while (len && hub[len] != '.'); /* one hub up */
    }
    if (len)
        snprintf(out, cap, "hub %.*s", (int)len, hub);
    else
        snprintf(out, cap, "several hubs");
}

static void tell_lost(struct ports *ports)
{
    char hub[ID_PLACE_MAX + 8];
    size_t n = count(ports, LOST, true) + count(ports, BACK, true);
    name_hub(ports, hub, sizeof hub);
    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = &ports->items[i];
        if (port->state != LOST && port->state != BACK)
            continue;
        port->told_lost = true;
        if (port->state == LOST && !port->flapping)
            unhush(ports, port, true);
    }
    ports->many_told = true;
    char *text = shep_asprintf("%zu ports of %s went at once; did it lose its power?", n, hub);
    log_warn("plugins", "%s", text);
    found_event(ports->plugins, SHEP_EV_PORTS_LOST, NULL, text);
    free(text);
}

static void tell_back(struct ports *ports)
{
    char hub[ID_PLACE_MAX + 8];
    size_t back = count(ports, BACK, false), n = back + count(ports, LOST, false);
    name_hub(ports, hub, sizeof hub);
    char *text = shep_asprintf("%zu of %zu ports of %s are back", back, n, hub);
    log_info("plugins", "%s", text);
    found_event(ports->plugins, SHEP_EV_PORTS_BACK, NULL, text);
    free(text);
    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = &ports->items[i];
        if (port->state != LOST && port->state != BACK)
            continue;
        port->state = CALM;
        if (!port->flapping)
            unhush(ports, port, true);
    }
    ports->many = false;
    ports->back_ms = 0;
}

static void tick_many(struct ports *ports, int64_t now_ms)
{
    if (ports->many && !ports->many_told && now_ms - ports->last_ms >= MANY_WITHIN_MS)
        tell_lost(ports);
    if (!ports->many || !ports->many_told || !ports->back_ms)
        return;
    if (count(ports, LOST, false) == 0 || now_ms - ports->back_last_ms >= BACK_WITHIN_MS ||
        now_ms - ports->back_ms >= BACK_AT_MOST_MS)
        tell_back(ports);
}

/* ---- one alone ---- */

static void tell_alone(struct ports *ports, struct port *port)
{
    bool lost = port->lost_waits, found = port->found_waits;
    port->state = CALM;
    port->lost_waits = port->found_waits = false;
    if (port->flapping)
        return;
    if (lost)
        found_event(ports->plugins, SHEP_EV_LOST, NULL, port->path);
    if (found)
        found_event(ports->plugins, SHEP_EV_FOUND, NULL, port->path);
    unhush(ports, port, false);
}

/* Those that waited because their port comes and goes. true: some still wait. */
static bool open_due(struct plugins *plugins, int64_t now_ms)
{
    bool busy = false;
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if (!found->due_ms)
            continue;
        if (found->due_ms > now_ms) {
            busy = true;
            continue;
        }
        found->due_ms = 0;
        if (found->way)
            way_attach(found->way);
    }
    return busy;
}

int64_t ports_wait_ms(const struct found *found)
{
    const struct port *port = find(found->finder->plugins, found->facts.place);
    int64_t wait_ms = WAIT_FIRST_MS;
    if (!port || port->n_flaps <= FLAPS_PATIENT ||
        clock_mono_ms() - port->flaps[FLAPS_MAX - 1] >= FLAPS_WITHIN_MS)
        return 0;
    for (unsigned i = FLAPS_PATIENT + 1; i < port->n_flaps && wait_ms < WAIT_LAST_MS; i++)
        wait_ms *= 2;
    return wait_ms < WAIT_LAST_MS ? wait_ms : WAIT_LAST_MS;
}

void ports_tick(struct plugins *plugins)
{
    struct ports *ports = plugins->ports;
    int64_t now_ms = clock_mono_ms();
    bool busy = open_due(plugins, now_ms);
    if (!ports)
        return;
    tick_many(ports, now_ms);
    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = &ports->items[i];
        if (port->state == GOING && now_ms - port->at_ms >= MANY_WITHIN_MS)
            tell_alone(ports, port);
        if (port->flapping && port->state == CALM &&
            now_ms - port->flaps[FLAPS_MAX - 1] >= FLAPS_WITHIN_MS) {
            port->flapping = false;
            unhush(ports, port, false);
        }
        busy = busy || port->state == GOING || port->state == BACK || port->flapping;
    }
    busy = busy || (ports->many && !ports->many_told);
    if (!busy) {
        loop_timer_free(ports->tick);
        ports->tick = NULL;
    }
}

/* ---- what happens ---- */

void ports_watch(struct plugins *plugins)
{
    struct ports *ports = ports_get(plugins);
    if (!ports->tick)
        ports->tick =
            loop_timer_new(plugins->env.loop, &ports->owner, TICK_MS, TICK_MS, on_tick, plugins);
}

void ports_went(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    if (found->gone || !plugins->running || !found->facts.vid[0])
        return; /* what is on the network has no port */
    struct port *port = find_or_make(plugins, found);
    if (!port)
        return;
    struct ports *ports = plugins->ports;
    int64_t now_ms = clock_mono_ms();
    found->gone = true;
    hush(port, found);
    count_flap(ports, port, found, now_ms);
    port->at_ms = now_ms;
    port->again = false;
    if (port->state == BACK)
        port->state = LOST;
    else if (port->state == CALM)
        port->state = GOING;
    look_for_many(ports, now_ms);
    if (!ports->tick)
        ports->tick =
            loop_timer_new(plugins->env.loop, &ports->owner, TICK_MS, TICK_MS, on_tick, plugins);
}

void ports_came(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    struct port *port = find(plugins, found->facts.place);
    found->gone = false;
    if (port)
        port->again = true;
    if (!port || (port->state != LOST && port->state != BACK))
        return;
    if (port->state == LOST) {
        port->state = BACK;
        count_back(plugins->ports, clock_mono_ms());
        ports_watch(plugins);
    }
    hush(port, found); /* that it is up again is told with the others */
}

void ports_stranger(struct found *found, uint32_t event_id)
{
    struct plugins *plugins = found->finder->plugins;
    struct port *port = find(plugins, found->facts.place);
    if (!port || (port->state == CALM && !port->flapping)) {
        found_event(plugins, event_id, NULL, found->path);
        return;
    }
    if (port->state != GOING)
        return; /* told with the others */
    str_copy(port->path, sizeof port->path, found->path, strlen(found->path));
    port->lost_waits = port->lost_waits || event_id == SHEP_EV_LOST;
    port->found_waits = event_id == SHEP_EV_FOUND;
}

void ports_close(struct plugins *plugins)
{
    if (!plugins->ports)
        return;
    loop_timer_free(plugins->ports->tick);
    loop_sweep(plugins->env.loop, &plugins->ports->owner);
    free(plugins->ports->owner.complaint);
    free(plugins->ports);
    plugins->ports = NULL;
}
