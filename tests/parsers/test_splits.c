/* test_splits DATA_DIR: a serial port hands over bytes in any pieces, and what is read must not
 * depend on them. Every log of DATA_DIR/nerdminer and DATA_DIR/other, and of
 * $SHEPHERD_CAPTURES/captures where that is set, goes through core/ingest and the NerdMiner parser
 * whole, byte by byte and cut at random; lines, readings and events must be the same each time. */
#include "ingest/ingest.h"
#include "shepherd/plugin.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM_RUNS = 12,
    PIECE_MAX = 700,      /* longer than most lines, shorter than mining.notify */
    FILE_MAX = 4 << 20,   /* the longest capture has 226 kB */
    LINE_TEXT_SHOWN = 120 /* of a transcript, when two differ */
};

struct transcript { /* everything that was said, one line each */
    char *text;
    size_t len, room;
};

static unsigned failures, logs;

__attribute__((format(printf, 2, 3))) static void note(struct transcript *t, const char *fmt, ...)
{
    va_list args;
    if (t->room - t->len < 20000) {
        t->room = t->room * 2 + 65536;
        t->text = realloc(t->text, t->room);
        if (t->text == NULL) {
            abort();
        }
    }
    va_start(args, fmt);
    int n = vsnprintf(t->text + t->len, t->room - t->len, fmt, args);
    va_end(args);
    t->len += (size_t)n;
}

static void on_line(const struct ingest_line *line, void *arg)
{
    note(arg, "%" PRIu64 " line %zu %.*s\n", line->number, line->len, (int)line->len, line->text);
}

static void on_parsed(const struct ingest_line *line, bool known, void *arg)
{
    note(arg, "%" PRIu64 " %s\n", line->number, known ? "known" : "unknown");
}

static void on_chosen(const char *parser, int confidence, void *arg)
{
    note(arg, "parser %s %d\n", parser, confidence);
}

static int on_reading(const struct shep_reading *r, uint64_t line, void *arg)
{
    note(arg, "%" PRIu64 " reading %" PRIu32 " %.17g %.*s\n", line, r->metric, r->value,
         (int)r->text_len, r->text ? r->text : "");
    return 0;
}

static int on_event(const struct shep_event *e, uint64_t line, void *arg)
{
    note(arg, "%" PRIu64 " event %" PRIu32 " %.17g %.*s\n", line, e->event, e->value,
         (int)e->text_len, e->text ? e->text : "");
    return 0;
}

/* Pieces of exactly `piece` bytes, or of random lengths when it is 0. */
static struct transcript run(const char *bytes, size_t len, size_t piece, unsigned seed)
{
    struct transcript t = {0};
    const struct ingest_parser parser = {.name = "nerdminer", .ops = shep_plugin_v1()->ops};
    const struct ingest_parsers parsers = {&parser, 1};
    struct ingest_stream_conf conf = {.parsers = &parsers,
                                      .parser = "auto",
                                      .strip_monitor_time = true,
                                      .callbacks = {.line = on_line,
                                                    .parsed = on_parsed,
                                                    .chosen = on_chosen,
                                                    .reading = on_reading,
                                                    .event = on_event},
                                      .arg = &t};
    struct ingest_stream *stream = ingest_stream_new(&conf);

    for (size_t at = 0; at < len;) {
        size_t n = piece != 0 ? piece : 1 + (size_t)rand_r(&seed) % PIECE_MAX;
        n = n < len - at ? n : len - at;
        ingest_feed(stream, bytes + at, n, 1700000000000);
        at += n;
    }
    ingest_end(stream, 1700000000000);
    struct ingest_stats stats;
    ingest_stats_get(stream, &stats);
    note(&t, "end: %" PRIu64 " lines, %" PRIu64 " unparsed, parser %s\n", stats.lines,
         stats.unparsed, stats.parser ? stats.parser : "none");
    ingest_stream_free(stream);
    return t;
}

static void compare(const char *log, const char *how, const struct transcript *want,
                    struct transcript *got)
{
    if (want->len != got->len || memcmp(want->text, got->text, want->len) != 0) {
        size_t at = 0;
        while (at < want->len && at < got->len && want->text[at] == got->text[at]) {
            at++;
        }
        while (at > 0 && want->text[at - 1] != '\n') {
            at--;
        }
        fprintf(stderr, "%s, %s: differs\n  whole: %.*s\n  cut:   %.*s\n", log, how,
                LINE_TEXT_SHOWN, want->text + at, LINE_TEXT_SHOWN, got->text + at);
        failures++;
    }
    free(got->text);
}

static void check_log(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(FILE_MAX);
    size_t len = f != NULL && bytes != NULL ? fread(bytes, 1, FILE_MAX, f) : 0;
    char how[40];

    if (f == NULL || len == 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    struct transcript whole = run(bytes, len, len, 0);
    struct transcript cut = run(bytes, len, 1, 0);
    compare(path, "byte by byte", &whole, &cut);
    for (unsigned seed = 1; seed <= RANDOM_RUNS; seed++) {
        cut = run(bytes, len, 0, seed);
        snprintf(how, sizeof(how), "cut at random, seed %u", seed);
        compare(path, how, &whole, &cut);
    }
    free(whole.text);
    free(bytes);
    logs++;
}

static void check_folder(const char *top, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", top, folder);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        fprintf(stderr, "%s: no such directory\n", path);
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".log") == 0) {
            snprintf(path, sizeof(path), "%s/%s/%s", top, folder, entry->d_name);
            check_log(path);
        }
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    const char *captures = getenv("SHEPHERD_CAPTURES");

    if (argc != 2) {
        fprintf(stderr, "usage: test_splits DATA_DIR\n");
        return 64;
    }
    check_folder(argv[1], "nerdminer");
    check_folder(argv[1], "other");
    if (captures != NULL && captures[0] != '\0') {
        check_folder(captures, "captures");
    }
    printf("%u logs, each whole and in %d ways cut; %u differ\n", logs, RANDOM_RUNS + 1, failures);
    return failures != 0;
}
