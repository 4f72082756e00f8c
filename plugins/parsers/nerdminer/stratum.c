/* What NerdMiner prints of its talk with the pool: every JSON message both ways (NM2 stratum.cpp:
 * 64-91, 128-144, 223, 253) and the lines around them. Which way a message went shows in its
 * method, so the "Sending  :" before it, which gets lost, is not needed. Accepted and refused
 * shares are counted by pairing the id of a submit with the reply that carries it. */
#include "json.h"
#include "nerdminer.h"
#include "number.h"

enum { REASON_MAX = 120 }; /* bytes of a pool's reason that are worth showing */

struct message {
    struct span id, method, params, result, error; /* raw values; empty: not there */
};

static bool present(struct span value)
{
    return value.at != value.end && !span_is(value, "null");
}

void nm_forget_submits(struct nm *nm)
{
    memset(nm->pending, 0, sizeof(nm->pending));
    nm->subscribe_id = 0;
    nm->authorize_id = 0;
}

static struct nm_submit *find_submit(struct nm *nm, uint64_t id)
{
    for (size_t i = 0; i < NM_PENDING; i++) {
        if (id != 0 && nm->pending[i].id == id) {
            return &nm->pending[i];
        }
    }
    return NULL;
}

static void count_shares(struct nm *nm)
{
    nm_metric(nm, SHEP_M_SHARES_ACCEPTED, nm->accepted);
    nm_metric(nm, SHEP_M_SHARES_REJECTED, nm->rejected);
}

static void share_accepted(struct nm *nm, struct nm_submit *submit)
{
    nm->accepted++;
    nm_event(nm, SHEP_EV_SHARE_ACCEPTED, submit->difficulty, NULL, 0);
    submit->id = 0;
    count_shares(nm);
}

static void share_refused(struct nm *nm, struct nm_submit *submit, struct span reason)
{
    nm->rejected++;
    nm_event(nm, SHEP_EV_SHARE_REJECTED, submit->difficulty, reason.at, span_len(reason));
    submit->id = 0;
    count_shares(nm);
}

/* ---- what the miner sends ---- */

/* "NerdMinerV2/V1.8.3", "HAN_SOLOminer/V1.6.3", "NerdMinerV2" (1.4 to 1.6.3); until 1.3 a wallet
 * stood there. The only place that tells the version.   NM2 stratum.cpp:60,62 */
static void read_agent(struct nm *nm, struct span agent)
{
    struct span version = agent;
    struct span name = span_until(&version, '/');

    if (span_is(name, "HAN_SOLOminer")) {
        nm->fork = "HAN_SOLOminer";
        nm_words(nm, SHEP_A_FIRMWARE, nm->fork);
    } else if (!span_is(name, "NerdMinerV2")) {
        nm_say_firmware(nm);
        return;
    }
    nm_say_firmware(nm);
    if (span_lit(&version, "/")) {
        (void)(span_lit(&version, "V") || span_lit(&version, "v"));
        if (version.at < version.end) {
            nm_text(nm, SHEP_A_VERSION, version.at, span_len(version));
        }
    }
}

static void read_subscribe(struct nm *nm, struct span text, uint64_t id)
{
    nm_forget_submits(nm); /* ids start again at 1 (NM2 stratum.cpp:58) */
    nm->subscribe_id = id;
    read_agent(nm, text);
    nm_set_state(nm, NM_STATE_CONNECTING);
}

static void read_authorize(struct nm *nm, struct span user, uint64_t id)
{
    nm->authorize_id = id;
    nm_say_user(nm, user);
}

/* A submit names the user only when we joined too late for anything better: a fork that authorizes
 * four workers would otherwise change its name with every share (captures panic-03). */
static void read_submit(struct nm *nm, struct span user, uint64_t id)
{
    if (!nm->attrs[SHEP_A_WALLET - SHEP_ATTR_FIRST].said) {
        nm_say_user(nm, user);
    }
    nm->last_pending = nm->next_pending;
    nm->pending[nm->next_pending] = (struct nm_submit){.id = id};
    nm->next_pending = (nm->next_pending + 1) % NM_PENDING;
    nm_event(nm, SHEP_EV_SHARE_SUBMITTED, 0, NULL, 0);
}

/* ---- what the pool sends ---- */

static void read_set_difficulty(struct nm *nm, struct span value)
{
    double difficulty;

    if (number_take(&value, &difficulty)) {
        nm->have_difficulty = true;
        nm->difficulty = difficulty;
        nm_metric(nm, SHEP_M_POOL_DIFFICULTY, difficulty);
    }
    nm_pool_up(nm);
}

static void read_notify(struct nm *nm, struct span job)
{
    nm_pool_up(nm);
    job = span_clip(job, REASON_MAX);
    nm_event(nm, SHEP_EV_JOB, 0, job.at, span_len(job));
}

/* Why the pool said no: [21,"Job not found",null], {"code":22,"message":"duplicate share"} or a
 * text. Miningcore's object crashes V1.8.3 right after (firmware.md 1.4). */
static struct span refusal(struct span error, char *buf, size_t size)
{
    struct span none = span_of("refused");
    struct span in = json_inside(error);
    struct span key;
    struct span value;
    struct span text;

    if (!present(error)) {
        return none;
    }
    if (*error.at == '{') {
        while (json_next_member(&in, &key, &value)) {
            if (span_is(key, "message") && json_string(value, buf, size, &text)) {
                return span_clip(text, REASON_MAX);
            }
        }
    } else if (*error.at == '[') {
        while (json_next_element(&in, &value)) {
            if (json_string(value, buf, size, &text)) {
                return span_clip(text, REASON_MAX);
            }
        }
    } else if (json_string(error, buf, size, &text)) {
        return span_clip(text, REASON_MAX);
    }
    return none;
}

static void read_reply(struct nm *nm, const struct message *m, uint64_t id)
{
    char buf[SHEP_TEXT_MAX];
    struct nm_submit *submit = find_submit(nm, id);
    bool empty = span_is(m->error, "[]") || span_is(m->error, "{}") || span_is(m->error, "\"\"");
    bool refused = (present(m->error) && !empty) || span_is(m->result, "false");

    if (submit != NULL) {
        nm_pool_up(nm);
        if (refused) {
            share_refused(nm, submit, refusal(m->error, buf, sizeof(buf)));
        } else {
            share_accepted(nm, submit);
        }
    } else if (id != 0 && id == nm->authorize_id) {
        nm->authorize_id = 0;
        if (refused) {
            struct span why = refusal(m->error, buf, sizeof(buf));

            nm_set_state(nm, NM_STATE_NO_POOL);
            nm_set_trouble(nm, NM_TROUBLE_POOL, "the pool refused the wallet or worker: %.*s",
                           (int)span_len(why), why.at);
        } else {
            nm_pool_up(nm);
        }
    } else if (id != 0 && id == nm->subscribe_id) {
        nm->subscribe_id = 0;
        if (refused) {
            struct span why = refusal(m->error, buf, sizeof(buf));

            nm_pool_down(nm, true, "the pool refused the connection: %.*s", (int)span_len(why),
                         why.at);
        } else {
            nm_pool_up(nm);
        }
    }
}

/* ---- messages ---- */

static void collect(struct message *m, struct span key, struct span value)
{
    if (span_is(key, "id")) {
        m->id = value;
    } else if (span_is(key, "method")) {
        m->method = value;
    } else if (span_is(key, "params")) {
        m->params = value;
    } else if (span_is(key, "result")) {
        m->result = value;
    } else if (span_is(key, "error")) {
        m->error = value;
    }
}

static bool read_method(struct nm *nm, const struct message *m, uint64_t id)
{
    char buf[SHEP_TEXT_MAX];
    struct span in = json_inside(m->params);
    struct span first = span_of("");
    struct span text = span_of("");

    if (m->params.at != m->params.end && *m->params.at == '[') {
        (void)json_next_element(&in, &first);
    }
    (void)json_string(first, buf, sizeof(buf), &text);
    if (span_is(m->method, "\"mining.notify\"")) {
        read_notify(nm, text);
    } else if (span_is(m->method, "\"mining.submit\"")) {
        read_submit(nm, text, id);
    } else if (span_is(m->method, "\"mining.set_difficulty\"")) {
        read_set_difficulty(nm, first);
    } else if (span_is(m->method, "\"mining.subscribe\"")) {
        read_subscribe(nm, text, id);
    } else if (span_is(m->method, "\"mining.authorize\"")) {
        read_authorize(nm, text, id);
    } else {
        return m->method.at != m->method.end; /* suggest_difficulty, client.show_message … */
    }
    return true;
}

static uint64_t message_id(const struct message *m)
{
    struct span t = m->id;
    uint64_t id = 0;

    return number_take_uint(&t, &id) ? id : 0;
}

/* A message that is cut: the method and the first parameter may still be there. */
static enum nm_read read_cut_message(struct nm *nm, struct span text)
{
    struct message m = {0};
    struct span in = json_inside(text);
    struct span key = {0};
    struct span value = {0};

    while (json_next_member(&in, &key, &value)) {
        collect(&m, key, value);
    }
    if (m.method.at != m.method.end && span_is(key, "params") && span_lit(&in, "[")) {
        m.params.at = in.at - 1;
        m.params.end = in.end;
    }
    if (m.method.at == m.method.end || m.params.at == m.params.end) {
        return NM_NO;
    }
    return read_method(nm, &m, message_id(&m)) ? NM_KNOWN : NM_NO;
}

/* Any `{"` in a line. */
enum nm_read nm_read_json(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct span text = {hit->marker, rest->end};
    struct span object;
    struct span key;
    struct span value;
    struct message m = {0};

    if (nm->cut_messages == NM_CUT_MESSAGES) {
        return NM_NO;
    }
    if (!json_take_value(&text, &object)) {
        nm->cut_messages++;
        return read_cut_message(nm, text);
    }
    *rest = text;
    for (struct span in = json_inside(object); json_next_member(&in, &key, &value);) {
        collect(&m, key, value);
    }
    uint64_t id = message_id(&m);
    if (read_method(nm, &m, id)) {
        return NM_KNOWN;
    }
    if (m.id.at == m.id.end || (m.result.at == m.result.end && m.error.at == m.error.end)) {
        return NM_SKIP; /* some other JSON: a price, a web answer */
    }
    read_reply(nm, &m, id);
    return NM_KNOWN;
}

/* "   - Current diff share: 0.001575298610", right behind its submit.   NM2 mining.cpp:559 */
enum nm_read nm_read_share_difficulty(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    struct nm_submit *submit = &nm->pending[nm->last_pending];
    double difficulty;

    if (number_take(rest, &difficulty) && submit->id != 0 && submit->difficulty == 0) {
        submit->difficulty = difficulty;
    }
    return NM_KNOWN;
}

/* "    difficulty: 0.000150000000", rounded to 12 places; the message before it had them all,
 * unless it was lost.   NM2 stratum.cpp:240 */
enum nm_read nm_read_difficulty(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    double difficulty;

    if (!number_take(rest, &difficulty) || !span_at_break(rest)) {
        return NM_NO;
    }
    double off = difficulty - nm->difficulty;
    if (!nm->have_difficulty || off > 1e-11 || off < -1e-11) {
        nm->have_difficulty = true;
        nm->difficulty = difficulty;
        nm_metric(nm, SHEP_M_POOL_DIFFICULTY, difficulty);
    }
    return NM_KNOWN;
}

/* "Refuse submition 12": counts only if the reply itself was lost.   NM2 mining.cpp:460 */
enum nm_read nm_read_refused(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    uint64_t id;
    struct nm_submit *submit;

    if (!number_take_uint(rest, &id)) {
        return NM_NO;
    }
    submit = find_submit(nm, id);
    if (submit != NULL) {
        share_refused(nm, submit, span_of("refused"));
    }
    return NM_KNOWN;
}

/* "CONGRATULATIONS! Valid block found"   NM2 mining.cpp:448; "Valid completed with nonce" 1.2-1.5
 */
enum nm_read nm_read_block(struct nm *nm, struct span *rest, const struct nm_hit *hit)
{
    nm->block_told = true;
    nm_event(nm, SHEP_EV_BLOCK_FOUND, nm->pending[nm->last_pending].difficulty, NULL, 0);
    return NM_KNOWN;
}
