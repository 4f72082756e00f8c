/* Service "price": the price of a bitcoin, as the fact "price" and as DATA_DIR/btc_price.json.
 * Owns one timer and at most one fetch. Thread: loop.
 *
 * Promises: a failed fetch never takes the last good price away, it only says so beside it, and the
 * price keeps the time when it was fetched; it survives a restart; a provider that asks us to wait
 * is not asked before. */
#include "parse.h"
#include "shepherd/plugin.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    FIRST_MS = 1000, /* after the start: nothing waits for it */
    TIMEOUT_MS = 10000,
    BODY_MAX = 65536, /* a reply has 4 KiB */
    URL_MAX = 512,
    RETRY_FIRST_MS = 60000, /* then doubled, up to RETRY_LAST_MS or the interval if that is more */
    RETRY_LAST_MS = 3600000,
    WAIT_MAX_S = 6 * 3600, /* a Retry-After over this is nonsense */
    ERROR_MAX = 256
};

struct inquiry {         /* what a fetch carries: it ends after stop() when it was under way then */
    struct price *price; /* NULL: stopped meanwhile */
};

struct price {
    struct shep_ctx *ctx;
    const struct shep_host *host;
    const struct provider *provider;
    char url[URL_MAX], currency[PRICE_CURRENCY_MAX + 1];
    int64_t interval_ms;
    struct shep_timer *timer;
    struct inquiry *inquiry; /* under way; NULL: none */
    unsigned fails;
    uint64_t random;
    struct quote last;
    int64_t last_ms; /* Unix time of the last good price; 0: there is none */
    char last_provider[32];
    char error[ERROR_MAX]; /* of the last fetch; empty: it worked */
};

/* ---- what others read ---- */

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *utc_or_null(int64_t at_ms)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)(at_ms / 1000);
    if (at_ms <= 0 || !gmtime_r(&t, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}

static char *document(const struct price *self, bool all)
{
    json_t *doc = json_object();
    json_object_set_new(doc, "price_usd", number_or_null(self->last.price_usd));
    json_object_set_new(doc, "change_24h", number_or_null(self->last.change_24h));
    json_object_set_new(doc, "last_updated", utc_or_null(self->last_ms));
    if (all) {
        json_object_set_new(doc, "price", number_or_null(self->last.price));
        json_object_set_new(doc, "currency", json_string(self->currency));
        json_object_set_new(
            doc, "provider",
            json_string(self->last_ms ? self->last_provider : self->provider->name));
        json_object_set_new(doc, "error", self->error[0] ? json_string(self->error) : json_null());
    }
    char *text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(doc);
    return text;
}

static void fact_tell(struct price *self)
{
    char *text = document(self, true);
    if (text)
        self->host->fact_put(self->ctx, "price", text, strlen(text));
    free(text);
}

/* ---- the last good price over a restart ---- */

static void last_keep(struct price *self)
{
    char text[256];
    snprintf(text, sizeof text, "%s %s %" PRId64 " %.17g %.17g %.17g", self->last_provider,
             self->currency, self->last_ms, self->last.price, self->last.price_usd,
             self->last.change_24h);
    self->host->kv_put(self->ctx, "last", text);
    char *file = document(self, false);
    if (file)
        self->host->file_put(self->ctx, "btc_price.json", file, strlen(file));
    free(file);
}

static void last_restore(struct price *self)
{
    const char *text;
    char provider[32], currency[PRICE_CURRENCY_MAX + 1];
    int64_t at_ms;
    struct quote quote;
    if (self->host->kv_get(self->ctx, "last", &text) < 0 || !text)
        return;
    if (sscanf(text, "%31s %8s %" SCNd64 " %lf %lf %lf", provider, currency, &at_ms, &quote.price,
               &quote.price_usd, &quote.change_24h) != 6)
        return;
    if (strcmp(currency, self->currency) != 0 || at_ms <= 0 || !(quote.price > 0))
        return; /* another currency than is asked for now: better none than a wrong one */
    self->last = quote;
    self->last_ms = at_ms;
    snprintf(self->last_provider, sizeof self->last_provider, "%s", provider);
}

/* ---- fetching ---- */

static void fetch_start(void *arg);

/* Spread over ±10 %: many shepherds were started by the same power cut. */
static int64_t jitter(struct price *self, int64_t ms)
{
    self->random = self->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return ms - ms / 10 + (int64_t)((self->random >> 33) % (uint64_t)(ms / 5 + 1));
}

static void schedule(struct price *self, int64_t in_ms)
{
    self->host->timer_cancel(self->ctx, self->timer);
    self->timer = NULL;
    if (self->host->timer(self->ctx, in_ms, 0, fetch_start, self, &self->timer) < 0)
        self->host->fail(self->ctx, SHEP_E_LIMIT, "price: no timer; no price until a restart");
}

static void fetch_failed(struct price *self, int64_t wait_s, const char *what)
{
    int64_t delay = RETRY_FIRST_MS, limit = RETRY_LAST_MS;
    if (self->interval_ms > limit)
        limit = self->interval_ms;
    for (unsigned i = 0; i < self->fails && delay < limit; i++)
        delay *= 2;
    delay = jitter(self, delay < limit ? delay : limit);
    if (wait_s > WAIT_MAX_S)
        wait_s = WAIT_MAX_S;
    if (wait_s > 0 && delay < wait_s * 1000)
        delay = wait_s * 1000 + (jitter(self, 10000) - 9000); /* never earlier than asked */
    if (self->fails++ == 0)
        self->host->log(self->ctx, SHEP_LOG_WARN, "no new price: %s; the last one stays", what);
    snprintf(self->error, sizeof self->error, "%s", what);
    fact_tell(self);
    schedule(self, delay);
}

static void fetch_worked(struct price *self, const struct quote *quote)
{
    if (self->fails > 0)
        self->host->log(self->ctx, SHEP_LOG_INFO, "a price again, from %s", self->provider->name);
    self->fails = 0;
    self->error[0] = 0;
    self->last = *quote;
    self->last_ms = self->host->now_ms(self->ctx);
    snprintf(self->last_provider, sizeof self->last_provider, "%s", self->provider->name);
    last_keep(self);
    fact_tell(self);
    schedule(self, jitter(self, self->interval_ms));
}

static void reply_take(struct price *self, const struct shep_fetch_result *result)
{
    struct quote quote;
    char what[ERROR_MAX];
    const char *name = self->provider->name;
    if (result->err < 0)
        snprintf(what, sizeof what, "%s cannot be reached: %.150s", name,
                 result->message ? result->message : "no reply");
    else if (result->status == 429)
        snprintf(what, sizeof what, "%s asks us to come less often (HTTP 429)", name);
    else if (result->status >= 300 && result->status < 400)
        snprintf(what, sizeof what, "%s sent us elsewhere (HTTP %d); is the url right?", name,
                 (int)result->status);
    else if (result->status != 200)
        snprintf(what, sizeof what, "%s answered HTTP %d", name, (int)result->status);
    else if (!self->provider->parse(result->body, result->body_len, self->currency, &quote))
        snprintf(what, sizeof what, "the reply of %s has no price in %s", name, self->currency);
    else {
        fetch_worked(self, &quote);
        return;
    }
    fetch_failed(self, result->err < 0 ? 0 : result->retry_after_s, what);
}

static void fetch_done(const struct shep_fetch_result *result, void *arg)
{
    struct inquiry *inquiry = arg;
    struct price *self = inquiry->price;
    free(inquiry);
    if (!self)
        return;
    self->inquiry = NULL;
    reply_take(self, result);
}

static void fetch_start(void *arg)
{
    struct price *self = arg;
    struct shep_fetch fetch = {
        .size = sizeof fetch, .timeout_ms = TIMEOUT_MS, .max_bytes = BODY_MAX, .url = self->url};
    self->timer = NULL;
    self->inquiry = calloc(1, sizeof *self->inquiry);
    int err = SHEP_E_NOMEM;
    if (self->inquiry) {
        self->inquiry->price = self;
        err = self->host->http_fetch(self->ctx, &fetch, fetch_done, self->inquiry);
    }
    if (err >= 0)
        return;
    free(self->inquiry);
    self->inquiry = NULL;
    if (err == SHEP_E_UNSUPPORTED)
        fetch_failed(self, self->interval_ms / 1000, "offline = true in the configuration");
    else
        fetch_failed(self, 0, "the fetch could not be started; it is tried again");
}

/* ---- the plugin ---- */

static int currency_read(struct price *self)
{
    const char *currency = "usd";
    self->host->opt_str(self->ctx, "currency", &currency);
    size_t len = strlen(currency);
    if (len < 2 || len > PRICE_CURRENCY_MAX ||
        strspn(currency, "abcdefghijklmnopqrstuvwxyz") != len)
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "price: currency \"%.20s\" is not a code in small letters, like "
                                "usd or eur",
                                currency);
    memcpy(self->currency, currency, len + 1);
    if (self->provider->usd_only && strcmp(currency, "usd") != 0)
        return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                "price: %s has prices in usd only; for %s set provider = "
                                "\"coingecko\" or \"mempool\"",
                                self->provider->name, currency);
    return 0;
}

static int url_read(struct price *self)
{
    const char *url = NULL;
    self->host->opt_str(self->ctx, "url", &url);
    int len;
    if (url && url[0]) {
        if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
            return self->host->fail(self->ctx, SHEP_E_CONFIG,
                                    "price: url \"%.100s\" must begin with http:// or https://",
                                    url);
        len = snprintf(self->url, sizeof self->url, "%s", url);
    } else {
        const char *hole = strstr(self->provider->url, "%s");
        int head = hole ? (int)(hole - self->provider->url) : (int)strlen(self->provider->url);
        bool usd = !strcmp(self->currency, "usd");
        len =
            snprintf(self->url, sizeof self->url, "%.*s%s%s%s", head, self->provider->url,
                     hole ? self->currency : "", hole && !usd ? ",usd" : "", hole ? hole + 2 : "");
    }
    if (len >= (int)sizeof self->url)
        return self->host->fail(self->ctx, SHEP_E_CONFIG, "price: the url is over %d bytes",
                                URL_MAX - 1);
    return 0;
}

static int options_read(struct price *self)
{
    const char *provider = "coincodex";
    int64_t interval_s = 1200;
    self->host->opt_str(self->ctx, "provider", &provider);
    self->host->opt_int(self->ctx, "interval", &interval_s);
    self->interval_ms = interval_s * 1000;
    self->provider = provider_find(provider);
    if (!self->provider)
        return self->host->fail(self->ctx, SHEP_E_CONFIG, "price: there is no provider \"%.40s\"",
                                provider);
    int err = currency_read(self);
    return err < 0 ? err : url_read(self);
}

static int price_start(struct shep_ctx *ctx, const struct shep_host *host, void **out)
{
    struct price *self = calloc(1, sizeof *self);
    if (!self)
        return SHEP_E_NOMEM;
    self->ctx = ctx;
    self->host = host;
    self->last = (struct quote){NAN, NAN, NAN};
    if (getrandom(&self->random, sizeof self->random, GRND_NONBLOCK) < 0)
        self->random = (uint64_t)host->mono_ms(ctx);
    int err = options_read(self);
    if (err >= 0)
        err = host->timer(ctx, FIRST_MS, 0, fetch_start, self, &self->timer);
    if (err < 0) {
        free(self);
        return err;
    }
    last_restore(self);
    fact_tell(self);
    *out = self;
    return 0;
}

static void price_stop(void *arg)
{
    struct price *self = arg;
    if (self->inquiry)
        self->inquiry->price = NULL;
    self->host->timer_cancel(self->ctx, self->timer);
    free(self);
}

static const struct shep_option options[] = {
    {"provider", "who is asked", "coincodex", "coincodex|coingecko|mempool", SHEP_OPT_STRING, 0, 0,
     0},
    {"url", "ask here instead; the reply must look like the provider's", NULL, NULL,
     SHEP_OPT_STRING, 0, 0, 0},
    {"interval", "seconds between two questions", "1200", NULL, SHEP_OPT_INT, 0, 60, 86400},
    {"currency", "usd, eur, chf …; coincodex knows usd only", "usd", NULL, SHEP_OPT_STRING, 0, 0,
     0},
    {0},
};

static const struct shep_service_ops ops = {
    .size = sizeof ops,
    .start = price_start,
    .stop = price_stop,
};

static const struct shep_plugin plugin = {
    .size = sizeof plugin,
    .abi_major = SHEP_ABI_MAJOR,
    .abi_minor = SHEP_ABI_MINOR,
    .kind = SHEP_KIND_SERVICE,
    .option_size = sizeof(struct shep_option),
    .metric_size = sizeof(struct shep_metric_info),
    .name = "price",
    .version = SHEP_VERSION,
    .summary = "the price of a bitcoin",
    .license = "MIT",
    .options = options,
    .ops = &ops,
};

const struct shep_plugin *shep_plugin_v1(void)
{
    return &plugin;
}
