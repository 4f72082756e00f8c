/* JSON, see json.h. No recursion: nesting is only counted, so depth costs nothing. */
#include "json.h"

static bool take_string(struct span *s)
{
    for (const char *p = s->at + 1; p < s->end; p++) {
        if (*p == '\\') {
            if (++p == s->end) {
                break;
            }
        } else if (*p == '"') {
            s->at = p + 1;
            return true;
        }
    }
    return false;
}

static bool take_container(struct span *s)
{
    struct span t = *s;
    size_t depth = 0;

    while (t.at < t.end) {
        switch (*t.at) {
        case '"':
            if (!take_string(&t)) {
                return false;
            }
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0) {
                s->at = t.at + 1;
                return true;
            }
            break;
        default:
            break;
        }
        t.at++;
    }
    return false;
}

static bool take_word(struct span *s)
{
    const char *start = s->at;

    while (s->at < s->end && strchr(",]} \t", *s->at) == NULL) {
        s->at++;
    }
    return s->at > start;
}

bool json_take_value(struct span *s, struct span *value)
{
    struct span t = *s;
    bool ok;

    if (t.at == t.end) {
        return false;
    }
    if (*t.at == '"') {
        ok = take_string(&t);
    } else if (*t.at == '{' || *t.at == '[') {
        ok = take_container(&t);
    } else {
        ok = take_word(&t);
    }
    if (ok) {
        value->at = s->at;
        value->end = t.at;
        *s = t;
    }
    return ok;
}

struct span json_inside(struct span container)
{
    if (span_len(container) >= 1) {
        container.at++;
    }
    return container; /* the closing bracket ends the walk by being no value */
}

bool json_next_element(struct span *in, struct span *value)
{
    span_blanks(in);
    (void)span_lit(in, ",");
    span_blanks(in);
    return json_take_value(in, value);
}

bool json_next_member(struct span *in, struct span *key, struct span *value)
{
    if (!json_next_element(in, key) || *key->at != '"') {
        return false;
    }
    key->at++;
    key->end--;
    span_blanks(in);
    if (!span_lit(in, ":")) {
        return false;
    }
    span_blanks(in);
    return json_take_value(in, value);
}

bool json_string(struct span value, char *buf, size_t size, struct span *out)
{
    size_t n = 0;

    if (span_len(value) < 2 || *value.at != '"' || value.end[-1] != '"') {
        return false;
    }
    struct span text = {value.at + 1, value.end - 1};
    if (memchr(text.at, '\\', span_len(text)) == NULL) {
        *out = text;
        return true;
    }
    for (const char *p = text.at; p < text.end; p++) {
        if (*p == '\\' && (++p == text.end || strchr("\"\\/", *p) == NULL)) {
            return false;
        }
        if (n == size) {
            return false;
        }
        buf[n++] = *p;
    }
    out->at = buf;
    out->end = buf + n;
    return true;
}
