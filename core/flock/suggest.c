/* A name for a stranger, from what its log says: the worker name that its owner gave it, else its
 * board or firmware and the port. Valid and not taken by anybody. */
#include "flock/internal.h"

enum { TRIES_MAX = 100 };

/* Bytes that a name may not have become one "-"; none at the ends. */
static void add_part(struct buf *out, const char *text)
{
    bool gap = out->len > 0;
    for (const char *p = text ? text : ""; *p && out->len < ENTRY_NAME_MAX - 4; p++) {
        char c[2] = {*p, 0};
        if (!entry_name_is_valid(c) || *p == '-') {
            gap = out->len > 0;
            continue;
        }
        if (gap)
            buf_add(out, "-", 1);
        gap = false;
        buf_add(out, p, 1);
    }
}

static bool is_free(const struct flock *flock, const struct miner *stranger, const char *name,
                    const json_t *taken)
{
    const struct miner *other = herd_miner_by_name(flock->herd, name);
    return (!other || other == stranger) && !json_object_get(taken, name);
}

char *suggested_name_dup(const struct flock *flock, const struct miner *stranger,
                         const char *port_path, const json_t *taken)
{
    struct buf name = {0};
    const char *worker = stranger ? miner_text(stranger, SHEP_A_WORKER, NULL) : NULL;
    add_part(&name, worker);
    bool by_worker = name.len > 0;
    if (!by_worker && stranger) {
        const char *board = miner_text(stranger, SHEP_A_BOARD, NULL);
        add_part(&name, board && board[0] ? board : miner_text(stranger, SHEP_A_FIRMWARE, NULL));
    }
    if (name.len == 0)
        add_part(&name, "miner");
    if (!by_worker)
        add_part(&name, port_path);
    if (is_free(flock, stranger, name.data, taken))
        return buf_take(&name);
    for (int i = 2; i < TRIES_MAX; i++) {
        char *numbered = shep_asprintf("%s-%d", name.data, i);
        if (is_free(flock, stranger, numbered, taken)) {
            buf_free(&name);
            return numbered;
        }
        free(numbered);
    }
    return buf_take(&name); /* a person finds another one */
}
