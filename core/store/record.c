/* Records: how values travel from the loop to the writer. Packed into one growing buffer, so that a
 * line costs a copy and no allocation. Pure; any thread. */
#include "store/internal.h"

#include <math.h>

void rec_begin(struct rec_writer *rec, struct buf *buf, enum rec_type type)
{
    *rec = (struct rec_writer){.buf = buf, .head_at = buf->len};
    rec->head.type = (uint16_t)type;
    buf_add(buf, &rec->head, sizeof rec->head);
}

static void put(struct rec_writer *rec, char kind, const void *bytes, size_t len)
{
    buf_add(rec->buf, &kind, 1);
    buf_add(rec->buf, bytes, len);
    rec->head.n_params++;
}

void rec_i64(struct rec_writer *rec, int64_t value)
{
    put(rec, PARAM_INT, &value, sizeof value);
}

void rec_id(struct rec_writer *rec, int64_t id)
{
    if (id)
        rec_i64(rec, id);
    else
        put(rec, PARAM_NULL, NULL, 0);
}

void rec_f64(struct rec_writer *rec, double value)
{
    if (isfinite(value))
        put(rec, PARAM_REAL, &value, sizeof value);
    else
        put(rec, PARAM_NULL, NULL, 0);
}

void rec_text_n(struct rec_writer *rec, const char *text, size_t len)
{
    if (!text) {
        put(rec, PARAM_NULL, NULL, 0);
        return;
    }
    uint32_t n = (uint32_t)len;
    put(rec, PARAM_TEXT, &n, sizeof n);
    buf_add(rec->buf, text, len);
}

void rec_text(struct rec_writer *rec, const char *text)
{
    rec_text_n(rec, text, text ? strlen(text) : 0);
}

void rec_param(struct rec_writer *rec, const struct rec_param *param)
{
    if (param->kind == PARAM_INT)
        rec_i64(rec, param->i);
    else if (param->kind == PARAM_REAL)
        rec_f64(rec, param->r);
    else
        rec_text_n(rec, param->kind == PARAM_TEXT ? param->text : NULL, param->len);
}

void rec_end(struct rec_writer *rec)
{
    rec->head.len = (uint32_t)(rec->buf->len - rec->head_at - sizeof rec->head);
    memcpy(rec->buf->data + rec->head_at, &rec->head, sizeof rec->head);
}

struct rec_param rec_param_next(const char **at)
{
    struct rec_param param = {.kind = *(*at)++};
    switch (param.kind) {
    case PARAM_INT:
        memcpy(&param.i, *at, sizeof param.i);
        *at += sizeof param.i;
        break;
    case PARAM_REAL:
        memcpy(&param.r, *at, sizeof param.r);
        *at += sizeof param.r;
        break;
    case PARAM_TEXT:
        memcpy(&param.len, *at, sizeof param.len);
        *at += sizeof param.len;
        param.text = *at;
        *at += param.len;
        break;
    case PARAM_NULL:
        break;
    }
    return param;
}
