/* Pages: one rendering for each view and set of declared parameters, shared by everybody who asks
 * for it while it is current; one render in flight, shared by everybody who waits for it. A page is
 * current while no topic that it read has moved, none of its files has changed and its age is below
 * its own limit. Bounded by bytes and count; the least recently asked for goes first.
 * Thread: loop. */
#include "http/internal.h"

#include "util/clock.h"

enum {
    SYSTEM_OLD_MS = HTTP_SYSTEM_MS + 500, /* while somebody listens it is never as old as this */
    TRIES_MAX = 2, /* renders one request waits for when topics move faster than pages render */
    ENTRY_OVERHEAD = 512
};

static const size_t HASH_FIRST = 14695981039346656037u; /* FNV-1a */

static size_t hash_add(size_t hash, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        hash = (hash ^ *p) * 1099511628211u;
    return (hash ^ 0xFF) * 1099511628211u;
}

/* ---- views ---- */

static struct view **view_slot(struct cache *cache, const char *path, size_t hash)
{
    struct view **slot = &cache->views[hash % HTTP_BUCKETS];
    while (*slot && ((*slot)->hash != hash || strcmp((*slot)->path, path) != 0))
        slot = &(*slot)->chain;
    return slot;
}

static void view_forget_params(struct view *view)
{
    for (size_t i = 0; i < view->n_params; i++)
        free(view->params[i]);
    free(view->params);
    view->params = NULL;
    view->n_params = 0;
    view->known = view->localized = false;
}

static struct view *view_get(struct cache *cache, const char *path, size_t hash)
{
    struct view **slot = view_slot(cache, path, hash);
    if (!*slot) {
        struct view *view = shep_alloc(sizeof *view);
        view->path = shep_strdup(path);
        view->hash = hash;
        LIST_INIT(&view->entries);
        LIST_INIT(&view->flights);
        *slot = view;
    }
    return *slot;
}

static void view_release(struct cache *cache, struct view *view)
{
    if (view->pinned || !LIST_EMPTY(&view->entries) || !LIST_EMPTY(&view->flights))
        return;
    struct view **slot = view_slot(cache, view->path, view->hash);
    *slot = view->chain;
    view_forget_params(view);
    free(view->path);
    free(view);
}

/* ---- keys ---- */

static const char *param_get(const struct script_param *query, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(query[i].name, name) == 0)
            return query[i].value;
    return NULL;
}

/* The declared parameters in their order; lengths keep values from running into each other. Before
 * the first page came nobody knows which are declared: then all of them, marked as such. json: the
 * form in which a page that fails says so. The language counts for views that ask for it. What a
 * role may see is never shown to another. */
static void key_make(const struct view *view, const struct script_param *query, size_t n, bool json,
                     enum access_role role, const char *locale, struct buf *out)
{
    bool any_language = view->known && !view->localized;
    buf_printf(out, "%c%c%d%s:", view->known ? '=' : '?', json ? 'j' : 'h', (int)role,
               any_language ? "" : locale);
    size_t count = view->known ? view->n_params : n;
    for (size_t i = 0; i < count; i++) {
        const char *name = view->known ? view->params[i] : query[i].name;
        const char *value = view->known ? param_get(query, n, name) : query[i].value;
        if (value)
            buf_printf(out, "%zu:%s%zu:%s", strlen(name), name, strlen(value), value);
    }
}

/* ---- entries ---- */

static struct entry **entry_slot(struct cache *cache, const struct view *view, const char *key,
                                 size_t hash)
{
    struct entry **slot = &cache->entries[hash % HTTP_BUCKETS];
    while (*slot && ((*slot)->view != view || strcmp((*slot)->key, key) != 0))
        slot = &(*slot)->chain;
    return slot;
}

static void entry_drop(struct http *http, struct entry *entry)
{
    struct entry **slot = entry_slot(&http->cache, entry->view, entry->key, entry->hash);
    *slot = entry->chain;
    TAILQ_REMOVE(&http->cache.lru, entry, lru);
    LIST_REMOVE(entry, of_view);
    http->stats.cache_bytes -= entry->bytes;
    http->stats.cache_entries--;
    for (size_t i = 0; i < entry->n_versions; i++)
        version_clear(&entry->versions[i]);
    free(entry->key);
    free(entry);
}

static void view_drop_entries(struct http *http, struct view *view)
{
    while (!LIST_EMPTY(&view->entries))
        entry_drop(http, LIST_FIRST(&view->entries));
}

static void evict(struct http *http, const struct entry *keep)
{
    struct entry *oldest;
    while ((http->stats.cache_bytes > HTTP_CACHE_BYTES_MAX ||
            http->stats.cache_entries > HTTP_CACHE_ENTRIES_MAX) &&
           (oldest = TAILQ_FIRST(&http->cache.lru)) != keep) {
        struct view *view = oldest->view;
        entry_drop(http, oldest);
        view_release(&http->cache, view);
    }
}

static void entry_weigh(struct http *http, struct entry *entry)
{
    size_t bytes = ENTRY_OVERHEAD + strlen(entry->key);
    for (size_t i = 0; i < entry->n_versions; i++)
        bytes += version_bytes(&entry->versions[i]);
    http->stats.cache_bytes += bytes - entry->bytes;
    entry->bytes = bytes;
}

static struct entry *entry_get(struct http *http, struct view *view, const char *key)
{
    size_t hash = hash_add(view->hash, key);
    struct entry **slot = entry_slot(&http->cache, view, key, hash);
    if (*slot)
        return *slot;
    struct entry *entry = shep_alloc(sizeof *entry);
    entry->view = view;
    entry->key = shep_strdup(key);
    entry->hash = hash;
    *slot = entry;
    TAILQ_INSERT_TAIL(&http->cache.lru, entry, lru);
    LIST_INSERT_HEAD(&view->entries, entry, of_view);
    http->stats.cache_entries++;
    return entry;
}

/* Takes the reference. The same bytes again replace the page and keep the history. */
static void entry_add_version(struct http *http, struct entry *entry, struct script_page *page)
{
    if (entry->n_versions && strcmp(entry->versions[0].page->etag, page->etag) == 0) {
        version_clear(&entry->versions[0]);
    } else {
        if (entry->n_versions == HTTP_VERSIONS)
            version_clear(&entry->versions[--entry->n_versions]);
        memmove(&entry->versions[1], &entry->versions[0],
                entry->n_versions * sizeof entry->versions[0]);
        entry->n_versions++;
    }
    for (size_t i = 1; i < entry->n_versions; i++)
        version_forget_delta(&entry->versions[i]);
    version_init(http, &entry->versions[0], page);
    entry->rendered_ms = clock_mono_ms();
    entry->checked_turn = loop_turn(http->loop);
    entry->deps_fresh = true;
    entry_weigh(http, entry);
}

static bool seqs_current(struct http *http, const struct script_page *page)
{
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        if ((page->topics & 1u << t) && page->seqs[t] != topic_seq(http->topics, (enum topic)t))
            return false;
    return true;
}

static bool entry_current(struct http *http, struct entry *entry)
{
    const struct script_page *page = entry->versions[0].page;
    if (!seqs_current(http, page) || (entry->gzip_wanted && !entry->gzip_tried) ||
        script_page_is_old(http->pool, page))
        return false;
    if (page->max_age_ms >= 0 && clock_mono_ms() - entry->rendered_ms > page->max_age_ms)
        return false;
    uint64_t turn = loop_turn(http->loop);
    if (entry->checked_turn != turn) {
        entry->checked_turn = turn;
        entry->deps_fresh = script_deps_fresh(page->deps, page->n_deps);
    }
    return entry->deps_fresh;
}

/* ---- the daemon's own state ----
 * TOPIC_SYSTEM stands still while nobody looks, so who looks makes it move first. */

static bool system_old(const struct http *http, const struct script_page *page)
{
    return (page->topics & 1u << TOPIC_SYSTEM) &&
           clock_mono_ms() - http->live.system_moved_ms > SYSTEM_OLD_MS;
}

static void look(struct http_request *request)
{
    struct http *http = request->http;
    TAILQ_INSERT_TAIL(&http->cache.looking, request, wait);
    topic_touch(http->topics, TOPIC_SYSTEM);
}

void cache_system_moved(struct http *http)
{
    struct http_request *request;
    while ((request = TAILQ_FIRST(&http->cache.looking))) {
        TAILQ_REMOVE(&http->cache.looking, request, wait);
        cache_serve(request); /* not old any more: it does not come back here */
    }
}

/* ---- flights ---- */

static void flight_free(struct flight *flight)
{
    free(flight->key);
    free(flight->store);
    free(flight);
}

static const char *put(char **at, const char *text)
{
    char *copy = *at;
    size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

/* The render outlives the request that began it. */
static void flight_copy_query(struct flight *flight, const struct wire_target *target)
{
    size_t len = 1;
    for (size_t i = 0; i < target->n_query; i++)
        len += strlen(target->query[i].name) + strlen(target->query[i].value) + 2;
    char *at = flight->store = shep_alloc(len);
    for (size_t i = 0; i < target->n_query; i++) {
        struct script_param *param = &flight->query[i];
        param->name = put(&at, target->query[i].name);
        param->value = put(&at, target->query[i].value);
    }
    flight->n_query = target->n_query;
}

static bool satisfied(const struct http_request *request, const struct script_page *page)
{
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        if ((page->topics & 1u << t) && page->seqs[t] < request->want[t])
            return false;
    return true;
}

/* What the page says about its parameters replaces what was known, and with it the keys. */
static void view_learn(struct http *http, struct view *view, const struct script_page *page)
{
    bool localized = view->localized || page->localized; /* some pages of it ask, some do not */
    bool same = view->known && view->localized == localized && view->n_params == page->n_params;
    for (size_t i = 0; same && i < page->n_params; i++)
        same = strcmp(view->params[i], page->params[i]) == 0;
    if (same)
        return;
    view_drop_entries(http, view);
    view_forget_params(view);
    view->params = shep_alloc_array(page->n_params ? page->n_params : 1, sizeof *view->params);
    for (size_t i = 0; i < page->n_params; i++)
        view->params[i] = shep_strdup(page->params[i]);
    view->n_params = page->n_params;
    view->localized = localized;
    view->known = true;
}

/* NULL: this page is not kept. */
static struct entry *page_keep(struct http *http, struct view *view, struct flight *flight,
                               struct script_page *page)
{
    if (page->status >= 500 || page->max_age_ms == 0)
        return NULL; /* a failure may be over the next time */
    view_learn(http, view, page);
    struct buf key = {0};
    key_make(view, flight->query, flight->n_query, flight->json, flight->role, flight->locale,
             &key);
    struct entry *entry = entry_get(http, view, key.data);
    buf_free(&key);
    entry_add_version(http, entry, script_page_ref(page));
    entry->gzip_tried = flight->gzip;
    evict(http, entry);
    return entry;
}

/* Who asked after the render began may need another one; he is put on again, at most once. */
static void flight_answer(struct flight *flight, struct script_page *page, struct entry *entry,
                          struct request_list *again)
{
    struct http_request *request;
    while ((request = TAILQ_FIRST(&flight->waiters))) {
        TAILQ_REMOVE(&flight->waiters, request, wait);
        bool may_retry = page->status < 500 && request->tries + 1 < TRIES_MAX;
        if (may_retry && system_old(flight->http, page)) {
            request->tries++;
            look(request);
        } else if (may_retry && !satisfied(request, page)) {
            request->tries++;
            TAILQ_INSERT_TAIL(again, request, wait);
        } else if (entry) {
            page_reply(request, entry);
        } else {
            page_reply_once(request, page);
        }
    }
}

static void flight_land(struct script_page *page, void *arg)
{
    struct flight *flight = arg;
    struct http *http = flight->http;
    if (!http) {
        script_page_unref(page);
        flight_free(flight);
        return;
    }
    int64_t begun_us = loop_meter_begin();
    struct view *view = flight->view;
    LIST_REMOVE(flight, of_view);
    view->pinned = true; /* a waiter that is served again may find the route gone */
    struct entry *entry = page_keep(http, view, flight, page);
    struct request_list again = TAILQ_HEAD_INITIALIZER(again);
    flight_answer(flight, page, entry, &again);
    struct http_request *request;
    while ((request = TAILQ_FIRST(&again))) {
        TAILQ_REMOVE(&again, request, wait);
        cache_serve(request);
    }
    view->pinned = false;
    view_release(&http->cache, view);
    script_page_unref(page);
    flight_free(flight);
    loop_meter_end(&http->owner, begun_us);
}

static struct flight *flight_find(struct view *view, const char *key)
{
    struct flight *flight;
    LIST_FOREACH(flight, &view->flights, of_view)
    if (strcmp(flight->key, key) == 0)
        return flight;
    return NULL;
}

/* Whose turn a render takes. Behind a proxy all have one address: there only those who are logged
 * in are told apart, and who sits at this host. */
static uint64_t asker_of(const struct http_request *request)
{
    size_t hash = hash_add(HASH_FIRST, request->peer);
    hash = hash_add(hash, request->grant.who);
    return hash_add(hash, http_request_is_local(request) ? "local" : "");
}

static struct flight *flight_start(struct http_request *request, struct view *view, const char *key,
                                   bool gzip)
{
    struct flight *flight = shep_alloc(sizeof *flight);
    flight->http = request->http;
    flight->view = view;
    flight->key = shep_strdup(key);
    flight->gzip = gzip;
    flight->json = http_request_wants_json(request);
    flight->role = request->grant.role;
    flight->locale = request_locale(request);
    flight_copy_query(flight, &request->target);
    TAILQ_INIT(&flight->waiters);
    LIST_INSERT_HEAD(&view->flights, flight, of_view);
    struct script_request render = {.path = view->path,
                                    .query = flight->query,
                                    .n_query = flight->n_query,
                                    .role = access_role_name(flight->role),
                                    .locale = flight->locale,
                                    .asker = asker_of(request),
                                    .want_gzip = gzip,
                                    .want_json = flight->json};
    script_render(request->http->pool, &render, flight_land, flight);
    return flight;
}

/* ---- serving ---- */

static void serve_miss(struct http_request *request, struct view *view, const char *key, bool gzip)
{
    struct http *http = request->http;
    struct flight *flight = flight_find(view, key);
    http->stats.cache_misses++;
    if (!flight && !page_exists(request)) {
        view_drop_entries(http, view);
        view_release(&http->cache, view);
        reply_error(request, 404, "", "There is nothing at this address.");
        return;
    }
    for (unsigned t = 0; t < TOPIC_COUNT; t++)
        request->want[t] = topic_seq(http->topics, (enum topic)t);
    if (flight)
        script_render_shared(http->pool, flight, asker_of(request));
    else
        flight = flight_start(request, view, key, gzip);
    TAILQ_INSERT_TAIL(&flight->waiters, request, wait);
}

void cache_serve(struct http_request *request)
{
    struct http *http = request->http;
    struct cache *cache = &http->cache;
    const struct wire_target *target = &request->target;
    struct view *view = view_get(cache, target->path, hash_add(HASH_FIRST, target->path));
    buf_clear(&cache->key);
    key_make(view, target->query, target->n_query, http_request_wants_json(request),
             request->grant.role, request_locale(request), &cache->key);
    struct entry *entry = view->known ? *entry_slot(cache, view, cache->key.data,
                                                    hash_add(view->hash, cache->key.data))
                                      : NULL;
    bool gzip = wire_accepts_gzip(http_request_header(request, "Accept-Encoding"));
    if (entry) {
        TAILQ_REMOVE(&cache->lru, entry, lru);
        TAILQ_INSERT_TAIL(&cache->lru, entry, lru);
        gzip = entry->gzip_wanted = entry->gzip_wanted || gzip;
    }
    if (entry && system_old(http, entry->versions[0].page)) {
        look(request);
    } else if (entry && entry_current(http, entry)) {
        http->stats.cache_hits++;
        page_reply(request, entry);
    } else {
        serve_miss(request, view, cache->key.data, gzip);
    }
}

/* ---- life ---- */

void cache_init(struct http *http)
{
    TAILQ_INIT(&http->cache.lru);
    TAILQ_INIT(&http->cache.looking);
}

static void waiters_free(struct request_list *waiters)
{
    struct http_request *request;
    while ((request = TAILQ_FIRST(waiters))) {
        TAILQ_REMOVE(waiters, request, wait);
        reply_body(request); /* its connection is gone: frees it */
    }
}

/* Renders in flight are let go: their pages come later, or never. */
static void flight_orphan(struct flight *flight)
{
    waiters_free(&flight->waiters);
    LIST_REMOVE(flight, of_view);
    flight->http = NULL;
    flight->view = NULL;
}

void cache_free(struct http *http)
{
    struct cache *cache = &http->cache;
    waiters_free(&cache->looking);
    for (size_t i = 0; i < HTTP_BUCKETS; i++) {
        while (cache->views[i]) {
            struct view *view = cache->views[i];
            view_drop_entries(http, view);
            while (!LIST_EMPTY(&view->flights))
                flight_orphan(LIST_FIRST(&view->flights));
            view_release(cache, view);
        }
    }
    buf_free(&cache->key);
}
