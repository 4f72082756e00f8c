/* Texts of a form become a miner's entry, as it would stand in the configuration file. Words for
 * people that no source knows (notes, chipset …) stand in its object "about". Options of the source
 * come as texts: one that should be a number or a yes becomes one when the source's table says so.
 */
#include "flock/internal.h"

static const char *const about_words[] = {"chipset", "version", "currency", "mac", "rom"};

/* ---- words ---- */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void set_word(json_t *object, const char *name, const char *word)
{
    if (word)
        json_object_set_new(object, name, text_json(word));
    else
        json_object_del(object, name);
}

static int take_word(json_t *object, const char *name, const json_t *fields, size_t max_bytes,
                     char why[FLOCK_WHY_MAX])
{
    char *word;
    if (!json_object_get(fields, name))
        return 0;
    int rc = word_dup(fields, name, max_bytes, &word, why);
    if (rc == 0)
        set_word(object, name, word);
    free(word);
    return rc;
}

/* Several lines; other control bytes are no notes. */
static int take_notes(json_t *about, const json_t *fields, char why[FLOCK_WHY_MAX])
{
    const char *notes = field(fields, "notes");
    if (!notes)
        return 0;
    if (strlen(notes) > NOTES_MAX)
        return refuse(SHEP_E_CONFIG, why, "notes: at most %d bytes", NOTES_MAX);
    for (const char *p = notes; *p; p++)
        if (((unsigned char)*p < ' ' && !strchr("\r\n\t", *p)) || *p == 0x7f)
            return refuse(SHEP_E_CONFIG, why, "notes: no control characters");
    set_word(about, "notes", notes[0] ? notes : NULL);
    return 0;
}

/* "a, b": a list without blanks around its words. */
static json_t *tags_from_text(const char *text)
{
    json_t *tags = json_array();
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *from = text, *end = text + len;
        while (from < end && *from == ' ')
            from++;
        while (end > from && end[-1] == ' ')
            end--;
        if (end > from)
            json_array_append_new(tags, json_stringn(from, (size_t)(end - from)));
        text += len + (text[len] == ',');
    }
    return tags;
}

static void take_tags(json_t *entry, const json_t *fields)
{
    const json_t *tags = json_object_get(fields, "tags");
    if (!tags)
        return;
    json_t *list =
        json_is_string(tags) ? tags_from_text(json_string_value(tags)) : json_deep_copy(tags);
    if (json_is_array(list) && json_array_size(list) == 0)
        json_object_del(entry, "tags");
    else
        json_object_set(entry, "tags", list);
    json_decref(list);
}

static int take_words(json_t *entry, json_t *about, const json_t *fields, char why[FLOCK_WHY_MAX])
{
    char *name;
    int rc = word_dup(fields, "name", ENTRY_NAME_MAX, &name, why);
    if (rc)
        return rc;
    if (json_object_get(fields, "name"))
        set_word(entry, "id", name);
    free(name);
    rc = take_word(entry, "location", fields, WORD_MAX, why);
    if (!rc)
        rc = take_word(entry, "group", fields, WORD_MAX, why);
    for (size_t i = 0; !rc && i < ARRAY_LEN(about_words); i++)
        rc = take_word(about, about_words[i], fields, WORD_MAX, why);
    if (!rc)
        rc = take_notes(about, fields, why);
    take_tags(entry, fields);
    return rc;
}

/* ---- options ---- */

static bool is_word(const char *key)
{
    static const char *const words[] = {"name",  "location", "group", "tags",
                                        "notes", "about",    "id"};
    return is_one_of(key, words, ARRAY_LEN(words)) ||
           is_one_of(key, about_words, ARRAY_LEN(about_words));
}

static void take_options(json_t *entry, const json_t *fields)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)fields, key, value)
    {
        if (is_word(key))
            continue;
        if (json_is_string(value) && json_string_length(value) == 0)
            json_object_del(entry, key);
        else
            json_object_set(entry, key, value);
    }
}

/* "115200" as the source's table wants it; NULL: it is a text and nothing else. */
static json_t *converted(const char *text)
{
    int64_t whole;
    double number;
    if (str_to_i64(text, &whole))
        return json_integer((json_int_t)whole);
    if (str_to_f64(text, &number))
        return json_real(number);
    if (strcmp(text, "true") == 0 || strcmp(text, "on") == 0 || strcmp(text, "yes") == 0)
        return json_true();
    if (strcmp(text, "false") == 0 || strcmp(text, "off") == 0 || strcmp(text, "no") == 0)
        return json_false();
    return NULL;
}

struct mistakes {
    json_t *entry;
    json_t *where; /* keys that something is wrong with */
    char *first;   /* the first, in words */
};

static const char *key_of(const char *where)
{
    const char *dot = strchr(where, '.');
    return dot ? dot + 1 : where;
}

static void on_mistake(const char *where, const char *what, void *arg)
{
    struct mistakes *mistakes = arg;
    const char *key = key_of(where);
    if (json_is_string(json_object_get(mistakes->entry, key)))
        json_object_set_new(mistakes->where, key, json_true());
    if (!mistakes->first)
        mistakes->first = shep_asprintf("%s: %s", strcmp(key, "id") == 0 ? "name" : key, what);
}

/* What a person reads; NULL: nothing is wrong. Owned. */
static char *mistake_dup(const struct flock *flock, json_t *entry, json_t *where)
{
    json_t *plain = json_copy(entry);
    json_object_del(plain, "about"); /* ours, not the source's */
    struct mistakes mistakes = {.entry = entry, .where = where};
    entry_check("miner", plain, on_mistake, &mistakes);
    plugins_check_miner(flock->plugins, "miner", plain, on_mistake, &mistakes);
    json_decref(plain);
    return mistakes.first;
}

static char *check_dup(const struct flock *flock, json_t *entry)
{
    json_t *where = json_object(), *flag;
    const char *key;
    char *first = mistake_dup(flock, entry, where);
    bool again = false;
    json_object_foreach(where, key, flag)
    {
        json_t *value = is_word(key) ? NULL : converted(field(entry, key));
        again = again || value;
        if (value)
            json_object_set_new(entry, key, value);
    }
    if (again) {
        free(first);
        first = mistake_dup(flock, entry, where);
    }
    json_decref(where);
    return first;
}

int entry_from_fields(const struct flock *flock, const json_t *base, const json_t *fields,
                      json_t **out, char why[FLOCK_WHY_MAX])
{
    json_t *entry = base ? json_deep_copy(base) : json_object();
    json_t *about = json_object_get(entry, "about");
    about = about ? json_incref(about) : json_object();
    *out = NULL;
    int rc = take_words(entry, about, fields, why);
    take_options(entry, fields);
    if (json_object_size(about))
        json_object_set(entry, "about", about);
    else
        json_object_del(entry, "about");
    json_decref(about);
    if (!rc && !field(entry, "id"))
        rc = refuse(SHEP_E_CONFIG, why, "Miner ID cannot be empty.");
    char *mistake = rc ? NULL : check_dup(flock, entry);
    if (mistake)
        rc = refuse(SHEP_E_CONFIG, why, "%s", mistake);
    free(mistake);
    if (rc)
        json_decref(entry);
    else
        *out = entry;
    return rc;
}

int entry_is_allowed(const struct flock *flock, const json_t *base, const json_t *entry,
                     bool by_admin, char why[FLOCK_WHY_MAX])
{
    const char *source = field(entry, "source"), *path = field(entry, "path");
    if (base && str_eq(source, field(base, "source")) && str_eq(path, field(base, "path")))
        return 0;
    int who = plugins_may_add(flock->plugins, source, path);
    if (who == SHEP_ADD_OPERATOR || (who == SHEP_ADD_ADMIN && by_admin))
        return 0;
    if (who == SHEP_ADD_ADMIN)
        return refuse(FLOCK_DENIED, why,
                      "path: '%.128s' is no plain serial port like /dev/ttyUSB0; an admin has to "
                      "set it, logged in as one, or in the configuration file",
                      path ? path : "");
    return refuse(SHEP_E_CONFIG, why,
                  "source: miners of '%.32s' come from the configuration file only; add it there",
                  source ? source : "");
}
