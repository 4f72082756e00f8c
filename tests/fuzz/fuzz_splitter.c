/* Bytes of a device to rows and readings. The first byte seeds how the rest is cut. Whatever the
 * bytes are:
 *  - the result does not depend on how they are cut;
 *  - rows are valid UTF-8 of at most SHEP_LINE_MAX bytes without control characters but TAB, and
 *    their numbers rise, also when silence cuts lines into partial rows;
 *  - a password behind its key at the end of the line never shows. */
#include "fuzz/require.h"
#include "unit/recorder.h"
#include "unit/toy_parser.h"

#include "util/log.h"

static const char password[] = "hunter2hunter2";

/* By the table of the Unicode standard, not by the code under test. */
static size_t char_len(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high, n;
    } forms[] = {{0x09, 0x09, 0, 0, 1},       {0x20, 0x7e, 0, 0, 1},
                 {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                 {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                 {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                 {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
            continue;
        if (forms[i].n > len)
            return 0;
        if (forms[i].n > 1 && (s[1] < forms[i].second_low || s[1] > forms[i].second_high))
            return 0;
        for (size_t k = 2; k < forms[i].n; k++) {
            if (s[k] < 0x80 || s[k] > 0xBF)
                return 0;
        }
        return forms[i].n;
    }
    return 0;
}

struct watch {
    uint64_t number;
    bool has_secret; /* the password is among the bytes, and nothing else with "nter" */
};

static void on_row(const struct ingest_line *line, void *arg)
{
    struct watch *watch = arg;
    REQUIRE(line->len > 0 && line->len <= SHEP_LINE_MAX);
    REQUIRE(line->number > watch->number);
    watch->number = line->number;
    REQUIRE(!watch->has_secret || !memmem(line->text, line->len, "nter", 4));
    for (size_t at = 0; at < line->len;) {
        size_t n = char_len((const unsigned char *)line->text + at, line->len - at);
        REQUIRE(n > 0);
        at += n;
    }
}

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* As in the daemon: pieces and silences. Each silence looks at the whole line so far, so a long
 * input comes in larger pieces: the time must not grow with the square. */
static void with_silence(const char *bytes, size_t len, unsigned seed, bool has_secret)
{
    struct watch watch = {.has_secret = has_secret};
    struct ingest_stream_conf conf = {.parsers = &toy_parsers,
                                      .parser = "auto",
                                      .strip_monitor_time = seed & 1,
                                      .callbacks = {.line = on_row},
                                      .arg = &watch};
    struct ingest_stream *stream = ingest_stream_new(&conf);
    int64_t now = 1000;
    unsigned piece_max = 20 + (unsigned)(len / 100);
    while (len > 0) {
        size_t n = 1 + next(&seed) % piece_max;
        n = n < len ? n : len;
        ingest_feed(stream, bytes, n, now);
        now += next(&seed) % (2 * INGEST_PARTIAL_MS);
        int64_t wait = ingest_tick(stream, now);
        REQUIRE(wait >= -1 && wait <= INGEST_PARTIAL_MS);
        bytes += n;
        len -= n;
    }
    ingest_end(stream, now);
    ingest_stream_free(stream);
}

static void cut_anyhow(const char *bytes, size_t len, unsigned seed)
{
    struct ingest_stats whole, cut;
    char *a = recorder_run(&toy_parsers, bytes, len, CUT_WHOLE, 0, &whole);
    char *b = recorder_run(&toy_parsers, bytes, len, CUT_RANDOM, seed, &cut);
    REQUIRE(strcmp(a, b) == 0);
    REQUIRE(memcmp(&whole, &cut, sizeof(cut)) == 0);
    free(a);
    free(b);
}

/* The first line of the bytes, then a key and its value. */
static void keeps_secret(const char *bytes, size_t len)
{
    enum { FRONT_MAX = 4000 };
    char text[SHEP_LINE_MAX];
    size_t n = 0;
    while (n < len && n < FRONT_MAX && bytes[n] != '\n' && bytes[n] != '\r') {
        text[n] = bytes[n];
        n++;
    }
    n += (size_t)snprintf(text + n, sizeof(text) - n, " poolPassword: %s", password);
    struct secrets_state state = {0};
    size_t masked = secrets_mask(&state, text, n, sizeof(text));
    REQUIRE(!memmem(text, masked, password, strlen(password)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    log_set_level(SHEP_LOG_ERROR);
    const char *bytes = (const char *)data + 1;
    size_t len = size - 1;
    cut_anyhow(bytes, len, data[0]);
    with_silence(bytes, len, data[0], false);
    if (!memmem(bytes, len, "nter", 4)) {
        keeps_secret(bytes, len);
        struct buf more = {0};
        buf_add(&more, bytes, len);
        buf_printf(&more, "\npoolPassword: %s\n{\"pwd\":\"%s\"}\n", password, password);
        with_silence(more.data, more.len, data[0], true);
        buf_free(&more);
    }
    REQUIRE(toy_open_count == 0);
    return 0;
}
