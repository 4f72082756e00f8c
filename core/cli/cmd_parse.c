/* `shepherd parse`: what a parser reads in a log, as JSON, without a daemon (CONTRACT "Command
 * line"). The same code as the daemon's from bytes to readings; memory does not grow with the file.
 * One thread, ends with the program. */
#include "cli/cli.h"

#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 65536,
    OWN_METRICS_MAX = 64, /* as the herd takes, over all plugins */
    IDS_MAX = SHEP_METRIC_OWN + OWN_METRICS_MAX
};

/* The last reading of each metric and attribute. */
struct last {
    bool known;
    double value;
    char *text;
};

struct parse {
    const struct ingest_parsers *parsers;
    const char *parser;
    bool summary;
    char *own_metrics[OWN_METRICS_MAX]; /* names, in order of their ids */
    struct last last[IDS_MAX];          /* of the file being read */
    uint64_t readings;
    bool out_failed;
};

/* ---- metrics ---- */

/* A metric that a plugin declared: here it gets an id when its parser first asks for it. */
static int own_metric_id(const char *name, uint32_t *id_out, void *arg)
{
    struct parse *p = arg;
    for (uint32_t i = 0; i < OWN_METRICS_MAX; i++) {
        if (!p->own_metrics[i])
            p->own_metrics[i] = shep_strdup(name);
        if (strcmp(p->own_metrics[i], name) == 0) {
            *id_out = SHEP_METRIC_OWN + i;
            return 0;
        }
    }
    return SHEP_E_LIMIT;
}

static const char *reading_name(const struct parse *p, uint32_t id)
{
    if (id >= SHEP_METRIC_OWN)
        return id < IDS_MAX ? p->own_metrics[id - SHEP_METRIC_OWN] : NULL;
    return metric_name(id);
}

/* As the herd: an implausible value is no reading. */
static bool plausible(uint32_t id, double value)
{
    switch (id) {
#define SHEP_METRIC(id, sym, name, unit, kind, min, max, history, doc)                             \
    case id:                                                                                       \
        return value >= (min) && value <= (max);
#include "shepherd/metrics.def"
    default:
        return true;
    }
}

static bool is_attribute(uint32_t id)
{
    return id >= SHEP_ATTR_FIRST && id < SHEP_ATTR_END;
}

/* ---- output ---- */

/* Whole numbers as such; the noise of a multiplication (54970.000000000007) is none. */
static json_t *number(double value)
{
    double whole = rint(value);
    if (fabs(whole) < 1e15 && fabs(value - whole) <= fabs(value) * 1e-12)
        return json_integer((json_int_t)whole);
    return json_real(value);
}

static void print(struct parse *p, json_t *object)
{
    enum { DIGITS = 15 }; /* what a double holds for sure */
    if (json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) != 0 ||
        putchar('\n') == EOF)
        p->out_failed = true;
    json_decref(object);
}

static void print_reading(struct parse *p, const struct shep_reading *reading, const char *name,
                          uint64_t line)
{
    json_t *object = json_object();
    json_object_set_new(object, "line", json_integer((json_int_t)line));
    json_object_set_new(object, "metric", json_string(name));
    if (is_attribute(reading->metric))
        json_object_set_new(object, "text", json_stringn(reading->text, reading->text_len));
    else
        json_object_set_new(object, "value", number(reading->value));
    print(p, object);
}

static void print_summary(struct parse *p, const struct ingest_stats *stats)
{
    json_t *object = json_object(), *last = json_object();
    json_object_set_new(object, "parser", stats->parser ? json_string(stats->parser) : json_null());
    json_object_set_new(object, "confidence", json_integer(stats->confidence));
    json_object_set_new(object, "lines", json_integer((json_int_t)stats->lines));
    json_object_set_new(object, "unparsed", json_integer((json_int_t)stats->unparsed));
    json_object_set_new(object, "readings", json_integer((json_int_t)p->readings));
    for (uint32_t id = 0; id < IDS_MAX; id++) {
        if (!p->last[id].known)
            continue;
        json_object_set_new(last, reading_name(p, id),
                            is_attribute(id) ? json_string(p->last[id].text)
                                             : number(p->last[id].value));
    }
    json_object_set_new(object, "last", last);
    print(p, object);
}

/* ---- reading ---- */

static int on_reading(const struct shep_reading *reading, uint64_t line, void *arg)
{
    struct parse *p = arg;
    uint32_t id = reading->metric;
    const char *name = reading_name(p, id);
    if (!name)
        return SHEP_E_BUG;
    if (!is_attribute(id) && !plausible(id, reading->value))
        return SHEP_E_LIMIT;
    p->readings++;
    if (!p->summary) {
        print_reading(p, reading, name, line);
        return 0;
    }
    struct last *last = &p->last[id];
    last->known = true;
    last->value = reading->value;
    free(last->text);
    last->text = reading->text ? shep_strndup(reading->text, reading->text_len) : NULL;
    return 0;
}

static void forget(struct parse *p)
{
    for (size_t i = 0; i < IDS_MAX; i++)
        free(p->last[i].text);
    memset(p->last, 0, sizeof(p->last));
    p->readings = 0;
}

/* 0 or errno. */
static int feed_all(struct ingest_stream *stream, int fd)
{
    char *chunk = shep_alloc(CHUNK_BYTES);
    ssize_t n;
    do {
        n = read(fd, chunk, CHUNK_BYTES);
        if (n > 0)
            ingest_feed(stream, chunk, (size_t)n, clock_wall_ms());
    } while (n > 0 || (n < 0 && errno == EINTR));
    int err = n < 0 ? errno : 0;
    free(chunk);
    return err;
}

static int parse_file(struct parse *p, const char *file)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "shepherd parse: cannot open %s: %s\n", file, strerror(errno));
        return EX_NOINPUT;
    }
    struct ingest_stream_conf conf = {.parsers = p->parsers,
                                      .parser = p->parser,
                                      .strip_monitor_time = true,
                                      .callbacks = {.reading = on_reading},
                                      .arg = p};
    struct ingest_stream *stream = ingest_stream_new(&conf);
    int err = feed_all(stream, fd);
    if (err) {
        fprintf(stderr, "shepherd parse: cannot read %s: %s\n", file, strerror(err));
    } else {
        ingest_end(stream, clock_wall_ms());
        struct ingest_stats stats;
        ingest_stats_get(stream, &stats);
        if (p->summary)
            print_summary(p, &stats);
    }
    ingest_stream_free(stream);
    forget(p);
    if (!is_stdin)
        close(fd);
    return err ? EX_NOINPUT : EX_OK;
}

/* ---- command line ---- */

static int check_parser(const struct parse *p)
{
    const char *names[IDS_MAX];
    size_t n = 0;
    if (strcmp(p->parser, "auto") == 0)
        return EX_OK;
    names[n++] = "auto";
    for (size_t i = 0; i < p->parsers->n && n < ARRAY_LEN(names); i++) {
        names[n++] = p->parsers->items[i].name;
        if (strcmp(p->parser, p->parsers->items[i].name) == 0)
            return EX_OK;
    }
    const char *near = str_nearest(p->parser, names, n);
    if (near)
        return usage_error("parse", "no parser '%s'; did you mean '%s'?", p->parser, near);
    return usage_error("parse", "no parser '%s'; 'shepherd plugins' lists them", p->parser);
}

int cmd_parse(int argc, char **argv, const struct ingest_parsers *parsers)
{
    static const struct option options[] = {{"parser", required_argument, NULL, 'p'},
                                            {"summary", no_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct parse p = {.parsers = parsers, .parser = "auto"};
    optind = 0; /* from the start, whoever used it before */
    int opt;
    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (opt == 'p')
            p.parser = optarg;
        else if (opt == 's')
            p.summary = true;
        else
            return EX_USAGE;
    }
    int rc = check_parser(&p);
    if (rc != EX_OK)
        return rc;
    ingest_host_set_metric_id(own_metric_id, &p);
    if (optind == argc)
        rc = parse_file(&p, "-");
    for (int i = optind; i < argc; i++) {
        int file_rc = parse_file(&p, argv[i]);
        rc = file_rc ? file_rc : rc;
    }
    ingest_host_set_metric_id(NULL, NULL);
    for (size_t i = 0; i < OWN_METRICS_MAX; i++)
        free(p.own_metrics[i]);
    if (fflush(stdout) != 0 || p.out_failed) {
        fprintf(stderr, "shepherd parse: cannot write: %s\n", strerror(errno));
        return EX_IOERR;
    }
    return rc;
}
