/* The table `display` of the configuration: how screens show things. The settings are those of
 * lua/display.lua, which has their defaults and says what each does; here they are checked. */
#include "cli/config.h"

#include <sys/stat.h>

enum { VIEWS_MAX = 64, VIEW_TEXT_MAX = 128, WHERE_MAX = 64, DAY_S = 86400 };
#define ZONE_DIR "/usr/share/zoneinfo"

static const char *const themes[] = {"auto", "dark", "light", "contrast"};
static const char *const dates[] = {"full", "long", "medium", "short", "iso"};
static const char *const interruptions[] = {"offline", "best_share", "block_found"};

#define LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS    "0123456789"
#define ZONE_SET  LETTERS DIGITS "/_+-"
#define VIEW_SET  LETTERS DIGITS "/_-."
#define HOURS_FMT "hours as in \"22-6\" or \"22:30-6:15\""

/* ---- times of day: "22", "6:15" ---- */

/* The end of the time, or NULL: there is none. *minute_out: of the day. */
static const char *time_parse(const char *text, int *minute_out)
{
    size_t n = strspn(text, DIGITS);
    if (n < 1 || n > 2)
        return NULL;
    int hour = atoi(text), minute = 0;
    text += n;
    if (*text == ':') {
        if (strspn(text + 1, DIGITS) != 2)
            return NULL;
        minute = atoi(text + 1);
        text += 3;
    }
    *minute_out = hour * 60 + minute;
    return minute < 60 && *minute_out <= 24 * 60 ? text : NULL;
}

static bool hours_are_valid(const char *text)
{
    int from, to;
    text = time_parse(text, &from);
    text = text && *text == '-' ? time_parse(text + 1, &to) : NULL;
    return text && *text == '\0' && from != to;
}

/* ---- what a setting may be ---- */

static const char *text_of(struct checker *checker, const char *where, const json_t *value)
{
    if (!json_is_string(value))
        config_mistake(where, "must be a text", checker);
    return json_string_value(value);
}

static void check_locale(struct checker *checker, const char *where, const json_t *value)
{
    const char *text = text_of(checker, where, value);
    if (text && strcmp(text, "auto") != 0 &&
        (strlen(text) != 2 || strspn(text, "abcdefghijklmnopqrstuvwxyz") != 2))
        config_mistake(where, "must be \"auto\" or two small letters, as in \"de\"", checker);
}

static void check_timezone(struct checker *checker, const char *where, const json_t *value)
{
    const char *text = text_of(checker, where, value);
    struct stat st;
    if (!text || !*text)
        return; /* "": that of the screen */
    if (strlen(text) > 64 || text[strspn(text, ZONE_SET)] || *text == '/') {
        config_mistake(where, "is no name of a time zone; write it as in \"Europe/Vienna\"",
                       checker);
        return;
    }
    if (stat(ZONE_DIR, &st) != 0)
        return; /* nobody to ask */
    char *file = path_join_dup(ZONE_DIR, text);
    if (stat(file, &st) != 0 || !S_ISREG(st.st_mode))
        config_mistakef(checker, where,
                        "there is no time zone '%.64s'; 'timedatectl list-timezones' names them",
                        text);
    free(file);
}

static void check_theme(struct checker *checker, const char *where, const json_t *value)
{
    const char *text = text_of(checker, where, value);
    if (text)
        config_name_check(checker, where, "theme; there are auto, dark, light and contrast", text,
                          themes, ARRAY_LEN(themes));
}

static void check_date(struct checker *checker, const char *where, const json_t *value)
{
    const char *text = text_of(checker, where, value);
    if (text)
        config_name_check(checker, where,
                          "form of a date; there are full, long, medium, short and iso", text,
                          dates, ARRAY_LEN(dates));
}

static void check_switch(struct checker *checker, const char *where, const json_t *value)
{
    if (!json_is_boolean(value))
        config_mistake(where, "must be true or false", checker);
}

static void check_dim(struct checker *checker, const char *where, const json_t *value)
{
    const char *text = text_of(checker, where, value);
    if (text && *text && strcmp(text, "sun") != 0 && !hours_are_valid(text))
        config_mistake(where, "must be \"sun\", \"\" (never) or " HOURS_FMT, checker);
}

/* name[:seconds][@from-to] */
static bool view_is_valid(const char *text)
{
    size_t name = strspn(text, VIEW_SET);
    if (name == 0 || strlen(text) > VIEW_TEXT_MAX)
        return false;
    text += name;
    if (*text == ':') {
        size_t n = strspn(++text, DIGITS);
        if (n < 1 || n > 5 || atoi(text) < 1 || atoi(text) > DAY_S)
            return false;
        text += n;
    }
    return *text == '\0' || (*text == '@' && hours_are_valid(text + 1));
}

/* false, and a mistake: no list of texts. It may be empty. */
static bool list_check(struct checker *checker, const char *where, const json_t *value)
{
    if (json_is_object(value) && json_object_size(value) == 0)
        return true; /* {} */
    size_t i;
    json_t *item;
    bool ok = json_is_array(value) && json_array_size(value) <= VIEWS_MAX;
    json_array_foreach((json_t *)value, i, item) ok = ok && json_is_string(item);
    if (!ok)
        config_mistakef(checker, where, "must be a list of at most %d texts: { \"…\", \"…\" }",
                        VIEWS_MAX);
    return ok;
}

static void check_views(struct checker *checker, const char *where, const json_t *value)
{
    if (!list_check(checker, where, value))
        return;
    if (json_array_size(value) == 0)
        config_mistake(where, "must name a view at least", checker);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item)
    {
        char place[WHERE_MAX];
        snprintf(place, sizeof place, "%s[%zu]", where, i + 1);
        if (!view_is_valid(json_string_value(item)))
            config_mistakef(checker, place,
                            "'%.60s' is no view; write name[:seconds][@from-to], as in "
                            "\"kiosk\", \"kiosk:30\" or \"matrix:30@18-23\"",
                            json_string_value(item));
    }
}

static void check_focus(struct checker *checker, const char *where, const json_t *value)
{
    if (!list_check(checker, where, value))
        return;
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item)
    {
        char place[WHERE_MAX];
        snprintf(place, sizeof place, "%s[%zu]", where, i + 1);
        config_name_check(checker, place,
                          "interruption; there are offline, best_share and block_found",
                          json_string_value(item), interruptions, ARRAY_LEN(interruptions));
    }
}

/* ---- all of them ---- */

static const struct setting {
    const char *name;
    void (*check)(struct checker *checker, const char *where, const json_t *value);
    double min, max; /* without check: a number */
    bool whole;
} settings[] = {
    {"locale", check_locale, 0, 0, false},     {"theme", check_theme, 0, 0, false},
    {"timezone", check_timezone, 0, 0, false}, {"hour12", check_switch, 0, 0, false},
    {"seconds", check_switch, 0, 0, false},    {"date", check_date, 0, 0, false},
    {"views", check_views, 0, 0, false},       {"dwell", NULL, 1, DAY_S, true},
    {"dim", check_dim, 0, 0, false},           {"dim_level", NULL, 0.05, 1, false},
    {"red", check_switch, 0, 0, false},        {"latitude", NULL, -90, 90, false},
    {"longitude", NULL, -180, 180, false},     {"shift", check_switch, 0, 0, false},
    {"focus", check_focus, 0, 0, false},       {"focus_s", NULL, 1, 3600, true},
};

static void check_number(struct checker *checker, const char *where, const json_t *value,
                         const struct setting *setting)
{
    double number = json_number_value(value);
    bool kind = setting->whole ? json_is_integer(value) : json_is_number(value);
    if (!kind || !(number >= setting->min && number <= setting->max))
        config_mistakef(checker, where, "must be a %s from %g to %g",
                        setting->whole ? "whole number" : "number", setting->min, setting->max);
}

static void check_setting(struct checker *checker, const char *name, const json_t *value)
{
    const char *names[ARRAY_LEN(settings)];
    const struct setting *found = NULL;
    char where[WHERE_MAX];
    snprintf(where, sizeof where, "display.%.40s", name);
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        names[i] = settings[i].name;
        if (strcmp(names[i], name) == 0)
            found = &settings[i];
    }
    if (!found)
        config_name_check(checker, where, "key", name, names, ARRAY_LEN(names));
    else if (found->check)
        found->check(checker, where, value);
    else
        check_number(checker, where, value, found);
}

void check_display(struct checker *checker, const json_t *display)
{
    if (!display || (json_is_array(display) && json_array_size(display) == 0))
        return;
    if (!json_is_object(display)) {
        config_mistake("display", "must be a table: { theme = \"dark\", dwell = 30 }", checker);
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)display, name, value) check_setting(checker, name, value);
    if (str_eq(json_string_value(json_object_get(display, "dim")), "sun") &&
        (!json_object_get(display, "latitude") || !json_object_get(display, "longitude")))
        config_mistake("display.dim", "\"sun\" needs latitude and longitude beside it", checker);
}
