/* Numbers of NerdMiner's lines; see number.h. No locale, no errno, no copies: a decimal point is a
 * point. */
#include "number.h"

#include <math.h>

enum {
    DIGITS_MAX = 18,    /* more do not fit in a uint64_t; a double holds 17 */
    EXPONENT_MAX = 400, /* beyond that every double is 0 or infinite */
    POWERS = 23         /* 10^22 is the last power of ten that a double holds exactly */
};

static const double powers[POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static double scale_by_ten(double value, int exponent)
{
    for (; exponent >= POWERS; exponent -= POWERS - 1) {
        value *= powers[POWERS - 1];
    }
    for (; exponent <= -POWERS; exponent += POWERS - 1) {
        value /= powers[POWERS - 1];
    }
    return exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
}

/* Digits into *mantissa; *exponent moves by what did not fit or came after the point. */
static size_t take_digits(struct span *s, uint64_t *mantissa, int *used, int *exponent, int step)
{
    const char *start = s->at;

    for (; s->at < s->end && is_digit(*s->at); s->at++) {
        if (*used < DIGITS_MAX) {
            *mantissa = *mantissa * 10 + (uint64_t)(*s->at - '0');
            *used += *mantissa != 0;
            *exponent += step;
        } else if (*exponent < EXPONENT_MAX) {
            *exponent += step + 1;
        }
    }
    return (size_t)(s->at - start);
}

static void take_exponent(struct span *s, int *exponent)
{
    struct span t = *s;
    bool negative = false;
    int value = 0;

    if (!span_lit(&t, "e") && !span_lit(&t, "E")) {
        return;
    }
    if (span_lit(&t, "-")) {
        negative = true;
    } else {
        (void)span_lit(&t, "+");
    }
    if (t.at == t.end || !is_digit(*t.at)) {
        return; /* "2E" is 2 with a suffix */
    }
    for (; t.at < t.end && is_digit(*t.at); t.at++) {
        value = value < EXPONENT_MAX ? value * 10 + (*t.at - '0') : EXPONENT_MAX;
    }
    *exponent += negative ? -value : value;
    *s = t;
}

bool number_take(struct span *s, double *out)
{
    struct span t = *s;
    bool negative = span_lit(&t, "-");
    uint64_t mantissa = 0;
    int used = 0;
    int exponent = 0;
    size_t digits = take_digits(&t, &mantissa, &used, &exponent, 0);

    if (digits == 0) {
        return false;
    }
    if (span_len(t) >= 2 && t.at[0] == '.' && is_digit(t.at[1])) {
        t.at++;
        take_digits(&t, &mantissa, &used, &exponent, -1);
    }
    take_exponent(&t, &exponent);
    double value = scale_by_ten((double)mantissa, exponent);
    if (!isfinite(value)) {
        return false;
    }
    *out = negative ? -value : value;
    *s = t;
    return true;
}

bool number_take_scaled(struct span *s, double *out)
{
    static const char suffixes[] = "kKMGTPEZ";
    static const double factors[] = {1e3, 1e3, 1e6, 1e9, 1e12, 1e15, 1e18, 1e21};
    const char *hit;

    if (!number_take(s, out)) {
        return false;
    }
    if (s->at < s->end && (hit = memchr(suffixes, *s->at, sizeof(suffixes) - 1)) != NULL) {
        *out *= factors[hit - suffixes];
        s->at++;
    }
    return true;
}

bool number_take_uint(struct span *s, uint64_t *out)
{
    uint64_t value = 0;
    const char *p = s->at;

    for (; p < s->end && is_digit(*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (p == s->at) {
        return false;
    }
    s->at = p;
    *out = value;
    return true;
}

static bool take_two_digits(struct span *s, uint64_t below, uint64_t *out)
{
    if (span_len(*s) < 2 || !is_digit(s->at[0]) || !is_digit(s->at[1])) {
        return false;
    }
    *out = (uint64_t)(s->at[0] - '0') * 10 + (uint64_t)(s->at[1] - '0');
    s->at += 2;
    return *out < below;
}

bool number_take_duration(struct span *s, double *seconds)
{
    struct span t = *s;
    uint64_t days;
    uint64_t h;
    uint64_t m;
    uint64_t sec;

    if (!number_take_uint(&t, &days) || t.at == t.end || !is_blank(*t.at)) {
        return false;
    }
    span_blanks(&t); /* two in the firmware, one where somebody pasted the log */
    if (!take_two_digits(&t, 24, &h) || !span_lit(&t, ":") || !take_two_digits(&t, 60, &m) ||
        !span_lit(&t, ":") || !take_two_digits(&t, 60, &sec)) {
        return false;
    }
    *seconds = (double)days * 86400.0 + (double)(h * 3600 + m * 60 + sec);
    *s = t;
    return true;
}

bool number_take_ipv4(struct span *s, struct span *address)
{
    struct span t = *s;
    uint64_t any = 0;

    for (int i = 0; i < 4; i++) {
        const char *start = t.at;
        uint64_t part;

        if (!number_take_uint(&t, &part) || part > 255 || t.at - start > 3 ||
            (i < 3 && !span_lit(&t, "."))) {
            return false;
        }
        any |= part;
    }
    if (any == 0) {
        return false;
    }
    address->at = s->at;
    address->end = t.at;
    *s = t;
    return true;
}
