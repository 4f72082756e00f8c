/* The questions of coin.h: which kind of address is it, is it the coin that was asked for, and the
 * words for people. */
#include "coin/internal.h"

#include <ctype.h>
#include <strings.h>

enum { UNKNOWN_MIN = 14 }; /* an address of any coin is longer */

/* ---- the verdict ---- */

static void say(struct coin_verdict *out, enum coin_result result, const char *fmt, va_list args)
{
    out->result = result;
    vsnprintf(out->why, sizeof out->why, fmt, args);
}

void task_wrong(struct task *task, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(task->out, COIN_WRONG, fmt, args);
    va_end(args);
}

void task_unknown(struct task *task, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(task->out, COIN_UNKNOWN, fmt, args);
    va_end(args);
}

void task_ok(struct task *task, const struct coin *coin, enum net net, const char *kind)
{
    task->out->result = COIN_OK;
    task->out->ticker = coin->ticker;
    task->out->network = net_name(net);
    task->out->kind = kind;
}

void task_mark(struct task *task, size_t at)
{
    if (task->out->n_at < ARRAY_LEN(task->out->at))
        task->out->at[task->out->n_at++] = task->shift + at;
}

const char *task_marked(const struct task *task, char *out, size_t cap)
{
    size_t n = task->out->n_at, used = 0;
    used += (size_t)snprintf(out, cap, n == 1 ? "character" : "characters");
    for (size_t i = 0; i < n && used < cap; i++)
        used += (size_t)snprintf(out + used, cap - used, "%s%zu",
                                 i == 0       ? " "
                                 : i == n - 1 ? " and "
                                              : ", ",
                                 task->out->at[i] + 1);
    return out;
}

bool task_wants(struct task *task, const struct coin *coin, const char *prefix, size_t prefix_len)
{
    if (!task->coin || task->coin == coin)
        return true;
    task->out->ticker = coin->ticker;
    task_wrong(task, "This is an address of %s (it begins with '%.*s'), not of %s.", coin->name,
               (int)prefix_len, prefix, task->coin->name);
    return false;
}

/* ---- which kind ---- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void trim(const char **text, size_t *len, size_t *shift)
{
    *shift = 0;
    while (*len && isspace((unsigned char)(*text)[*len - 1]))
        (*len)--;
    while (*len && isspace((unsigned char)**text)) {
        (*text)++;
        (*len)--;
        (*shift)++;
    }
}

/* Letters, digits and those of more; everything else is marked. */
static bool only(struct task *task, const char *more)
{
    char where[96];
    for (size_t i = 0; i < task->len; i++) {
        char c = task->text[i];
        if (!is_alnum(c) && (c == '\0' || !strchr(more, c)))
            task_mark(task, i);
    }
    if (task->out->n_at == 0)
        return true;
    bool worker = task->text[task->out->at[0] - task->shift] == '.';
    task_wrong(task, "Look at %s: an address has letters and digits only%s.",
               task_marked(task, where, sizeof where),
               worker ? "; what follows the dot is the name of the worker" : "");
    return false;
}

/* Of a coin that we do not know: it could be anything that looks like an address. */
static void check_shape(struct task *task, const char *ticker)
{
    if (!only(task, ":_.-"))
        return;
    if (task->len < UNKNOWN_MIN)
        task_wrong(task, "It has %zu characters; an address is longer.", task->len);
    else
        task_unknown(task,
                     "Addresses of %.16s cannot be checked here: compare it with your wallet.",
                     ticker);
}

static void check_known(struct task *task)
{
    if (!only(task, ":"))
        return;
    size_t hrp_len = bech32_shape(task->coin, task->text, task->len);
    if (memchr(task->text, ':', task->len))
        cash_check(task);
    else if (hrp_len)
        bech32_check(task, hrp_len);
    else if (cash_shape(task->text, task->len))
        cash_check(task);
    else
        base58_check(task);
}

void coin_address_check(const char *address, size_t len, const char *ticker,
                        struct coin_verdict *out)
{
    *out = (struct coin_verdict){0};
    struct task task = {.text = address, .len = len, .out = out};
    char name[17] = "";
    trim(&task.text, &task.len, &task.shift);
    if (ticker) {
        size_t n = strlen(ticker), ignored;
        trim(&ticker, &n, &ignored);
        str_copy(name, sizeof name, ticker, n);
    }
    if (name[0])
        task.coin = coin_by_ticker(name);
    if (task.len == 0)
        task_wrong(&task, "There is no address.");
    else if (task.len > COIN_ADDRESS_MAX)
        task_wrong(&task, "It has %zu characters; no address is that long.", task.len);
    else if (name[0] && !task.coin)
        check_shape(&task, name);
    else
        check_known(&task);
}

/* ---- the same, shortened ---- */

/* What is left when the ways of writing are taken away: does case count? */
static bool any_case(const char *text, size_t len)
{
    return !mixed_case(text, len) && (bech32_shape(NULL, text, len) || cash_shape(text, len));
}

static void skip_cash_prefix(const char **text, size_t *len)
{
    enum net net;
    const char *colon = memchr(*text, ':', *len);
    if (!colon || mixed_case(*text, *len) ||
        !coin_by_prefix(*text, (size_t)(colon - *text), true, &net))
        return;
    *len -= (size_t)(colon + 1 - *text);
    *text = colon + 1;
}

bool coin_address_same(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    size_t a_len = strlen(a), b_len = strlen(b), shift;
    trim(&a, &a_len, &shift);
    trim(&b, &b_len, &shift);
    skip_cash_prefix(&a, &a_len);
    skip_cash_prefix(&b, &b_len);
    if (a_len != b_len || a_len == 0)
        return false;
    if (memcmp(a, b, a_len) == 0)
        return true;
    return any_case(a, a_len) && any_case(b, b_len) && strncasecmp(a, b, a_len) == 0;
}

void coin_address_shorten(const char *address, size_t len, char *out, size_t cap)
{
    enum { HEAD = 7, TAIL = 4, SHOWN_MIN = 20 }; /* of a short one next to nothing */
    size_t head = len >= SHOWN_MIN ? HEAD : len / 4, tail = len >= SHOWN_MIN ? TAIL : 0;
    while (head && ((unsigned char)address[head] & 0xC0) == 0x80)
        head--; /* not the middle of a character */
    while (tail && ((unsigned char)address[len - tail] & 0xC0) == 0x80)
        tail--;
    snprintf(out, cap, "%.*s…%.*s", (int)head, address, (int)tail, address + len - tail);
}
