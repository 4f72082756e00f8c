/* What is not known for sure about a board is asked, never guessed; and what a person answered is
 * not asked again. Thread: loop.
 *
 * "It is the miner that it is taken for" changes nothing that is known of a board, so it is kept
 * here: for each key and kind of doubt the last answer, with whose the board was, who it might have
 * been, and what made it doubtful. A question that differs in one of these is a new one. Any other
 * answer makes the board somebody's (adopt.c), and that is remembered as such. */
#include "plugin/internal.h"

#include "util/clock.h"
#include "util/log.h"

/* A board that is plugged in again and again, each time as another kind, asks the same each time:
 * one event a day tells of it, until somebody answers. Events are kept; the question itself is
 * shown in any case. */
enum { TOLD_AGAIN_MS = 24 * 3600 * 1000 };

/* No plugin can have this name. */
static const char store_name[] = "core/answers";

/* They stand in the database: never rename one. */
static const char *const names[] = {[ID_NO_DOUBT] = "",
                                    [ID_OTHER_KIND] = "other_kind",
                                    [ID_MOVED] = "moved",
                                    [ID_OTHER_MAC] = "other_mac",
                                    [ID_SAME_MAC] = "same_mac",
                                    [ID_OTHER_WORKER] = "other_worker",
                                    [ID_OTHER_BOARD] = "other_board",
                                    [ID_PUSHED_OUT] = "pushed_out"};

/* ---- answers ---- */

static char *question_dup(const struct found *found, int64_t maybe_id, const char *reason)
{
    int64_t owner_id = found->owner ? miner_id(found->owner->miner) : 0;
    char *plain = id_clean_dup(reason ? reason : "", SHEP_TEXT_MAX);
    char *question = shep_asprintf("%lld %lld %s", (long long)owner_id, (long long)maybe_id, plain);
    free(plain);
    return question;
}

static bool is_answered(const struct found *found, enum id_doubt doubt, const char *question)
{
    const json_t *answers = json_object_get(found->finder->plugins->answers, found->key);
    return str_eq(json_string_value(json_object_get(answers, names[doubt])), question);
}

void doubt_answer(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    if (!found->doubt)
        return;
    if (!plugins->answers)
        plugins->answers = json_object();
    json_t *answers = json_object_get(plugins->answers, found->key);
    if (!answers) {
        answers = json_object();
        json_object_set_new(plugins->answers, found->key, answers);
    }
    json_object_set_new(answers, names[found->doubt], json_string(found->question));
    char *text = json_dumps(answers, JSON_COMPACT);
    store_kv_put(plugins->env.store, store_name, found->key, text);
    free(text);
    doubt_clear(found);
}

void answers_forget(struct plugins *plugins, const char *key)
{
    if (json_object_del(plugins->answers, key) == 0)
        store_kv_put(plugins->env.store, store_name, key, NULL);
}

static void restore_answers(const char *key, const char *value, void *arg)
{
    struct plugins *plugins = arg;
    json_t *answers = known_find(plugins, key) ? json_loads(value, 0, NULL) : NULL;
    if (json_is_object(answers))
        json_object_set(plugins->answers, key, answers);
    json_decref(answers);
}

void answers_restore(struct plugins *plugins)
{
    plugins->answers = json_object();
    if (store_kv_each(plugins->env.store, store_name, restore_answers, plugins) != 0)
        log_warn("plugins", "what was answered about boards cannot be read; it is asked again");
}

/* ---- who was told ---- */

static const char *place_of(const struct found *found)
{
    return found->facts.place[0] ? found->facts.place : found->path;
}

static void told_drop(struct plugins *plugins, size_t i)
{
    plugins->told[i] = plugins->told[--plugins->n_told];
}

void doubt_heard(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    struct told here = {0};
    str_copy(here.place, sizeof here.place, place_of(found), strlen(place_of(found)));
    for (size_t i = plugins->n_told; i-- > 0;)
        if (str_eq(plugins->told[i].place, here.place))
            told_drop(plugins, i);
}

/* false: it was told today, or too much was. */
static bool tell(struct found *found)
{
    struct plugins *plugins = found->finder->plugins;
    struct told news = {
        .doubt = found->doubt, .maybe_id = found->maybe_id, .at_ms = clock_mono_ms()};
    str_copy(news.place, sizeof news.place, place_of(found), strlen(place_of(found)));
    for (size_t i = plugins->n_told; i-- > 0;) {
        const struct told *old = &plugins->told[i];
        if (news.at_ms - old->at_ms >= TOLD_AGAIN_MS)
            told_drop(plugins, i);
        else if (old->doubt == news.doubt && old->maybe_id == news.maybe_id &&
                 str_eq(old->place, news.place))
            return false;
    }
    if (plugins->n_told == TOLD_MAX)
        return false;
    plugins->told[plugins->n_told++] = news;
    return true;
}

/* ---- doubts ---- */

void doubt_clear(struct found *found)
{
    if (!found->doubt)
        return;
    found->doubt = ID_NO_DOUBT;
    found->maybe_id = 0;
    free(found->doubt_text);
    free(found->question);
    found->doubt_text = found->question = NULL;
    topic_touch(found->finder->plugins->env.topics, TOPIC_CONFIG);
}

void doubt_set(struct found *found, enum id_doubt doubt, const struct member *maybe,
               const char *reason, const char *fmt, ...)
{
    struct plugins *plugins = found->finder->plugins;
    int64_t maybe_id = maybe ? miner_id(maybe->miner) : 0;
    if (found->doubt == doubt && found->maybe_id == maybe_id)
        return; /* asked already; a board that says ever other things asks once */
    char *question = question_dup(found, maybe_id, reason), text[512];
    if (is_answered(found, doubt, question)) {
        free(question);
        return;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    doubt_clear(found);
    found->doubt = doubt;
    found->maybe_id = maybe_id;
    found->question = question;
    found->doubt_text = id_clean_dup(text, sizeof text);
    if (tell(found)) {
        char *line = shep_asprintf("%s: %s", found->path, found->doubt_text);
        log_warn("plugins", "which board is this? %s", line);
        found_event(plugins, SHEP_EV_DOUBT, maybe, line);
        free(line);
    }
    topic_touch(plugins->env.topics, TOPIC_CONFIG);
}

void doubt_resolve(struct plugins *plugins, const struct member *member)
{
    for (size_t i = 0; i < plugins->n_found; i++) {
        struct found *found = plugins->found[i];
        if (found->maybe_id == miner_id(member->miner) && found->doubt != ID_SAME_MAC &&
            found->doubt != ID_OTHER_WORKER && found->doubt != ID_OTHER_BOARD &&
            found->owner != member)
            doubt_clear(found);
    }
}
