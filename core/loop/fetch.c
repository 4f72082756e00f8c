/* HTTP client: one libcurl multi handle driven by the loop. Bounds: time, size, no redirects, http
 * and https only. curl is started with the first fetch, since its set-up costs more than the rest
 * of the daemon's start. */
#include "loop/internal.h"

#include "util/log.h"

#include <curl/curl.h>

enum {
    FETCH_TIMEOUT_MS = 10000,
    FETCH_TIMEOUT_MAX_MS = 60000,
    FETCH_BYTES = 1 << 20,
    FETCH_BYTES_MAX = 16 << 20,
    FETCH_MAX = 64 /* at once */
};

struct transfer {
    LIST_ENTRY(transfer) link;
    struct fetcher *fetcher;
    struct loop_owner *owner;
    CURL *easy;
    struct buf body;
    size_t max_bytes;
    int32_t retry_after_s;
    bool too_large;
    shep_fetch_fn done;
    void *arg;
    char message[CURL_ERROR_SIZE];
};

struct fetcher {
    struct loop *loop;
    CURLM *multi;
    struct event *timer;
    LIST_HEAD(, transfer) transfers;
    size_t n;
};

static void transfer_finish(struct transfer *transfer, int err, long status, const char *message)
{
    struct fetcher *fetcher = transfer->fetcher;
    LIST_REMOVE(transfer, link);
    fetcher->n--;
    curl_multi_remove_handle(fetcher->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    struct shep_fetch_result result = {
        .size = sizeof result,
        .err = err,
        .status = (int32_t)status,
        .retry_after_s = transfer->retry_after_s,
        .body = transfer->body.data ? transfer->body.data : "",
        .body_len = transfer->body.len,
        .message = message,
    };
    int64_t begun_us = loop_meter_begin();
    transfer->done(&result, transfer->arg);
    loop_meter_end(transfer->owner, begun_us);
    buf_free(&transfer->body);
    free(transfer);
}

static void drain_messages(struct fetcher *fetcher)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(fetcher->multi, &left))) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        struct transfer *transfer = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        CURLcode code = msg->data.result;
        long status = 0;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK) {
            transfer_finish(transfer, 0, status, NULL);
            continue;
        }
        char message[CURL_ERROR_SIZE];
        const char *why = transfer->message[0] ? transfer->message : curl_easy_strerror(code);
        snprintf(message, sizeof message, "%s",
                 transfer->too_large ? "the reply is larger than allowed" : why);
        transfer_finish(transfer, transfer->too_large ? SHEP_E_LIMIT : SHEP_E_IO, status, message);
    }
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct fetcher *fetcher = arg;
    int running,
        flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(fetcher->multi, fd, flags, &running);
    drain_messages(fetcher);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct fetcher *fetcher = arg;
    int running;
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain_messages(fetcher);
}

/* curl says which sockets it wants to have watched. Changing an event's mask means a new one. */
static int socket_changed(CURL *easy, curl_socket_t fd, int action, void *arg, void *socket_arg)
{
    struct fetcher *fetcher = arg;
    struct event *event = socket_arg;
    if (event)
        event_free(event);
    event = NULL;
    if (action != CURL_POLL_REMOVE) {
        short events = (short)((action & CURL_POLL_IN ? EV_READ : 0) |
                               (action & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
        event = event_new(fetcher->loop->base, fd, events, on_socket, fetcher);
        event_add(event, NULL);
    }
    curl_multi_assign(fetcher->multi, fd, event);
    return 0;
}

/* Only the timer is set here: calling curl from within this callback would recurse. */
static int timer_changed(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetcher *fetcher = arg;
    if (timeout_ms < 0) {
        event_del(fetcher->timer);
        return 0;
    }
    struct timeval wait = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
    event_add(fetcher->timer, &wait);
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * n;
    if (transfer->body.len + len > transfer->max_bytes) {
        transfer->too_large = true;
        return 0;
    }
    buf_add(&transfer->body, bytes, len);
    return len;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * n;
    static const char name[] = "retry-after:";
    if (len > sizeof name - 1 && strncasecmp(bytes, name, sizeof name - 1) == 0) {
        long seconds = strtol(bytes + sizeof name - 1, NULL, 10); /* a date gives 0: no advice */
        transfer->retry_after_s = seconds > 0 && seconds < 86400 ? (int32_t)seconds : 0;
    }
    return len;
}

static struct fetcher *fetcher_get(struct loop *loop)
{
    if (loop->fetcher)
        return loop->fetcher;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return NULL;
    struct fetcher *fetcher = shep_alloc(sizeof *fetcher);
    fetcher->loop = loop;
    LIST_INIT(&fetcher->transfers);
    fetcher->timer = evtimer_new(loop->base, on_timeout, fetcher);
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi || !fetcher->timer)
        abort(); /* only out of memory */
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    loop->fetcher = fetcher;
    return fetcher;
}

static void set_options(struct transfer *transfer, const struct shep_fetch *fetch)
{
    long timeout_ms = fetch->timeout_ms ? (long)fetch->timeout_ms : FETCH_TIMEOUT_MS;
    if (timeout_ms > FETCH_TIMEOUT_MAX_MS)
        timeout_ms = FETCH_TIMEOUT_MAX_MS;
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_URL, fetch->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "shepherd/" SHEP_VERSION);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->max_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

int loop_fetch(struct loop *loop, struct loop_owner *owner, const struct shep_fetch *fetch,
               shep_fetch_fn done, void *arg)
{
    struct fetcher *fetcher = fetcher_get(loop);
    if (!fetcher)
        return SHEP_E_IO;
    if (fetcher->n >= FETCH_MAX)
        return SHEP_E_LIMIT;
    struct transfer *transfer = shep_alloc(sizeof *transfer);
    *transfer = (struct transfer){.fetcher = fetcher, .owner = owner, .done = done, .arg = arg};
    transfer->max_bytes = fetch->max_bytes ? fetch->max_bytes : FETCH_BYTES;
    if (transfer->max_bytes > FETCH_BYTES_MAX)
        transfer->max_bytes = FETCH_BYTES_MAX;
    transfer->easy = curl_easy_init();
    if (!transfer->easy) {
        free(transfer);
        return SHEP_E_NOMEM;
    }
    set_options(transfer, fetch);
    LIST_INSERT_HEAD(&fetcher->transfers, transfer, link);
    fetcher->n++;
    curl_multi_add_handle(fetcher->multi, transfer->easy);
    return 0;
}

static void finish_all(struct fetcher *fetcher, const struct loop_owner *owner)
{
    struct transfer *transfer, *next;
    for (transfer = LIST_FIRST(&fetcher->transfers); transfer; transfer = next) {
        next = LIST_NEXT(transfer, link);
        if (!owner || transfer->owner == owner)
            transfer_finish(transfer, SHEP_E_GONE, 0, "stopped");
    }
}

void fetch_sweep(struct loop *loop, const struct loop_owner *owner)
{
    if (loop->fetcher)
        finish_all(loop->fetcher, owner);
}

size_t fetch_count(const struct loop *loop)
{
    return loop->fetcher ? loop->fetcher->n : 0;
}

void fetch_free(struct loop *loop)
{
    struct fetcher *fetcher = loop->fetcher;
    if (!fetcher)
        return;
    finish_all(fetcher, NULL);
    curl_multi_cleanup(fetcher->multi);
    event_free(fetcher->timer);
    curl_global_cleanup();
    free(fetcher);
    loop->fetcher = NULL;
}
