/* parser_alone PLUGIN.so LOG SECONDS: what a parser plugin costs without the daemon around it.
 * Loads it as the daemon does, hands it a host that counts readings and throws them away, and calls
 * it for each line of LOG over and over. Prints lines, seconds and readings. */
#include "shepherd/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOG_MAX = 1 << 20, LINES_MAX = 1 << 16 };

static unsigned long readings;

static int count_reading(struct shep_ctx *ctx, const struct shep_reading *reading)
{
    (void)ctx;
    readings += reading->size > 0;
    return SHEP_OK;
}

static int ignore_event(struct shep_ctx *ctx, const struct shep_event *event)
{
    (void)ctx;
    return event->size > 0 ? SHEP_OK : SHEP_E_BUG;
}

static void ignore_log(struct shep_ctx *ctx, int level, const char *fmt, ...)
{
    (void)ctx;
    (void)level;
    (void)fmt;
}

static int64_t no_time(struct shep_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static const struct shep_parser_ops *parser_load(const char *file)
{
    void *plugin = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    shep_plugin_fn entry = plugin ? (shep_plugin_fn)dlsym(plugin, "shep_plugin_v1") : NULL;
    if (!entry) {
        fprintf(stderr, "parser_alone: %s\n", dlerror());
        return NULL;
    }
    return entry()->ops;
}

static size_t lines_cut(char *log, struct shep_line *lines)
{
    size_t n = 0;
    for (char *at = log, *end; n < LINES_MAX && (end = strchr(at, '\n')); at = end + 1, n++)
        lines[n] = (struct shep_line){
            .size = sizeof *lines, .text = at, .len = (size_t)(end - at), .seq = n + 1};
    return n;
}

int main(int argc, char **argv)
{
    static char log[LOG_MAX];
    static struct shep_line lines[LINES_MAX];
    static const struct shep_host host = {.size = sizeof host,
                                          .abi_major = SHEP_ABI_MAJOR,
                                          .abi_minor = SHEP_ABI_MINOR,
                                          .log = ignore_log,
                                          .now_ms = no_time,
                                          .mono_ms = no_time,
                                          .emit = count_reading,
                                          .event = ignore_event};
    FILE *in = argc == 4 ? fopen(argv[2], "rb") : NULL;
    if (!in) {
        fprintf(stderr, "usage: parser_alone PLUGIN.so LOG SECONDS\n");
        return 64;
    }
    log[fread(log, 1, sizeof log - 1, in)] = '\0';
    size_t n = lines_cut(log, lines);
    const struct shep_parser_ops *parser = parser_load(argv[1]);
    void *self = NULL;
    if (!parser || parser->open(NULL, &host, &self))
        return 1;

    unsigned long done = 0;
    double begun = seconds(), limit = atof(argv[3]), now = begun;
    for (; now - begun < limit; now = seconds(), done += n)
        for (size_t i = 0; i < n; i++)
            parser->line(self, &lines[i]);
    printf("%lu %.6f %lu\n", done, now - begun, readings);
    parser->close(self);
    return 0;
}
