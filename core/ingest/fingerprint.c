/* Which parser fits a stream: every line goes to every parser's probe(), the highest answer of each
 * counts. Lines are kept meanwhile, newest INGEST_REPLAY_MAX bytes of them, so that the parser
 * chosen sees what was heard before. Part of a stream, on its thread. */
#include "ingest/internal.h"

enum { CERTAIN = 100 };

void fingerprint_init(struct fingerprint *fp, const struct ingest_parsers *parsers)
{
    *fp = (struct fingerprint){.parsers = parsers};
    fp->best = shep_alloc_array(parsers->n, sizeof(*fp->best));
}

void fingerprint_free(struct fingerprint *fp)
{
    free(fp->best);
    buf_free(&fp->replay);
    *fp = (struct fingerprint){0};
}

int fingerprint_probe(const struct ingest_parser *parser, const char *text, size_t len)
{
    const struct shep_parser_ops *ops = parser->ops;
    int sure = ops->probe ? ops->probe(text, len) : 0;
    return sure < 0 ? 0 : sure > CERTAIN ? CERTAIN : sure;
}

static int best_of(const struct fingerprint *fp, int at_least)
{
    int best = -1;
    for (size_t i = 0; i < fp->parsers->n; i++) {
        if (fp->best[i] >= at_least && (best < 0 || fp->best[i] > fp->best[best]))
            best = (int)i;
    }
    return best;
}

static void drop_oldest(struct fingerprint *fp)
{
    struct replay_line line;
    memcpy(&line, fp->replay.data + fp->replay_from, sizeof(line));
    fp->replay_from += sizeof(line) + line.len;
    fp->replay_text -= line.len + 1;
    if (fp->replay_from < fp->replay.len / 2)
        return;
    fp->replay.len -= fp->replay_from;
    memmove(fp->replay.data, fp->replay.data + fp->replay_from, fp->replay.len);
    fp->replay_from = 0;
}

static void keep(struct fingerprint *fp, const struct replay_line *line, const char *text)
{
    buf_add(&fp->replay, line, sizeof(*line));
    buf_add(&fp->replay, text, line->len);
    fp->replay_text += line->len + 1;
    while (fp->replay_text > INGEST_REPLAY_MAX) {
        fp->was_full = true;
        drop_oldest(fp);
    }
}

int fingerprint_line(struct fingerprint *fp, const struct replay_line *line, const char *text)
{
    for (size_t i = 0; i < fp->parsers->n; i++) {
        if (fp->best[i] == FINGERPRINT_OUT)
            continue;
        int sure = fingerprint_probe(&fp->parsers->items[i], text, line->len);
        if (sure > fp->best[i])
            fp->best[i] = sure;
    }
    keep(fp, line, text);
    return best_of(fp, fp->was_full ? INGEST_PLAUSIBLE : INGEST_SURE);
}

int fingerprint_end(const struct fingerprint *fp)
{
    return best_of(fp, INGEST_PLAUSIBLE);
}

bool fingerprint_replay(const struct fingerprint *fp, size_t *at, struct replay_line *line,
                        const char **text)
{
    size_t from = fp->replay_from + *at;
    if (from >= fp->replay.len)
        return false;
    memcpy(line, fp->replay.data + from, sizeof(*line));
    *text = fp->replay.data + from + sizeof(*line);
    *at += sizeof(*line) + line->len;
    return true;
}
