/* The topics in the script process: the bytes of each are kept until its sequence moves, so a page
 * that reads what the one before read costs no copy of it. Within one render they stay the same. */
#include "script/worker/worker.h"

const char *data_topic(lua_State *L, enum topic topic, size_t *len)
{
    struct render *render = render_of(L);
    bool again = render->fetched & 1u << topic;
    render->topics |= 1u << topic;
    render->fetched |= 1u << topic;
    bool fresh = worker.topics[topic].known &&
                 (again || worker.topics[topic].seq == render->request->seqs[topic]);
    if (!fresh) {
        if (render->n_needs++ >= PROTO_NEEDS_MAX || !serve_ask(topic))
            luaL_error(L, "the daemon did not answer with its data");
        json_decref(worker.topics[topic].json);
        worker.topics[topic].json = NULL;
    }
    *len = worker.topics[topic].bytes.len;
    return worker.topics[topic].bytes.data;
}

const json_t *data_topic_json(lua_State *L, enum topic topic)
{
    size_t len;
    const char *bytes = data_topic(L, topic, &len);
    if (!worker.topics[topic].json && len)
        worker.topics[topic].json = json_loadb(bytes, len, JSON_ALLOW_NUL, NULL);
    return worker.topics[topic].json;
}
