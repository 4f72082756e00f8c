/* Service "network": facts of the Bitcoin network, as the fact "network". Owns one timer and at
 * most one fetch. Thread: loop.
 *
 * A round asks the questions of parse.c one after the other: the height and the fees each time, the
 * rest when the height moved or half an hour is over.
 *
 * Promises: what cannot be had is absent, and the rest is there; a failed round never takes the
 * last facts away, they keep the time of their round; they survive a restart; a server that asks us
 * to wait is not asked before. */
#include "parse.h"
#include "shepherd/plugin.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    FIRST_MS = 2000, /* after the start: nothing waits for it, and the price goes first */
    TIMEOUT_MS = 10000,
    BASE_MAX = 400,         /* of the option url */
    RETRY_FIRST_MS = 60000, /* then doubled, up to RETRY_LAST_MS */
    RETRY_LAST_MS = 3600000,
    WAIT_MAX_S = 6 * 3600,    /* a Retry-After over this is nonsense */
    AGAIN_MS = 30 * 60000,    /* a part that came, while the height stands still */
    AGAIN_FAILED_MS = 300000, /* one that did not */
    STALE_MS = 3600000,       /* a part that is so much older than the others is left out */
    KEEP_EVERY_MS = 600000,   /* the database is written no more often than this, or at a block */
    HALVING = 210000,         /* blocks */
    ERROR_MAX = 256
};

struct inquiry { /* what a fetch carries: it ends after stop() when it was under way then */
    struct service *service; /* NULL: stopped meanwhile */
};

struct service {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    char base[BASE_MAX + 1];
    int64_t interval_ms;
    struct shep_timer *timer;
    struct inquiry *inquiry; /* under way; NULL: none */
    enum part part;          /* that the round is at */
    unsigned n_good;         /* parts that came in this round */
    unsigned fails;          /* rounds in a row */
    uint64_t random;
    struct network network;
    int64_t part_ms[PARTS]; /* Unix time when it came; 0: never */
    int64_t due_ms[PARTS];  /* monotonic */
    int64_t last_ms;        /* Unix time of the last round with a good reply; 0: none */
    int64_t kept_mono_ms;   /* 0: not yet in this run */
    double kept_height;
    char error[ERROR_MAX]; /* of the last round; empty: all came */
};

/* ---- what others read ---- */

static void add_utc(json_t *doc, const char *key, int64_t at_ms)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)(at_ms / 1000);
    if (at_ms > 0 && gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        json_object_set_new(doc, key, json_string(text));
}

static json_t *values_json(struct service *self)
{
    json_t *doc = json_object();
    for (size_t i = 0; i < n_fields; i++) {
        double value = *network_value(&self->network, &fields[i]);
        if (isnan(value) || self->part_ms[fields[i].part] < self->last_ms - STALE_MS)
            continue;
        json_object_set_new(doc, fields[i].name,
                            fields[i].whole ? json_integer((json_int_t)value) : json_real(value));
    }
    return doc;
}

static void add_halving(json_t *doc)
{
    const json_t *height = json_object_get(doc, "height");
    if (!height)
        return;
    json_int_t done = json_integer_value(height) % HALVING;
    json_object_set_new(doc, "halving_blocks", json_integer(HALVING - done));
    json_object_set_new(doc, "halving_percent", json_real(100.0 * (double)done / HALVING));
}

static void fact_tell(struct service *self)
{
    json_t *doc = values_json(self);
    add_halving(doc);
    add_utc(doc, "last_updated", self->last_ms);
    if (self->error[0])
        json_object_set_new(doc, "error", json_string(self->error));
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(doc);
    if (text)
        self->host->fact_put(self->ctx, "network", text, strlen(text));
    free(text);
}

/* ---- the last facts over a restart ---- */

static void last_keep(struct service *self)
{
    int64_t now_ms = self->host->mono_ms(self->ctx);
    bool moved = self->network.height != self->kept_height;
    if (self->kept_mono_ms && !moved && now_ms - self->kept_mono_ms < KEEP_EVERY_MS)
        return;
    self->kept_mono_ms = now_ms;
    self->kept_height = self->network.height;
    json_t *doc = values_json(self);
    json_object_set_new(doc, "at_ms", json_integer(self->last_ms));
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(doc);
    if (text)
        self->host->kv_put(self->ctx, "last", text);
    free(text);
}

static void last_restore(struct service *self)
{
    const char *text;
    if (self->host->kv_get(self->ctx, "last", &text) < 0 || !text)
        return;
    json_t *doc = json_loads(text, 0, NULL);
    int64_t at_ms = json_integer_value(json_object_get(doc, "at_ms"));
    for (size_t i = 0; at_ms > 0 && i < n_fields; i++) {
        const json_t *value = json_object_get(doc, fields[i].name);
        if (!json_is_number(value))
            continue;
        *network_value(&self->network, &fields[i]) =
            field_check(&fields[i], json_number_value(value), at_ms);
        self->part_ms[fields[i].part] = self->last_ms = at_ms;
    }
    json_decref(doc);
}

/* ---- a round ---- */

static void round_start(void *arg);
static void round_go_on(struct service *self);

/* Spread over ±10 %: many shepherds were started by the same power cut. */
static int64_t jitter(struct service *self, int64_t ms)
{
    self->random = self->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return ms - ms / 10 + (int64_t)((self->random >> 33) % (uint64_t)(ms / 5 + 1));
}

static void schedule(struct service *self, int64_t in_ms)
{
    self->host->timer_cancel(self->ctx, self->timer);
    self->timer = NULL;
    if (self->host->timer(self->ctx, in_ms, 0, round_start, self, &self->timer) < 0)
        self->host->fail(self->ctx, SHEP_E_LIMIT,
                         "network: no timer; no facts of the network until a restart");
}

static void round_failed(struct service *self, int64_t wait_s)
{
    int64_t delay = RETRY_FIRST_MS;
    for (unsigned i = 0; i < self->fails && delay < RETRY_LAST_MS; i++)
        delay *= 2;
    delay = jitter(self, delay < RETRY_LAST_MS ? delay : RETRY_LAST_MS);
    if (wait_s > WAIT_MAX_S)
        wait_s = WAIT_MAX_S;
    if (wait_s > 0 && delay < wait_s * 1000)
        delay = wait_s * 1000 + (jitter(self, 10000) - 9000); /* never earlier than asked */
    if (self->fails++ == 0)
        self->host->log(self->ctx, SHEP_LOG_WARN, "no facts of the network: %s; the last ones stay",
                        self->error);
    fact_tell(self);
    schedule(self, delay);
}

static void round_end(struct service *self)
{
    if (self->n_good == 0) {
        round_failed(self, 0);
        return;
    }
    if (self->fails > 0)
        self->host->log(self->ctx, SHEP_LOG_INFO, "facts of the network again");
    self->fails = 0;
    last_keep(self);
    fact_tell(self);
    schedule(self, jitter(self, self->interval_ms));
}

static bool is_asked_always(enum part part)
{
    return part == PART_TIP || part == PART_FEES;
}

static void part_came(struct service *self, double height_before)
{
    enum part part = self->part;
    int64_t mono_ms = self->host->mono_ms(self->ctx);
    self->n_good++;
    self->last_ms = self->part_ms[part] = self->host->now_ms(self->ctx);
    self->due_ms[part] = is_asked_always(part) ? 0 : mono_ms + AGAIN_MS;
    if (part == PART_TIP && self->network.height != height_before)
        for (int i = 0; i < PARTS; i++)
            self->due_ms[i] = 0; /* a block: all may have moved */
}

static void part_failed(struct service *self, const char *what)
{
    if (!is_asked_always(self->part))
        self->due_ms[self->part] = self->host->mono_ms(self->ctx) + AGAIN_FAILED_MS;
    if (!self->error[0])
        snprintf(self->error, sizeof self->error, "%s: %.150s", questions[self->part].path, what);
}

static void reply_take(struct service *self, const struct shep_fetch_result *result)
{
    char what[64];
    double height = self->network.height;
    if (result->err < 0 && result->err != SHEP_E_LIMIT) {
        snprintf(self->error, sizeof self->error, "%.80s cannot be reached: %.150s", self->base,
                 result->message ? result->message : "no reply");
        round_failed(self, 0);
        return;
    }
    if (result->err == 0 && (result->status == 429 || result->status == 503)) {
        snprintf(self->error, sizeof self->error, "%.80s asks us to come less often (HTTP %d)",
                 self->base, (int)result->status);
        round_failed(self, result->retry_after_s);
        return;
    }
    snprintf(what, sizeof what, "HTTP %d", (int)result->status);
    if (result->err < 0)
        part_failed(self, "the reply is too long");
    else if (result->status != 200)
        part_failed(self, what);
    else if (!network_parse(self->part, result->body, result->body_len,
                            self->host->now_ms(self->ctx), &self->network))
        part_failed(self, "the reply has no such number");
    else
        part_came(self, height);
    self->part++;
    round_go_on(self);
}

static void fetch_done(const struct shep_fetch_result *result, void *arg)
{
    struct inquiry *inquiry = arg;
    struct service *self = inquiry->service;
    free(inquiry);
    if (!self)
        return;
    self->inquiry = NULL;
    reply_take(self, result);
}

/* 0, or why it could not be started. */
static int fetch_start(struct service *self)
{
    const struct question *question = &questions[self->part];
    char url[BASE_MAX + 64];
    snprintf(url, sizeof url, "%s%s", self->base, question->path);
    struct shep_fetch fetch = {.size = sizeof fetch,
                               .timeout_ms = TIMEOUT_MS,
                               .max_bytes = question->max_bytes,
                               .url = url};
    self->inquiry = calloc(1, sizeof *self->inquiry);
    if (!self->inquiry)
        return SHEP_E_NOMEM;
    self->inquiry->service = self;
    int err = self->host->http_fetch(self->ctx, &fetch, fetch_done, self->inquiry);
    if (err < 0) {
        free(self->inquiry);
        self->inquiry = NULL;
    }
    return err;
}

static void round_go_on(struct service *self)
{
    int64_t now_ms = self->host->mono_ms(self->ctx);
    while (self->part < PARTS && self->due_ms[self->part] > now_ms)
        self->part++;
    if (self->part == PARTS) {
        round_end(self);
        return;
    }
    int err = fetch_start(self);
    if (err >= 0)
        return;
    if (err == SHEP_E_UNSUPPORTED) { /* wanted so: nothing to complain about */
        snprintf(self->error, sizeof self->error, "offline = true in the configuration");
        fact_tell(self);
        schedule(self, RETRY_LAST_MS);
        return;
    }
    snprintf(self->error, sizeof self->error, "the fetch could not be started; it is tried again");
    round_failed(self, 0);
}

static void round_start(void *arg)
{
    struct service *self = arg;
    self->timer = NULL;
    self->part = PART_TIP;
    self->n_good = 0;
    self->error[0] = '\0';
    round_go_on(self);
}

/* ---- the plugin ---- */

static int options_read(struct service *self)
{
    const char *url = "https://mempool.space";
    int64_t interval_s = 120;
    self->host->opt_str(self->ctx, "url", &url);
    self->host->opt_int(self->ctx, "interval", &interval_s);
    self->interval_ms = interval_s * 1000;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || len < 8 ||
        strpbrk(url, "?# "))
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "network: url \"%.100s\" must be the server alone, as in "
                                "\"https://mempool.space\" or \"http://umbrel.local:3006\"",
                                url);
    if (len > BASE_MAX)
        return self->host->fail(self->ctx, SHEP_E_CONFIG, "network: the url is over %d bytes",
                                BASE_MAX);
    memcpy(self->base, url, len);
    return 0;
}

static int network_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct service *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->ctx = ctx;
    self->host = host;
    for (int part = 0; part < PARTS; part++)
        network_forget(&self->network, (enum part)part);
    if (getrandom(&self->random, sizeof self->random, GRND_NONBLOCK) < 0)
        self->random = (uint64_t)host->mono_ms(ctx);
    int err = options_read(self);
    if (err >= 0)
        err = host->timer(ctx, FIRST_MS, 0, round_start, self, &self->timer);
    if (err < 0) {
        free(self);
        return err;
    }
    last_restore(self);
    fact_tell(self);
    *out = self;
    return 0;
}

static void network_stop(void *arg)
{
    struct service *self = arg;
    if (self->inquiry)
        self->inquiry->service = NULL;
    self->host->timer_cancel(self->ctx, self->timer);
    free(self);
}

static const struct shep_option options[] = {
    {"url", "a server with the API of mempool.space, your own for example", "https://mempool.space",
     NULL, SHEP_OPT_STRING, 0, 0, 0},
    {"interval", "seconds between two rounds of questions", "120", NULL, SHEP_OPT_INT, 0, 30,
     86400},
    {0},
};

static const struct shep_service_ops ops = {
    .size = sizeof ops,
    .start = network_start,
    .stop = network_stop,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SERVICE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "network",
    .version = SHEP_VERSION,
    .summary = "height, difficulty, hash rate and fees of the Bitcoin network",
    .license = "MIT",
    .options = options,
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
