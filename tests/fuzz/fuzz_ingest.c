/* Bytes of a wire, whatever they are, through the line splitter, the masking of secrets, the
 * fingerprint and the NerdMiner parser. Each input goes through twice, whole and cut into pieces
 * (the first byte says how): lines, readings and events must be the same. */
#include "ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARRIVED_MS = 1000, LATER_MS = 60000 };

struct heard {
    uint64_t hash, lines, readings, events;
};

static void hear(struct heard *heard, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < len; i++)
        heard->hash = (heard->hash ^ b[i]) * 0x100000001b3u;
    heard->hash = (heard->hash ^ 0x1ff) * 0x100000001b3u; /* "ab" "c" is not "a" "bc" */
}

static void on_line(const struct ingest_line *line, void *arg)
{
    struct heard *heard = arg;
    heard->lines++;
    if (line->len > SHEP_LINE_MAX || memchr(line->text, '\n', line->len) ||
        memchr(line->text, '\0', line->len))
        abort();
    hear(heard, line->text, line->len);
}

static int on_reading(const struct shep_reading *reading, uint64_t line_number, void *arg)
{
    struct heard *heard = arg;
    heard->readings++;
    if (reading->text_len > SHEP_TEXT_MAX || reading->value != reading->value)
        abort();
    hear(heard, &reading->metric, sizeof reading->metric);
    hear(heard, &reading->value, sizeof reading->value);
    hear(heard, reading->text, reading->text_len);
    hear(heard, &line_number, sizeof line_number);
    return 0;
}

static int on_event(const struct shep_event *event, uint64_t line_number, void *arg)
{
    struct heard *heard = arg;
    heard->events++;
    hear(heard, &event->event, sizeof event->event);
    hear(heard, event->text, event->text_len);
    hear(heard, &line_number, sizeof line_number);
    return 0;
}

/* piece 0: all at once. */
static struct heard listen_to(const uint8_t *bytes, size_t len, size_t piece)
{
    struct heard heard = {.hash = 0xcbf29ce484222325u};
    const struct ingest_parser parser = {.name = "nerdminer", .ops = shep_plugin_v1()->ops};
    const struct ingest_parsers parsers = {.items = &parser, .n = 1};
    const struct ingest_stream_conf conf = {
        .parsers = &parsers,
        .parser = "auto",
        .callbacks = {.line = on_line, .reading = on_reading, .event = on_event},
        .arg = &heard};
    struct ingest_stream *stream = ingest_stream_new(&conf);
    for (size_t at = 0; at < len;) {
        size_t n = piece && len - at > piece ? piece : len - at;
        ingest_feed(stream, bytes + at, n, ARRIVED_MS);
        at += n;
    }
    ingest_end(stream, LATER_MS);
    ingest_stream_free(stream);
    return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct heard whole = listen_to(data + 1, size - 1, 0);
    struct heard cut = listen_to(data + 1, size - 1, 1 + data[0] % 64u);
    if (memcmp(&whole, &cut, sizeof whole) != 0) {
        fprintf(stderr, "whole: %llu lines %llu readings %llu events; in pieces: %llu %llu %llu\n",
                (unsigned long long)whole.lines, (unsigned long long)whole.readings,
                (unsigned long long)whole.events, (unsigned long long)cut.lines,
                (unsigned long long)cut.readings, (unsigned long long)cut.events);
        abort();
    }
    return 0;
}
